// The steps, each of which leaves a whole index behind:
//
// 1. Freeze. A manifest that lists the open segment as frozen comes into force, in one record with the tail page's
//    frozen flag and the opening of an empty successor. Inserters that come late see the flag and start over.
// 2. Read the frozen segments and the shards to absorb; build in memory.
// 3. Reserve. A manifest that notes the extents under construction comes into force.
// 4. Write the new shard's pages through shared buffers, logged, and hand them to the kernel.
// 5. Carry over the tombstones that the inputs got since step 2, then publish: the manifest with the new shard and
//    without its inputs, whose blocks become retired, comes into force.
//
// A crash or an error anywhere leaves the last manifest in force. After step 1 the frozen segments are still read by
// every scan and folded by the next run. After step 3 the reserved extents have no builder; the next run, which holds
// the maintenance lock, frees them.
//
// Step 5 against VACUUM, which runs beside us: VACUUM first sets its marks, then moves the tombstone epoch, then reads
// the manifest again and works on what it has not seen. We note the epoch, look for marks, and publish only if, under
// the meta page's lock, the epoch has not moved since. So a mark set on our inputs is either found by us, or VACUUM
// moves the epoch after our publication, reads our manifest, and marks the new shard itself.

#include "src/maintenance/fold.hpp"

#include "src/guard.hpp"
#include "src/maintenance/shard_job.hpp"
#include "src/storage/blocks.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/shard_cache.hpp"
#include "src/storage/sigbus_guard.hpp"
#include "src/storage/tombstones.hpp"

namespace nphd {

void maintenance_lock(Relation index) { LockPage(index, kMetaBlock, ExclusiveLock); }
void maintenance_unlock(Relation index) { UnlockPage(index, kMetaBlock, ExclusiveLock); }

namespace {

// A growing bitmap.
struct Bits {
    uint8* bytes;
    uint64 n, max_bytes;
};

void append_bit(Bits* bits, bool value) {
    if (bits->n / 8 == bits->max_bytes) {
        const Size old_bytes = bits->max_bytes;
        bits->max_bytes = Max(UINT64CONST(1024), old_bytes * 2);
        bits->bytes = static_cast<uint8*>(bits->bytes ? repalloc_huge(bits->bytes, bits->max_bytes)
                                                      : MemoryContextAllocHuge(CurrentMemoryContext, bits->max_bytes));
        memset(bits->bytes + old_bytes, 0, bits->max_bytes - old_bytes);
    }
    if (value) bits->bytes[bits->n / 8] |= static_cast<uint8>(1 << (bits->n % 8));
    bits->n++;
}

bool test_bit(const uint8* bytes, uint64 i) { return (bytes[i / 8] >> (i % 8) & 1) != 0; }

// What goes into the new shard, and what becomes of it afterwards.
struct FoldInputs {
    List* segments;  // of SegmentEntry*
    List* shards;    // of ShardEntry*
    BlockNumber* pending_blocks;
    uint32 n_pending_blocks;
    uint32 max_pending_blocks;
    uint64 pending_rows;  // alive when read
    uint64 epoch;         // of the tombstones, before anything was read
    Bits dead_entries;    // pending entries, in reading order, that were dead when read
    List* dead_postings;  // for each of `shards`, the bitmap (uint8*) that it was read with
};

void freeze_open_segment(Relation index) {
    MetaPage meta;
    meta_read(index, &meta);
    if (meta.segment_head == InvalidBlockNumber) return;
    ManifestDraft draft = manifest_draft(index, meta);
    auto* segment = static_cast<SegmentEntry*>(palloc0(sizeof(SegmentEntry)));
    segment->id = meta.segment_id;
    segment->head = meta.segment_head;
    draft.segments = lappend(draft.segments, segment);
    const ManifestRoot root = manifest_write(index, meta, &draft);

    MetaChange change;
    meta_change_begin(index, &change);
    Buffer tail = ReadBuffer(index, change.meta->segment_tail);
    LockBuffer(tail, BUFFER_LOCK_EXCLUSIVE);
    check_page(index, tail, PageKind::pending, meta.incarnation, meta.segment_id);
    page_data<PendingHeader>(meta_change_add(&change, tail, false))->frozen = 1;
    meta_install_manifest(&change, root);
    change.meta->segment_id++;
    change.meta->segment_head = InvalidBlockNumber;
    change.meta->segment_tail = InvalidBlockNumber;
    change.meta->segment_pages = 0;
    meta_change_finish(&change);
    UnlockReleaseBuffer(tail);
}

void remember_block(FoldInputs* inputs, BlockNumber block) {
    if (inputs->n_pending_blocks == inputs->max_pending_blocks) {
        inputs->max_pending_blocks = Max(64u, inputs->max_pending_blocks * 2);
        const Size bytes = inputs->max_pending_blocks * sizeof(BlockNumber);
        inputs->pending_blocks =
            static_cast<BlockNumber*>(inputs->pending_blocks ? repalloc_huge(inputs->pending_blocks, bytes)
                                                             : MemoryContextAllocHuge(CurrentMemoryContext, bytes));
    }
    inputs->pending_blocks[inputs->n_pending_blocks++] = block;
}

void read_segments(Relation index, const MetaPage& meta, FoldInputs* inputs, ShardJob* job) {
    PGAlignedBlock page;
    ListCell* cell;
    foreach (cell, inputs->segments) {
        const auto* segment = static_cast<SegmentEntry*>(lfirst(cell));
        PendingReader reader = pending_reader(index, meta, segment->id, segment->head);
        while (pending_next_page(&reader, page.data)) {
            remember_block(inputs, reader.block);
            PendingCursor cursor = pending_cursor(page.data);
            while (const PendingEntry* entry = pending_next_entry(index, reader.block, &cursor)) {
                append_bit(&inputs->dead_entries, entry->dead());
                if (entry->dead()) continue;
                shard_job_add(job, entry->code(), entry->row.unpack());
                inputs->pending_rows++;
            }
        }
    }
}

// Adds the living postings of nodes [first, end) of a lane; false when the shard cannot be read.
bool add_nodes(const CachedShard* shard, const LaneView& lane, NodeId first, NodeId end, ShardJob* job) {
    bool good = true;
    guarded([&] {
        const bool readable = survives_sigbus([&] {
            for (NodeId node = first; node < end && good; ++node) {
                LaneView::PostingRange range;
                good = lane.posting_range(node, range);
                for (uint32 p = range.begin; good && p < range.end; ++p)
                    if (!posting_dead(shard, lane.posting_base + p)) {
                        good = valid_row_id(lane.row_id(p));
                        shard_job_input_add(job, lane.code(node), lane.row_id(p));
                    }
            }
        });
        good = good && readable;
    });
    return good;
}

void read_shard(Relation index, const MetaPage& meta, const ShardEntry& entry, FoldInputs* inputs, ShardJob* job) {
    static constexpr uint32 kNodesPerSlice = 16384;
    CachedShard* shard = shard_acquire(index, meta, entry);
    const Size bitmap_bytes = entry.tombstone_pages * kPageDataBytes;
    auto* bitmap = static_cast<uint8*>(MemoryContextAllocHuge(CurrentMemoryContext, bitmap_bytes));
    memcpy(bitmap, shard->tombstones, bitmap_bytes);
    inputs->dead_postings = lappend(inputs->dead_postings, bitmap);
    for (const LaneView& lane : shard->view->lanes)
        for (uint32 first = 0; first < lane.nodes; first += kNodesPerSlice) {
            CHECK_FOR_INTERRUPTS();
            if (!add_nodes(shard, lane, first, Min(lane.nodes, first + kNodesPerSlice), job))
                report_damage(index, entry.first_block, "a shard whose postings cannot be read");
        }
}

int by_postings(const ListCell* a, const ListCell* b) {
    const uint64 x = static_cast<const ShardEntry*>(lfirst(a))->postings;
    const uint64 y = static_cast<const ShardEntry*>(lfirst(b))->postings;
    return x < y ? -1 : x > y;
}

// Every shard is searched by every query, so a fold takes along the shards that are not much larger than what it folds:
// their number stays logarithmic, and each row is rewritten a logarithmic number of times.
List* shards_to_absorb(List* shards, uint64 rows) {
    List* absorbed = nullptr;
    List* ascending = list_copy(shards);
    list_sort(ascending, by_postings);
    ListCell* cell;
    foreach (cell, ascending) {
        auto* shard = static_cast<ShardEntry*>(lfirst(cell));
        if (shard->postings > 2 * rows) break;
        absorbed = lappend(absorbed, shard);
        rows += shard->postings;
    }
    return absorbed;
}

// Row ids of inputs that were alive when read and are dead now, as a sorted array. (Not: all that are dead now. A row
// id that was dead already may have been given to another row, whose entry, alive, is an input too.)
struct DeadRows {
    RowId* rows;
    uint64 n, max;
};

void add_dead(DeadRows* dead, RowId row) {
    if (dead->n == dead->max) {
        dead->max = Max(UINT64CONST(1024), dead->max * 2);
        dead->rows =
            static_cast<RowId*>(dead->rows ? repalloc_huge(dead->rows, dead->max * sizeof(RowId))
                                           : MemoryContextAllocHuge(CurrentMemoryContext, dead->max * sizeof(RowId)));
    }
    dead->rows[dead->n++] = row;
}

int compare_row_ids(const void* a, const void* b) {
    const auto& x = *static_cast<const RowId*>(a);
    const auto& y = *static_cast<const RowId*>(b);
    return x < y ? -1 : y < x;
}

// Calls f(posting number in the shard, row id) for postings [first, first + n) of a lane, reading under the guard.
template <class F>
void for_each_posting(Relation index, const ShardEntry& entry, const CachedShard* shard, F&& f) {
    static constexpr uint32 kSlice = 4096;
    auto* rows = static_cast<RowId*>(palloc(kSlice * sizeof(RowId)));
    for (const LaneView& lane : shard->view->lanes)
        for (uint32 first = 0; first < lane.postings; first += kSlice) {
            CHECK_FOR_INTERRUPTS();
            const uint32 n = Min(kSlice, lane.postings - first);
            if (!survives_sigbus([&] {
                    for (uint32 i = 0; i < n; ++i) rows[i] = lane.row_id(first + i);
                }))
                report_damage(index, entry.first_block, "a shard that cannot be read");
            for (uint32 i = 0; i < n; ++i) f(lane.posting_base + first + i, rows[i]);
        }
    pfree(rows);
}

void add_dead_entries(Relation index, const MetaPage& meta, const FoldInputs& inputs, DeadRows* dead) {
    PGAlignedBlock page;
    uint64 ordinal = 0;
    ListCell* cell;
    foreach (cell, inputs.segments) {
        const auto* segment = static_cast<SegmentEntry*>(lfirst(cell));
        PendingReader reader = pending_reader(index, meta, segment->id, segment->head);
        while (pending_next_page(&reader, page.data)) {
            PendingCursor cursor = pending_cursor(page.data);
            for (; const PendingEntry* entry = pending_next_entry(index, reader.block, &cursor); ordinal++)
                if (entry->dead() && !test_bit(inputs.dead_entries.bytes, ordinal)) add_dead(dead, entry->row.unpack());
        }
    }
}

void add_dead_postings(Relation index, const MetaPage& meta, const FoldInputs& inputs, DeadRows* dead) {
    ListCell *cell, *bitmap_cell;
    forboth(cell, inputs.shards, bitmap_cell, inputs.dead_postings) {
        const auto* entry = static_cast<ShardEntry*>(lfirst(cell));
        const auto* before = static_cast<uint8*>(lfirst(bitmap_cell));
        CachedShard* shard = shard_acquire(index, meta, *entry);
        if (shard->dead > 0)
            for_each_posting(index, *entry, shard, [&](uint64 posting, RowId row) {
                if (posting_dead(shard, posting) && !test_bit(before, posting)) add_dead(dead, row);
            });
    }
}

DeadRows newly_dead(Relation index, const MetaPage& meta, const FoldInputs& inputs) {
    DeadRows dead{nullptr, 0, 0};
    add_dead_entries(index, meta, inputs, &dead);
    add_dead_postings(index, meta, inputs, &dead);
    if (dead.n > 0) qsort(dead.rows, dead.n, sizeof(RowId), compare_row_ids);
    return dead;
}

// Marks the postings of rows that died since the inputs were read.
void carry_over(Relation index, const MetaPage& meta, const FoldInputs& inputs, const ShardEntry& entry) {
    const DeadRows dead = newly_dead(index, meta, inputs);
    if (dead.n == 0) return;
    const Size bytes = entry.tombstone_pages * kPageDataBytes;
    auto* bits =
        static_cast<uint8*>(MemoryContextAllocExtended(CurrentMemoryContext, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    CachedShard* shard = shard_acquire(index, meta, entry);
    for_each_posting(index, entry, shard, [&](uint64 posting, RowId row) {
        if (bsearch(&row, dead.rows, dead.n, sizeof(RowId), compare_row_ids) != nullptr)
            bits[posting >> 3] |= static_cast<uint8>(1 << (posting & 7));
    });
    for (uint32 page = 0; page < entry.tombstone_pages; ++page)
        tombstones_set(index, meta, entry, page, bits + page * kPageDataBytes);
    pfree(bits);
    pfree(dead.rows);
}

int compare_blocks(const void* a, const void* b) {
    const BlockNumber x = *static_cast<const BlockNumber*>(a), y = *static_cast<const BlockNumber*>(b);
    return x < y ? -1 : x > y;
}

void retire_pending_blocks(ManifestDraft* draft, const FoldInputs& inputs) {
    if (inputs.n_pending_blocks == 0) return;
    qsort(inputs.pending_blocks, inputs.n_pending_blocks, sizeof(BlockNumber), compare_blocks);
    for (uint32 i = 0, run; i < inputs.n_pending_blocks; i += run) {
        for (run = 1;
             i + run < inputs.n_pending_blocks && inputs.pending_blocks[i + run] == inputs.pending_blocks[i] + run;)
            run++;
        draft_add_extent(draft, inputs.pending_blocks[i], run, ExtentState::retired, ExtentKind::pending, 0);
    }
}

void retire_inputs(ManifestDraft* draft, const FoldInputs& inputs) {
    // Maintenance alone changes these lists, and we hold its lock: every frozen segment was an input.
    draft->segments = nullptr;
    List* kept = nullptr;
    ListCell* cell;
    foreach (cell, draft->shards) {
        auto* shard = static_cast<ShardEntry*>(lfirst(cell));
        bool absorbed = false;
        ListCell* input;
        foreach (input, inputs.shards)
            absorbed |= static_cast<ShardEntry*>(lfirst(input))->generation == shard->generation;
        if (!absorbed) {
            kept = lappend(kept, shard);
            continue;
        }
        draft_retire_extent(draft, shard->first_block);
        draft_retire_extent(draft, shard->tombstone_block);
    }
    draft->shards = kept;
    retire_pending_blocks(draft, inputs);
}

void set_extent_live(ManifestDraft* draft, BlockNumber first) {
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* extent = static_cast<ExtentEntry*>(lfirst(cell));
        if (extent->first == first) extent->state = static_cast<uint16>(ExtentState::live);
    }
}

void install(Relation index, const ManifestRoot& root) {
    MetaChange change;
    meta_change_begin(index, &change);
    meta_install_manifest(&change, root);
    meta_change_finish(&change);
}

// What is still reserved although we hold the maintenance lock was reserved by a run that did not end. No manifest ever
// listed it as live, so nobody reads it.
void free_orphans(ManifestDraft* draft) {
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* extent = static_cast<ExtentEntry*>(lfirst(cell));
        if (extent->state == static_cast<uint16>(ExtentState::reserved))
            extent->state = static_cast<uint16>(ExtentState::free);
    }
}

// Step 3.
ShardExtents reserve_extents(Relation index, const ShardJob* job) {
    ShardExtents extents = shard_job_extents(job);
    extents.generation = meta_next_generation(index);
    extents.first_block = meta_reserve_blocks(index, extents.pages + extents.tombstone_pages);
    extents.tombstone_block = extents.first_block + extents.pages;
    MetaPage meta;
    meta_read(index, &meta);
    ManifestDraft draft = manifest_draft(index, meta);
    free_orphans(&draft);
    draft_add_extent(&draft, extents.first_block, extents.pages, ExtentState::reserved, ExtentKind::shard,
                     extents.generation);
    draft_add_extent(&draft, extents.tombstone_block, extents.tombstone_pages, ExtentState::reserved,
                     ExtentKind::tombstones, extents.generation);
    install(index, manifest_write(index, meta, &draft));
    return extents;
}

// Steps 4 and 5; a job without rows publishes the end of its inputs only.
void write_and_publish(Relation index, ShardJob* job, const FoldInputs& inputs) {
    ShardEntry* entry = nullptr;
    MetaPage meta;
    if (job != nullptr) {
        const ShardExtents extents = reserve_extents(index, job);
        meta_read(index, &meta);
        entry = static_cast<ShardEntry*>(palloc(sizeof(ShardEntry)));
        *entry = shard_job_write(job, index, meta, extents);
        tombstones_create(index, meta, *entry);
    }
    for (uint64 epoch = inputs.epoch;;) {
        meta_read(index, &meta);
        const bool carry = entry != nullptr && meta.tombstone_epoch != epoch;
        if (carry) carry_over(index, meta, inputs, *entry);
        epoch = meta.tombstone_epoch;

        ManifestDraft draft = manifest_draft(index, meta);
        retire_inputs(&draft, inputs);
        if (entry != nullptr) {
            draft.shards = lappend(draft.shards, entry);
            set_extent_live(&draft, entry->first_block);
            set_extent_live(&draft, entry->tombstone_block);
        }
        const ManifestRoot root = manifest_write(index, meta, &draft);
        MetaChange change;
        meta_change_begin(index, &change);
        if (change.meta->tombstone_epoch == epoch || entry == nullptr) {
            meta_install_manifest(&change, root);
            // Our own cache has the new shard's bitmap from before the carry-over.
            if (epoch != inputs.epoch) change.meta->tombstone_epoch++;
            meta_change_finish(&change);
            return;
        }
        meta_change_abort(&change);
    }
}

}  // namespace

uint64 fold_pending(Relation index, const FoldResources& resources) {
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd fold", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);

    freeze_open_segment(index);
    MetaPage meta;
    meta_read(index, &meta);
    ManifestDraft draft = manifest_draft(index, meta);
    FoldInputs inputs{};
    inputs.segments = draft.segments;
    inputs.epoch = meta.tombstone_epoch;
    if (inputs.segments != nullptr) {
        ShardJob* job = shard_job_create(resources.memory_kb);
        read_segments(index, meta, &inputs, job);
        inputs.shards = shards_to_absorb(draft.shards, inputs.pending_rows);
        ListCell* cell;
        foreach (cell, inputs.shards) read_shard(index, meta, *static_cast<ShardEntry*>(lfirst(cell)), &inputs, job);
        const bool any = shard_job_rows(job) > 0;
        if (any) shard_job_run(job, meta.options, resources.threads, nullptr);
        write_and_publish(index, any ? job : nullptr, inputs);
        shard_job_free(job);
    }

    MemoryContextSwitchTo(caller);
    MemoryContextDelete(context);
    meta_read(index, &meta);
    shard_cache_sweep(index, manifest_cached(index, meta));
    return inputs.pending_rows;
}

void publish_first_shard(Relation index, ShardJob* job) {
    FoldInputs inputs{};
    write_and_publish(index, job, inputs);
}

}  // namespace nphd
