// The upkeep of one index: what is due, and doing it. One code path for the background worker, VACUUM's cleanup and
// nphd_compact().
#pragma once

#include "src/storage/manifest.hpp"

namespace nphd {

/// All maintenance of one index is serialised by a heavyweight lock on its meta block, held until unlock or the end of
/// the transaction. Waiting for it is done by looking again and again, open to interrupts: the lock manager would have
/// whoever waits cancel the background worker (see background.cpp).
void maintenance_lock(Relation index);
[[nodiscard]] bool maintenance_try_lock(Relation index);
void maintenance_unlock(Relation index);

enum class Goal {
    pending,  // fold all that is pending
    due,      // what the settings call due: for the background worker
    full,     // everything into one shard, without dead rows, and the file as short as can be
};

struct MaintenanceResources {
    int threads;
    int memory_kb;
};

/// Does the work step by step until nothing is left for the goal. Returns the number of pending rows that were folded,
/// dead ones not counted. The caller holds the maintenance lock and a lock on the index.
uint64 maintain(Relation index, Goal goal, const MaintenanceResources& resources);

/// Whether a merge or rewrite is due. The caller holds the maintenance lock.
bool merge_is_due(Relation index);

}  // namespace nphd
