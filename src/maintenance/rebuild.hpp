// Fold and merge: frozen segments and shards become one new shard.
#pragma once

#include "src/maintenance/inputs.hpp"
#include "src/storage/allocation.hpp"

namespace nphd {

/// Step 1 of a fold: the open segment takes no more rows, an empty one is opened.
void freeze_open_segment(Relation index);

/// Builds the rows that the inputs handed to the job, writes the new shard and publishes it in place of the inputs.
/// The caller holds the maintenance lock and a lock on the index.
void rebuild(const RebuildInputs* inputs, ShardJob* job, int threads);

/// CREATE INDEX: publishes a built job as the first shard.
void publish_first_shard(Relation index, ShardJob* job);

/// Puts `shard`, whose pages are written but whose extents are only reserved, in force, together with what `retire`
/// takes out of the draft. Between reading the meta page and the switch, `carry_over` brings the shard's tombstones up
/// to date; it is called again for as long as VACUUM moves the epoch meanwhile.
struct Publication {
    Relation index;
    const ShardEntry* shard;  // null: nothing new
    uint64 epoch;             // of the tombstones when the inputs were read
    void (*carry_over)(void* state, const MetaPage& meta);
    void (*retire)(void* state, ManifestDraft* draft, const MetaPage& meta);
    void* state;
};
void publish(const Publication& publication);

/// Gives the shard, whose sizes are known, a generation and pieces, and puts their reservation in force: from then on
/// their blocks may be overwritten. Who places it before a limit saw that there is room.
void reserve_shard(Relation index, ShardEntry* shard, Placement placement);

}  // namespace nphd
