// The steps, each of which leaves a whole index behind:
//
// 1. Freeze (a fold only). A manifest that lists the open segment as frozen comes into force, in one record with the
//    tail page's frozen flag and the opening of an empty successor. Inserters that come late see the flag and start
//    over.
// 2. Read the inputs: frozen segments and shards; build in memory.
// 3. Reserve. A manifest that notes the extents under construction, with a new generation, comes into force.
// 4. Write the new shard's pages through shared buffers, logged, and hand them to the kernel.
// 5. Carry over the tombstones that the inputs got since step 2, then publish: the manifest with the new shard and
//    without its inputs, whose blocks become retired, comes into force.
//
// A crash or an error anywhere leaves the last manifest in force. After step 1 the frozen segments are still read by
// every scan and folded by the next run. After step 3 the reserved extents have no builder; the next run, which holds
// the maintenance lock, frees them. What was taken at the high-water mark but never got into a manifest is found by the
// next fold, which knows every block that belongs to something.
//
// Step 5 against VACUUM, which runs beside us: VACUUM first sets its marks, then moves the tombstone epoch, then reads
// the manifest again and works on what it has not seen. We note the epoch, look for marks, and publish only if, under
// the meta page's lock, the epoch has not moved since. So a mark set on our inputs is either found by us, or VACUUM
// moves the epoch after our publication, reads our manifest, and marks the new shard itself.

#include "src/maintenance/rebuild.hpp"

#include "src/faults.hpp"
#include "src/maintenance/space.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/shard_cache.hpp"
#include "src/storage/tombstones.hpp"

namespace nphd {

// Reused space goes to the next segment's pages first: about as many blocks as the last one had.
static void take_spare_blocks(const MetaPage& meta, ManifestDraft* draft, BlockNumber* next, BlockNumber* end) {
    static constexpr uint32 kLeast = 64, kMost = 1024;
    *next = *end = 0;
    // Only we set it, so an empty one stays empty until the switch.
    if (meta.spare_next < meta.spare_end) return;
    if (!draft_take_free(draft, Min(Max(meta.segment_pages, kLeast), kMost), next, end)) *next = *end = 0;
}

void freeze_open_segment(Relation index) {
    MetaPage meta;
    meta_read(index, &meta);
    if (meta.segment_head == InvalidBlockNumber) return;
    ManifestDraft draft = manifest_draft(index, &meta);
    auto* segment = static_cast<SegmentEntry*>(palloc0(sizeof(SegmentEntry)));
    segment->id = meta.segment_id;
    segment->head = meta.segment_head;
    draft.segments = lappend(draft.segments, segment);
    BlockNumber spare_next, spare_end;
    take_spare_blocks(meta, &draft, &spare_next, &spare_end);
    const ManifestRoot root = manifest_write(index, meta, &draft);

    NPHD_FAULT("freeze.before_switch");
    MetaChange change;
    meta_change_begin(index, &change);
    Buffer tail = ReadBuffer(index, change.meta->segment_tail);
    LockBuffer(tail, BUFFER_LOCK_EXCLUSIVE);
    check_page(index, tail, PageKind::pending, meta.incarnation, meta.segment_id, change.meta->segment_pages - 1);
    page_data<PendingHeader>(meta_change_add(&change, tail, false))->frozen = 1;
    meta_install_manifest(&change, root);
    change.meta->segment_id++;
    change.meta->segment_head = InvalidBlockNumber;
    change.meta->segment_tail = InvalidBlockNumber;
    change.meta->segment_pages = 0;
    if (spare_next < spare_end) {
        change.meta->spare_next = spare_next;
        change.meta->spare_end = spare_end;
    }
    meta_change_finish(&change);
    UnlockReleaseBuffer(tail);
    NPHD_FAULT("freeze.after_switch");
}

// Politeness towards readers ends where the file would become larger than twice what is live and the shard.
static void make_room(Relation index, uint32 pages) {
    MetaPage meta;
    meta_read(index, &meta);
    const ManifestDraft draft = manifest_draft(index, &meta);
    const uint64 free = free_blocks(&draft), most = Max(2 * live_shard_blocks(&draft) + pages, kSmallFileBlocks);
    if (free < pages && meta.alloc_end + (pages - free) > most) reclaim_all(index);
}

void reserve_shard(Relation index, ShardEntry* shard, Placement placement) {
    make_room(index, shard->all_pages());
    shard->generation = meta_next_generation(index);
    MetaPage meta;
    meta_read(index, &meta);
    ManifestDraft draft = manifest_draft(index, &meta);
    draft_place_shard(index, &draft, shard, placement);
    NPHD_FAULT("reserve.allocated");
    draft_free_orphans(&draft, shard->generation);
    const ManifestRoot root = manifest_write(index, meta, &draft);
    NPHD_FAULT("reserve.before_switch");
    manifest_install(index, root);
    NPHD_FAULT("reserve.after_switch");
}

void publish(const Publication& p) {
    for (uint64 epoch = p.epoch;;) {
        MetaPage meta;
        meta_read(p.index, &meta);
        NPHD_FAULT("publish.before_carry_over");
        if (p.shard != nullptr && meta.tombstone_epoch != epoch) {
            NPHD_FAULT("publish.carry_over");
            p.carry_over(p.state, meta);
        }
        epoch = meta.tombstone_epoch;

        ManifestDraft draft = manifest_draft(p.index, &meta);
        p.retire(p.state, &draft, meta);
        if (p.shard != nullptr) {
            auto* entry = static_cast<ShardEntry*>(palloc(sizeof(ShardEntry)));
            *entry = *p.shard;
            draft.shards = lappend(draft.shards, entry);
            draft_set_live(&draft, entry->generation);
        }
        const ManifestRoot root = manifest_write(p.index, meta, &draft);
        NPHD_FAULT("publish.before_switch");
        MetaChange change;
        meta_change_begin(p.index, &change);
        if (change.meta->tombstone_epoch == epoch || p.shard == nullptr) {
            meta_install_manifest(&change, root);
            // Our own cache has the new shard's bitmap from before the carry-over.
            if (epoch != p.epoch) change.meta->tombstone_epoch++;
            meta_change_finish(&change);
            NPHD_FAULT("publish.after_switch");
            return;
        }
        meta_change_abort(&change);
    }
}

static int compare_blocks(const void* a, const void* b) {
    const BlockNumber x = *static_cast<const BlockNumber*>(a), y = *static_cast<const BlockNumber*>(b);
    return x < y ? -1 : x > y;
}

static void retire_pending_blocks(ManifestDraft* draft, const RebuildInputs& inputs) {
    if (inputs.n_pending_blocks == 0) return;
    qsort(inputs.pending_blocks, inputs.n_pending_blocks, sizeof(BlockNumber), compare_blocks);
    for (uint32 i = 0, run; i < inputs.n_pending_blocks; i += run) {
        for (run = 1;
             i + run < inputs.n_pending_blocks && inputs.pending_blocks[i + run] == inputs.pending_blocks[i] + run;)
            run++;
        draft_add_extent(draft, inputs.pending_blocks[i], run, ExtentState::retired, ExtentKind::pending, 0);
    }
}

static bool listed(List* entries, uint64 generation) {
    ListCell* cell;
    foreach (cell, entries)
        if (static_cast<ShardEntry*>(lfirst(cell))->generation == generation) return true;
    return false;
}

namespace {
struct Rebuild {
    const RebuildInputs* inputs;
    const ShardEntry* shard;
};

// Marks the postings of rows that died since the inputs were read.
struct CarryOver {
    const DeadRows* dead;
    uint8* bits;
};
}  // namespace

static void mark_if_dead(void* arg, uint64 posting, RowId row) {
    const auto* state = static_cast<CarryOver*>(arg);
    if (contains(*state->dead, row)) state->bits[posting >> 3] |= static_cast<uint8>(1 << (posting & 7));
}

static bool all_zero(const uint8* bytes, Size n) { return bytes[0] == 0 && memcmp(bytes, bytes + 1, n - 1) == 0; }

static void carry_over(void* arg, const MetaPage& meta) {
    const auto* r = static_cast<Rebuild*>(arg);
    const DeadRows dead = inputs_newly_dead(*r->inputs, meta);
    if (dead.n == 0) return;
    Relation index = r->inputs->index;
    const Size bytes = r->shard->tombstone_pages * kPageDataBytes;
    auto* bits =
        static_cast<uint8*>(MemoryContextAllocExtended(CurrentMemoryContext, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    CarryOver state{&dead, bits};
    for_each_posting(index, *r->shard, listed_shard(index, meta, *r->shard), mark_if_dead, &state);
    for (uint32 page = 0; page < r->shard->tombstone_pages; ++page) {
        const uint8* of_page = bits + page * kPageDataBytes;
        if (!all_zero(of_page, kPageDataBytes) && !tombstones_set(index, meta, *r->shard, page, of_page))
            report_damage(index, r->shard->tombstone_block(page), "tombstones that moved under the maintenance lock");
    }
    pfree(bits);
    pfree(dead.rows);
}

static void retire_inputs(void* arg, ManifestDraft* draft, const MetaPage& meta) {
    const auto* r = static_cast<Rebuild*>(arg);
    const RebuildInputs& inputs = *r->inputs;
    // Maintenance alone changes these lists, and we hold its lock: all frozen segments were inputs, or none.
    if (inputs.segments != nullptr) draft->segments = nullptr;
    List* kept = nullptr;
    ListCell* cell;
    foreach (cell, draft->shards) {
        auto* shard = static_cast<ShardEntry*>(lfirst(cell));
        if (!listed(inputs.shards, shard->generation)) {
            kept = lappend(kept, shard);
            continue;
        }
        draft_retire_shard(draft, shard->generation);
    }
    draft->shards = kept;
    retire_pending_blocks(draft, inputs);
    if (draft->segments == nullptr) draft_add_lost_blocks(inputs.index, meta, draft);
}

static void write_and_publish(const RebuildInputs* inputs, ShardJob* job, bool any_rows) {
    ShardEntry entry{};
    Rebuild state{inputs, any_rows ? &entry : nullptr};
    if (any_rows) {
        entry = shard_job_entry(job);
        reserve_shard(inputs->index, &entry, {Placement::anywhere, InvalidBlockNumber});
        MetaPage meta;
        meta_read(inputs->index, &meta);
        shard_job_write(job, inputs->index, meta, &entry);
        NPHD_FAULT("write.tombstones");
        tombstones_create(inputs->index, meta, entry);
    }
    publish({inputs->index, state.shard, inputs->meta.tombstone_epoch, carry_over, retire_inputs, &state});
}

void rebuild(const RebuildInputs* inputs, ShardJob* job, int threads) {
    const bool any_rows = shard_job_rows(job) > 0;
    if (any_rows) shard_job_run(job, inputs->meta.options, threads, nullptr);
    NPHD_FAULT("rebuild.built");
    write_and_publish(inputs, job, any_rows);
}

void publish_first_shard(Relation index, ShardJob* job) {
    MetaPage meta;
    meta_read(index, &meta);
    const RebuildInputs nothing = rebuild_inputs(index, meta, nullptr);
    write_and_publish(&nothing, job, true);
}

}  // namespace nphd
