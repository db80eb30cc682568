// VACUUM. nphdbulkdelete asks for every row id of the index, pending or sealed, beside running folds: see
// maintenance/fold.cpp for why none of its marks is lost. When it returns, no scan that starts later can return a row
// id that it was told is dead.

#include "src/am/am.hpp"
#include "src/maintenance/fold.hpp"
#include "src/maintenance/shard_job.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/shard_cache.hpp"
#include "src/storage/sigbus_guard.hpp"
#include "src/storage/tombstones.hpp"

namespace nphd {

namespace {

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

bool any_dead(const BulkDelete* work, BlockNumber block, char* page, uint64* live) {
    PendingCursor cursor = pending_cursor(page);
    uint64 alive = 0;
    while (const PendingEntry* entry = pending_next_entry(work->index, block, &cursor)) {
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
    while (pending_next_page(&reader, page.data)) {
        vacuum_pause();
        // Most pages need no exclusive lock and no WAL record.
        if (any_dead(work, reader.block, page.data, &work->live))
            work->removed += pending_mark_dead(&reader, work->dead, work->state, &work->live);
    }
    work->done_segments = with(work->done_segments, id);
}

// The lane that holds posting `posting` of the shard.
const LaneView* lane_of(const CachedShard* shard, uint64 posting) {
    for (const LaneView& lane : shard->view->lanes)
        if (posting < lane.posting_base + lane.postings) return &lane;
    return nullptr;
}

// Copies the row ids of postings [first, first + n) of the shard out of the mapping.
void copy_row_ids(Relation index, const ShardEntry& entry, const CachedShard* shard, uint64 first, uint32 n,
                  RowId* out) {
    if (!survives_sigbus([&] {
            const LaneView* lane = lane_of(shard, first);
            for (uint32 i = 0; i < n; ++i) {
                const uint64 posting = first + i;
                if (posting >= lane->posting_base + lane->postings) lane = lane_of(shard, posting);
                out[i] = lane->row_id(static_cast<uint32>(posting - lane->posting_base));
            }
        }))
        report_damage(index, entry.first_block, "a shard that cannot be read");
}

void vacuum_shard(BulkDelete* work, const MetaPage& meta, const ShardEntry& entry) {
    static constexpr uint32 kSlice = 4096;
    auto* rows = static_cast<RowId*>(palloc(kSlice * sizeof(RowId)));
    auto* bits = static_cast<uint8*>(palloc(kPageDataBytes));
    CachedShard* shard = shard_acquire(work->index, meta, entry);
    for (uint32 page = 0; page < entry.tombstone_pages; ++page) {
        const uint64 base = static_cast<uint64>(page) * kTombstonesPerPage;
        const uint64 end = Min(entry.postings, base + kTombstonesPerPage);
        uint64 marked = 0;
        memset(bits, 0, kPageDataBytes);
        for (uint64 first = base; first < end; first += kSlice) {
            vacuum_pause();
            const auto n = static_cast<uint32>(Min(static_cast<uint64>(kSlice), end - first));
            copy_row_ids(work->index, entry, shard, first, n, rows);
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
        if (marked > 0) tombstones_set(work->index, meta, entry, page, bits);
        work->removed += marked;
    }
    work->done_shards = with(work->done_shards, entry.generation);
    pfree(rows);
    pfree(bits);
}

// Works on everything listed now that was not worked on before; false when there was nothing.
bool vacuum_unseen(BulkDelete* work, const MetaPage& meta) {
    const ManifestDraft now = manifest_draft(work->index, meta);
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
        MetaPage meta;
        meta_read(info->index, &meta);
        if (!vacuum_unseen(&work, meta)) break;
        // What a fold published meanwhile was counted as pending before.
        stats->estimated_count = rounds > 0;
        // The order counts: marks, then epoch, then another look at the manifest. And it moves even if nothing was
        // marked now: an earlier run may have been cancelled between its marks and its epoch, and other backends cache
        // bitmaps by it.
        tombstones_bump_epoch(info->index);
    }
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(context);
    stats->tuples_removed += static_cast<double>(work.removed);
    stats->num_index_tuples = static_cast<double>(work.live);
    return stats;
}

IndexBulkDeleteResult* nphdvacuumcleanup(IndexVacuumInfo* info, IndexBulkDeleteResult* stats) {
    if (info->analyze_only) return stats;
    if (stats == nullptr) {
        stats = static_cast<IndexBulkDeleteResult*>(palloc0(sizeof(IndexBulkDeleteResult)));
        stats->num_index_tuples = info->num_heap_tuples;
        stats->estimated_count = true;
    }
    const bool autovacuum = in_autovacuum();
    FoldResources resources;
    resources.threads = autovacuum ? 1 : 1 + max_parallel_maintenance_workers;
    resources.memory_kb = autovacuum && autovacuum_work_mem != -1 ? autovacuum_work_mem : maintenance_work_mem;
    maintenance_lock(info->index);
    fold_pending(info->index, resources);
    maintenance_unlock(info->index);
    stats->num_pages = RelationGetNumberOfBlocks(info->index);
    return stats;
}

}  // namespace nphd
