#include "src/maintenance/maintain.hpp"

#include "src/faults.hpp"
#include "src/maintenance/background.hpp"
#include "src/maintenance/plan.hpp"
#include "src/maintenance/rebuild.hpp"
#include "src/maintenance/space.hpp"
#include "src/settings.hpp"
#include "src/storage/shard_cache.hpp"

namespace nphd {

bool maintenance_try_lock(Relation index) { return ConditionalLockPage(index, kMetaBlock, ExclusiveLock); }

void maintenance_lock(Relation index) {
    for (long pause_ms = 1; !maintenance_try_lock(index); pause_ms = Min(pause_ms * 2, 50L)) {
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause_ms, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
    }
}

void maintenance_unlock(Relation index) { UnlockPage(index, kMetaBlock, ExclusiveLock); }

// What waits to be folded is worth a fold by itself.
static bool fold_is_due(const MetaPage& meta, const ManifestDraft& draft) {
    return draft.segments != nullptr || static_cast<int64>(meta.segment_pages) * BLCKSZ >= pending_limit_bytes();
}

// One rebuild, in a memory context of its own. False: nothing was left to do for the goal.
static bool one_step(Relation index, Goal goal, const MaintenanceResources& resources, uint64* folded) {
    MetaPage meta;
    meta_read(index, &meta);
    ManifestDraft draft = manifest_draft(index, &meta);
    const bool fold = goal != Goal::due || fold_is_due(meta, draft);
    if (fold && meta.segment_head != InvalidBlockNumber) {
        freeze_open_segment(index);
        meta_read(index, &meta);
        draft = manifest_draft(index, &meta);
    }
    if (goal == Goal::pending && draft.segments == nullptr) return false;
    const ShardLoads loads = shard_loads(index, meta, draft);
    RebuildInputs inputs = rebuild_inputs(index, meta, draft.segments);
    if (inputs.segments == nullptr) {
        inputs.shards = shards_to_rebuild(loads, goal, 0, false);
        if (inputs.shards == nullptr) return false;
    }
    ShardJob* job = shard_job_create(resources.memory_kb, meta.options.filters);
    if (inputs.segments != nullptr) {
        inputs_read_segments(&inputs, job);
        inputs.shards = shards_to_rebuild(loads, goal, inputs.pending_rows, true);
    }
    show_activity(index, inputs.pending_rows, list_length(inputs.shards));
    inputs_read_shards(&inputs, job);
    NPHD_FAULT("rebuild.read");
    rebuild(&inputs, job, resources.threads);
    shard_job_free(job);
    *folded += inputs.pending_rows;
    return true;
}

uint64 maintain(Relation index, Goal goal, const MaintenanceResources& resources) {
    static constexpr int kMostSteps = 16;
    NPHD_FAULT("maintain.begin");
    uint64 folded = 0;
    bool any = true;
    // What comes while a goal other than the worker's is reached is left to the next run.
    for (int i = 0; any && i < (goal == Goal::due ? kMostSteps : 1); ++i) {
        MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd maintenance", ALLOCSET_DEFAULT_SIZES);
        MemoryContext caller = MemoryContextSwitchTo(context);
        any = one_step(index, goal, resources, &folded);
        MemoryContextSwitchTo(caller);
        MemoryContextDelete(context);
    }
    if (goal == Goal::full)
        shorten(index);
    else
        reclaim_space(index);
    MetaPage meta;
    meta_read(index, &meta);
    shard_cache_sweep(index, manifest_cached(index, &meta));
    return folded;
}

bool merge_is_due(Relation index) {
    MetaPage meta;
    meta_read(index, &meta);
    const ManifestDraft draft = manifest_draft(index, &meta);
    return shards_to_rebuild(shard_loads(index, meta, draft), Goal::due, 0, false) != nullptr;
}

}  // namespace nphd
