// Folding: what was inserted since the last time becomes a sealed shard.
#pragma once

#include "src/storage/manifest.hpp"

namespace nphd {

/// All maintenance of one index is serialised by a heavyweight lock on its meta block, held until the end of the
/// transaction or unlock.
void maintenance_lock(Relation index);
void maintenance_unlock(Relation index);

struct FoldResources {
    int threads;
    int memory_kb;
};

/// Folds everything pending, together with shards too small to stand alone beside it, into one new shard. Returns the
/// number of pending rows that were folded, dead ones not counted. The caller holds the maintenance lock and a lock on
/// the index.
uint64 fold_pending(Relation index, const FoldResources& resources);

/// CREATE INDEX: publishes a built job as the first shard.
struct ShardJob;
void publish_first_shard(Relation index, ShardJob* job);

}  // namespace nphd
