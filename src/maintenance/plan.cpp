#include "src/maintenance/plan.hpp"

#include "src/storage/shard_cache.hpp"

#include "engine/shard/shard_build.hpp"

namespace nphd {

// A shard of whose postings one in kDeadShare or more is dead is rewritten.
static constexpr uint64 kDeadShare = 5;
static constexpr uint64 kAbsorbFactor = 2;
// A fold by a worker rewrites at most so many rows for each that it folds; merges come when nothing waits to be folded.
static constexpr uint64 kFoldFactor = 4;
// A lane numbers its postings in 32 bits; what would come near that stays in shards of its own.
static constexpr uint64 kMostRows = UINT64CONST(3) << 30;

static int by_live(const void* a, const void* b) {
    const uint64 x = static_cast<const ShardLoad*>(a)->live, y = static_cast<const ShardLoad*>(b)->live;
    return x < y ? -1 : x > y;
}

ShardLoads shard_loads(Relation index, const MetaPage& meta, const ManifestDraft& draft) {
    ShardLoads loads{static_cast<ShardLoad*>(palloc(sizeof(ShardLoad) * (list_length(draft.shards) + 1))), 0};
    ListCell* cell;
    foreach (cell, draft.shards) {
        auto* entry = static_cast<ShardEntry*>(lfirst(cell));
        const CachedShard* shard = shard_acquire(index, meta, *entry, ReadPattern::on_and_on);
        // The maintenance lock keeps a listed shard where it is.
        if (shard == nullptr) report_damage(index, entry->block(0), "a shard that moved under the maintenance lock");
        loads.shards[loads.n++] = {entry, entry->postings - Min(shard->dead, entry->postings)};
    }
    qsort(loads.shards, loads.n, sizeof(ShardLoad), by_live);
    return loads;
}

static bool has_dead(const ShardLoad& load) { return load.live < load.entry->postings; }

static bool rewrite_is_due(const ShardLoad& load) {
    return has_dead(load) && (load.entry->postings - load.live) * kDeadShare >= load.entry->postings;
}

// How many of the smallest shards to take to `rows` other ones; *rows becomes the sum, at most `most`.
static uint32 absorbable(const ShardLoads& loads, uint64* rows, uint64 most) {
    uint32 n = 0;
    for (; n < loads.n; ++n) {
        const uint64 live = loads.shards[n].live;
        if (live > kAbsorbFactor * *rows || *rows + live > most) break;
        *rows += live;
    }
    return n;
}

// Without anything pending: the longest run of smallest shards that would not be left apart by folding the smallest.
static uint32 mergeable(const ShardLoads& loads) {
    if (loads.n < 2) return 0;
    const ShardLoads rest{loads.shards + 1, loads.n - 1};
    uint64 rows = loads.shards[0].live;
    const uint32 n = absorbable(rest, &rows, kMostRows);
    if (n > 0) return n + 1;
    const uint32 later = mergeable(rest);
    return later > 0 ? later + 1 : 0;
}

List* shards_to_rebuild(const ShardLoads& loads, Goal goal, uint64 pending_rows, bool have_segments) {
    List* chosen = nullptr;
    if (goal == Goal::full) {
        if (!have_segments && loads.n == 1 && !has_dead(loads.shards[0])) return nullptr;
        uint64 rows = pending_rows;
        for (uint32 i = 0; i < loads.n; ++i) {
            if (rows + loads.shards[i].live > kMostRows) break;
            rows += loads.shards[i].live;
            chosen = lappend(chosen, loads.shards[i].entry);
        }
        // What cannot be joined is rewritten for its dead rows only.
        if (!have_segments && list_length(chosen) == 1 && !has_dead(loads.shards[0])) return nullptr;
        return chosen;
    }
    uint64 rows = pending_rows;
    const uint64 most = goal == Goal::due && have_segments ? kFoldFactor * pending_rows : kMostRows;
    for (uint32 i = 0; i < loads.n; ++i)
        if (rewrite_is_due(loads.shards[i]) && rows + loads.shards[i].live <= most) {
            chosen = lappend(chosen, loads.shards[i].entry);
            rows += loads.shards[i].live;
        }
    const uint32 n = have_segments || chosen != nullptr ? absorbable(loads, &rows, most) : mergeable(loads);
    for (uint32 i = 0; i < n; ++i)
        if (!list_member_ptr(chosen, loads.shards[i].entry)) chosen = lappend(chosen, loads.shards[i].entry);
    return chosen;
}

}  // namespace nphd
