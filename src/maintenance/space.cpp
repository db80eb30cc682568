// Moving a shard is a rebuild without building (rebuild.cpp has the steps and the argument): reserve, copy the pages
// under the new generation, carry over tombstones, publish. Posting numbers stay, so its bitmap is copied as it is.
//
// Cutting the file: under an AccessExclusiveLock nobody reads or inserts. First a manifest without the extents behind
// the cut and the lower high-water mark come into force in one record, then the file is cut. A crash in between leaves
// a file that is longer than the mark, which is nothing special. A standby replays the lock, the record and the cut in
// that order. Other backends may keep mappings that reach past the cut: of shards that no manifest lists.

#include "src/maintenance/space.hpp"

#include "src/faults.hpp"
#include "src/maintenance/rebuild.hpp"
#include "src/storage/allocation.hpp"
#include "src/storage/blocks.hpp"
#include "src/storage/tombstones.hpp"

namespace nphd {

// A manifest that does nothing but free what can be freed.
static void install_reclaimed(Relation index, bool all) {
    MetaPage meta;
    meta_read(index, &meta);
    ManifestDraft draft = manifest_draft(index, &meta);
    draft_free_orphans(&draft, 0);
    const ManifestRoot root = manifest_write(index, meta, &draft, all);
    manifest_install(index, root);
}

void reclaim_space(Relation index) {
    static constexpr uint64 kWorthAManifest = 64;
    MetaPage meta;
    meta_read(index, &meta);
    if (meta.manifest_block == InvalidBlockNumber) return;
    ManifestDraft draft = manifest_draft(index, &meta);
    if (draft_free_orphans(&draft, 0) || reclaimable_blocks(&draft) >= kWorthAManifest) install_reclaimed(index, false);
}

void reclaim_all(Relation index) { install_reclaimed(index, true); }

namespace {
struct Move {
    Relation index;
    const ShardEntry* from;
    const ShardEntry* to;
};
}  // namespace

static void copy_tombstones(void* arg, const MetaPage& meta) {
    const auto* move = static_cast<Move*>(arg);
    const Size bytes = move->from->tombstone_pages * kPageDataBytes;
    auto* bits = static_cast<uint8*>(MemoryContextAllocHuge(CurrentMemoryContext, bytes));
    uint64 dead = 0;
    bool good = tombstones_load(move->index, meta, *move->from, bits, &dead);
    for (uint32 page = 0; good && dead > 0 && page < move->to->tombstone_pages; ++page)
        good = tombstones_set(move->index, meta, *move->to, page, bits + page * kPageDataBytes);
    if (!good)
        report_damage(move->index, move->from->tombstone_block(0), "tombstones that moved under the maintenance lock");
    pfree(bits);
}

static void retire_moved(void* arg, ManifestDraft* draft, const MetaPage&) {
    const ShardEntry* from = static_cast<Move*>(arg)->from;
    List* kept = nullptr;
    ListCell* cell;
    foreach (cell, draft->shards)
        if (static_cast<ShardEntry*>(lfirst(cell))->generation != from->generation) kept = lappend(kept, lfirst(cell));
    draft->shards = kept;
    draft_retire_shard(draft, from->generation);
}

static void copy_page(Relation index, BlockNumber from, BlockNumber to, uint64 generation, BufferAccessStrategy ring) {
    PGAlignedBlock copy;
    Buffer source = ReadBufferExtended(index, MAIN_FORKNUM, from, RBM_NORMAL, ring);
    LockBuffer(source, BUFFER_LOCK_SHARE);
    memcpy(copy.data, BufferGetPage(source), BLCKSZ);
    UnlockReleaseBuffer(source);
    page_stamp(copy.data)->generation = generation;
    Buffer target = block_create(index, to, ring);
    block_write_sealed(index, target, copy.data);
}

static void move_shard(Relation index, const ShardEntry& from, Placement placement) {
    ShardEntry to = from;
    reserve_shard(index, &to, placement);
    MetaPage meta;
    meta_read(index, &meta);
    BufferAccessStrategy ring = GetAccessStrategy(BAS_BULKWRITE);
    for (uint32 i = 0; i < from.pages; ++i) {
        CHECK_FOR_INTERRUPTS();
        NPHD_FAULT("move.page");
        copy_page(index, from.block(i), to.block(i), to.generation, ring);
    }
    FreeAccessStrategy(ring);
    shard_flush(index, to);
    to.seal_lsn = RelationNeedsWAL(index) ? GetXLogInsertRecPtr() : 0;
    to.sealed_in = locator_of(index);
    NPHD_FAULT("move.copied");
    tombstones_create(index, meta, to);
    Move move{index, &from, &to};
    copy_tombstones(&move, meta);
    publish({index, &to, meta.tombstone_epoch, copy_tombstones, retire_moved, &move});
}

static BlockNumber last_piece(const ShardEntry* shard) {
    BlockNumber last = 0;
    for (const Piece& piece : shard->pieces)
        if (piece.blocks > 0) last = Max(last, piece.first);
    return last;
}

static uint64 free_blocks_before(const ManifestDraft& draft, BlockNumber limit) {
    uint64 blocks = 0;
    ListCell* cell;
    foreach (cell, draft.extents) {
        const auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (e->state == static_cast<uint16>(ExtentState::free) && e->first < limit) blocks += e->blocks;
    }
    return blocks;
}

// The shard that reaches farthest, and where to move it: in front of its last piece if there is room; else, if much is
// free in front of it, to the end first, so that its own place becomes a part of the room. False: it is well where it
// is.
static bool movable_shard(Relation index, ShardEntry* out, Placement* placement) {
    MetaPage meta;
    meta_read(index, &meta);
    const ManifestDraft draft = manifest_draft(index, &meta);
    const ShardEntry* last = nullptr;
    ListCell* cell;
    foreach (cell, draft.shards) {
        const auto* shard = static_cast<ShardEntry*>(lfirst(cell));
        if (last == nullptr || last_piece(shard) > last_piece(last)) last = shard;
    }
    if (last == nullptr) return false;
    *out = *last;
    *placement = {Placement::before, last_piece(last)};
    if (draft_has_room(&draft, last->all_pages(), placement->limit)) return true;
    *placement = {Placement::at_end, InvalidBlockNumber};
    // Worth writing it twice.
    return list_length(draft.shards) == 1 && free_blocks_before(draft, last_piece(last)) > last->all_pages() / 10;
}

// One past the last block that is in use and must stay where it is.
static BlockNumber end_of_use(const MetaPage& meta, const ManifestDraft& draft) {
    // Pending pages do not move.
    if (meta.segment_head != InvalidBlockNumber || draft.segments != nullptr) return meta.alloc_end;
    BlockNumber end = kMetaBlock + 1;
    ListCell* cell;
    foreach (cell, draft.extents) {
        const auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        const auto state = static_cast<ExtentState>(e->state);
        const bool old_manifest = e->first == meta.manifest_block;
        if ((state == ExtentState::live && !old_manifest) || state == ExtentState::reserved)
            end = Max(end, e->first + e->blocks);
    }
    return end;
}

// Blocks that were set aside for pending pages; nobody inserts.
static void free_run(ManifestDraft* draft, BlockNumber next, BlockNumber end) {
    if (next < end) draft_add_extent(draft, next, end - next, ExtentState::free, ExtentKind::none, 0);
}

// With the AccessExclusiveLock.
static void cut(Relation index) {
    MetaPage meta;
    meta_read(index, &meta);
    ManifestDraft draft = manifest_draft(index, &meta);
    BlockNumber end = end_of_use(meta, draft);
    // The new manifest may need a page behind it, and that page another way round the old one.
    if (end + 2 * meta.manifest_pages >= meta.alloc_end) return;
    free_run(&draft, meta.chunk_next, meta.chunk_end);
    free_run(&draft, meta.spare_next, meta.spare_end);
    const ManifestRoot root = manifest_write_before(index, meta, &draft, &end);
    NPHD_FAULT("truncate.before");
    MetaChange change;
    meta_change_begin(index, &change);
    meta_install_manifest(&change, root);
    change.meta->alloc_end = end;
    change.meta->chunk_next = change.meta->chunk_end = end;
    change.meta->spare_next = change.meta->spare_end = end;
    meta_change_finish(&change);
    RelationTruncate(index, end);
    NPHD_FAULT("truncate.after");
}

// One move. False: nothing is to be moved, or only by a detour, which is made once.
static bool move_one(Relation index, bool* detoured) {
    ShardEntry shard;
    Placement placement;
    if (!movable_shard(index, &shard, &placement)) return false;
    if (placement.where == Placement::at_end) {
        if (*detoured) return false;
        *detoured = true;
    }
    move_shard(index, shard, placement);
    reclaim_all(index);
    return true;
}

void shorten(Relation index) {
    static constexpr int kMostMoves = 64;
    bool any = true, detoured = false;
    reclaim_all(index);
    for (int i = 0; any && i < kMostMoves; ++i) {
        MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd move", ALLOCSET_DEFAULT_SIZES);
        MemoryContext caller = MemoryContextSwitchTo(context);
        any = move_one(index, &detoured);
        MemoryContextSwitchTo(caller);
        MemoryContextDelete(context);
    }
    if (!ConditionalLockRelation(index, AccessExclusiveLock)) return;
    cut(index);
    UnlockRelation(index, AccessExclusiveLock);
}

}  // namespace nphd
