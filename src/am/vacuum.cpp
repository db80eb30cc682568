// VACUUM. nphdbulkdelete asks for every row id of the index, pending or sealed, beside running folds and merges: see
// maintenance/rebuild.cpp for why none of its marks is lost. When it returns, no scan that starts later can return a
// row id that it was told is dead. What maintenance moves away under it is in a shard of the next manifest, to which it
// comes in its next round.

#include "src/am/am.hpp"
#include "src/faults.hpp"
#include "src/maintenance/background.hpp"
#include "src/maintenance/contain.hpp"
#include "src/maintenance/maintain.hpp"
#include "src/storage/allocation.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/shard_cache.hpp"
#include "src/storage/sigbus_guard.hpp"
#include "src/storage/tombstones.hpp"

namespace nphd {

namespace {

constexpr uint32 kSlice = 4096;  // postings between two looks at interrupts

struct BulkDelete {
    Relation index;
    IndexBulkDeleteCallback dead;
    void* state;
    uint64 removed;
    uint64 live;
    List* done_segments;  // of uint64*
    List* done_shards;    // generations, of uint64*
};

bool listed(List* list, uint64 number) {
    ListCell* cell;
    foreach (cell, list)
        if (*static_cast<uint64*>(lfirst(cell)) == number) return true;
    return false;
}

List* with(List* list, uint64 number) {
    auto* copy = static_cast<uint64*>(palloc(sizeof(uint64)));
    *copy = number;
    return lappend(list, copy);
}

bool any_dead(const BulkDelete* work, const PendingReader& reader, char* page, uint64* live) {
    PendingCursor cursor = pending_cursor(reader, page);
    uint64 alive = 0;
    while (const PendingEntry* entry = pending_next_entry(work->index, reader.block, &cursor)) {
        if (entry->dead()) continue;
        const RowId row = entry->row.unpack();
        ItemPointerData tid;
        ItemPointerSet(&tid, row.block, row.offset);
        if (work->dead(&tid, work->state)) return true;
        alive++;
    }
    *live += alive;
    return false;
}

void vacuum_segment(BulkDelete* work, const MetaPage& meta, uint64 id, BlockNumber head) {
    PGAlignedBlock page;
    PendingReader reader = pending_reader(work->index, meta, id, head);
    while (pending_next_page(&reader, page.data) == PageRead::page) {
        vacuum_pause();
        NPHD_FAULT("vacuum.pending_page");
        // Most pages need no exclusive lock and no WAL record.
        if (any_dead(work, reader, page.data, &work->live) &&
            !pending_mark_dead(&reader, work->dead, work->state, &work->removed, &work->live))
            break;
    }
    work->done_segments = with(work->done_segments, id);
}

// The lane that holds posting `posting` of the shard.
const LaneView* lane_of(const CachedShard* shard, uint64 posting) {
    for (const LaneView& lane : shard->view->lanes)
        if (posting < lane.posting_base + lane.postings) return &lane;
    return &shard->view->codeless;
}

// Copies the row ids of postings [first, first + n) of the shard out of the mapping. False: the shard's pages have
// another use by now, and what was copied means nothing. The callback must not see such row ids: CREATE INDEX
// CONCURRENTLY takes every one it sees for indexed.
bool copy_row_ids(Relation index, const ShardEntry& entry, const CachedShard* shard, uint64 first, uint32 n,
                  RowId* out) {
    const bool readable = survives_sigbus([&] {
        const LaneView* lane = lane_of(shard, first);
        for (uint32 i = 0; i < n; ++i) {
            const uint64 posting = first + i;
            if (posting >= lane->posting_base + lane->postings) lane = lane_of(shard, posting);
            out[i] = lane->row_id(static_cast<uint32>(posting - lane->posting_base));
        }
    });
    if (shard->mapped) {
        MetaPage now;
        meta_read(index, &now);
        if (!manifest_still_has(manifest_cached(index, &now), entry)) return false;
    }
    if (!readable) report_damage(index, entry.block(0), "a shard that cannot be read");
    return true;
}

// Asks for the postings of one tombstone page and marks the dead ones; false: the shard moved.
bool vacuum_postings(BulkDelete* work, const MetaPage& meta, const ShardEntry& entry, const CachedShard* shard,
                     uint32 page, RowId* rows, uint8* bits) {
    const uint64 base = static_cast<uint64>(page) * kTombstonesPerPage;
    const uint64 end = Min(entry.postings, base + kTombstonesPerPage);
    uint64 marked = 0;
    memset(bits, 0, kPageDataBytes);
    for (uint64 first = base; first < end; first += kSlice) {
        vacuum_pause();
        const auto n = static_cast<uint32>(Min(static_cast<uint64>(kSlice), end - first));
        if (!copy_row_ids(work->index, entry, shard, first, n, rows)) return false;
        for (uint32 i = 0; i < n; ++i) {
            if (posting_dead(shard, first + i)) continue;
            ItemPointerData tid;
            ItemPointerSet(&tid, rows[i].block, rows[i].offset);
            if (!work->dead(&tid, work->state)) {
                work->live++;
                continue;
            }
            const uint64 bit = first + i - base;
            bits[bit >> 3] |= static_cast<uint8>(1 << (bit & 7));
            marked++;
        }
    }
    if (marked == 0) return true;
    work->removed += marked;
    const bool there = tombstones_set(work->index, meta, entry, page, bits);
    NPHD_FAULT("vacuum.marked");
    return there;
}

void vacuum_shard(BulkDelete* work, const MetaPage& meta, const ShardEntry& entry) {
    auto* rows = static_cast<RowId*>(palloc(kSlice * sizeof(RowId)));
    auto* bits = static_cast<uint8*>(palloc(kPageDataBytes));
    const CachedShard* shard = shard_acquire(work->index, meta, entry, ReadPattern::on_and_on);
    for (uint32 page = 0; shard != nullptr && page < entry.tombstone_pages; ++page)
        if (!vacuum_postings(work, meta, entry, shard, page, rows, bits)) break;
    work->done_shards = with(work->done_shards, entry.generation);
    pfree(rows);
    pfree(bits);
}

// Works on everything listed now that was not worked on before; false when there was nothing.
bool vacuum_unseen(BulkDelete* work) {
    MetaPage meta;
    meta_read(work->index, &meta);
    const ManifestDraft now = manifest_draft(work->index, &meta);
    bool any = false;
    ListCell* cell;
    foreach (cell, now.segments) {
        const auto* segment = static_cast<SegmentEntry*>(lfirst(cell));
        if (listed(work->done_segments, segment->id)) continue;
        vacuum_segment(work, meta, segment->id, segment->head);
        any = true;
    }
    if (meta.segment_head != InvalidBlockNumber && !listed(work->done_segments, meta.segment_id)) {
        vacuum_segment(work, meta, meta.segment_id, meta.segment_head);
        any = true;
    }
    foreach (cell, now.shards) {
        const auto* shard = static_cast<ShardEntry*>(lfirst(cell));
        if (listed(work->done_shards, shard->generation)) continue;
        vacuum_shard(work, meta, *shard);
        any = true;
    }
    return any;
}

}  // namespace

IndexBulkDeleteResult* nphdbulkdelete(IndexVacuumInfo* info, IndexBulkDeleteResult* stats, IndexBulkDeleteCallback dead,
                                      void* state) {
    if (stats == nullptr) stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd vacuum", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    BulkDelete work{info->index, dead, state, 0, 0, nullptr, nullptr};
    for (int rounds = 0;; ++rounds) {
        if (!vacuum_unseen(&work)) break;
        // What a fold published meanwhile was counted as pending before.
        stats->estimated_count = rounds > 0;
        // The order counts: marks, then epoch, then another look at the manifest. And it moves even if nothing was
        // marked now: an earlier run may have been cancelled between its marks and its epoch, and other backends cache
        // bitmaps by it.
        NPHD_FAULT("vacuum.before_epoch");
        tombstones_bump_epoch(info->index);
        NPHD_FAULT("vacuum.after_epoch");
    }
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(context);
    stats->tuples_removed += static_cast<double>(work.removed);
    stats->num_index_tuples = static_cast<double>(work.live);
    return stats;
}

// Folds what is pending. Merges, which may take long, are left to a background worker if one can be had.
static void maintain_after_vacuum(void* arg) {
    auto* index = static_cast<Relation>(arg);
    const bool autovacuum = in_autovacuum();
    MaintenanceResources resources;
    resources.threads = autovacuum ? 1 : 1 + max_parallel_maintenance_workers;
    resources.memory_kb = autovacuum && autovacuum_work_mem != -1 ? autovacuum_work_mem : maintenance_work_mem;
    NPHD_FAULT("vacuum.cleanup");
    // Autovacuum does not wait for whoever is doing the same work.
    if (!autovacuum)
        maintenance_lock(index);
    else if (!maintenance_try_lock(index))
        return;
    maintain(index, Goal::pending, resources);
    const bool more = merge_is_due(index);
    if (more && !background_available(index)) maintain(index, Goal::due, resources);
    maintenance_unlock(index);
    if (more) (void)background_start(index);
}

static uint64 unused_blocks_now(Relation index) {
    MetaPage meta;
    meta_read(index, &meta);
    const ManifestDraft manifest = manifest_draft(index, &meta);
    return unused_blocks(&manifest);
}

IndexBulkDeleteResult* nphdvacuumcleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
    if (info->analyze_only) return stats;
    if (stats == nullptr) {
        stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
        stats->num_index_tuples = info->num_heap_tuples;
        stats->estimated_count = true;
    }
    if (!vacuum_is_urgent()) contain_failure(info->index, maintain_after_vacuum, info->index);
    stats->num_pages = RelationGetNumberOfBlocks(info->index);
    stats->pages_free = static_cast<BlockNumber>(unused_blocks_now(info->index));
    return stats;
}

}  // namespace nphd
