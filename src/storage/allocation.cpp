#include "src/storage/allocation.hpp"

#include "src/storage/pending.hpp"
#include "src/storage/runs.hpp"

namespace nphd {

static ExtentState state_of(const ExtentEntry* e) { return static_cast<ExtentState>(e->state); }

static void set_state(ExtentEntry* e, ExtentState state) { e->state = static_cast<uint16>(state); }

static void retire(const ManifestDraft* draft, ExtentEntry* e) {
    set_state(e, ExtentState::retired);
    e->retire_xid = U64FromFullTransactionId(ReadNextFullTransactionId());
    e->retire_version = static_cast<uint32>(draft->version);
}

static int by_first_block(const ListCell* a, const ListCell* b) {
    const BlockNumber x = static_cast<const ExtentEntry*>(lfirst(a))->first;
    const BlockNumber y = static_cast<const ExtentEntry*>(lfirst(b))->first;
    return x < y ? -1 : x > y;
}

// Takes the first `blocks` blocks of a free extent; what is left stays free.
static BlockNumber take_from(ManifestDraft* draft, ExtentEntry* e, uint32 blocks) {
    const BlockNumber first = e->first;
    e->first += blocks;
    e->blocks -= blocks;
    if (e->blocks == 0) draft->extents = list_delete_ptr(draft->extents, e);
    return first;
}

// Few blocks come from the front of the file; many from the smallest free extent of that size, so that large ones stay
// whole.
static ExtentEntry* best_fit(const ManifestDraft* draft, uint32 blocks) {
    static constexpr uint32 kFew = 32;
    ExtentEntry* best = nullptr;
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (state_of(e) != ExtentState::free || e->blocks < blocks) continue;
        if (best == nullptr || (blocks <= kFew ? e->first < best->first : e->blocks < best->blocks)) best = e;
    }
    return best;
}

static ExtentEntry* largest_free(const ManifestDraft* draft) {
    ExtentEntry* largest = nullptr;
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (state_of(e) == ExtentState::free && (largest == nullptr || e->blocks > largest->blocks)) largest = e;
    }
    return largest;
}

static ExtentEntry* free_extent_before(const ManifestDraft* draft, BlockNumber end) {
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (state_of(e) == ExtentState::free && e->first + e->blocks == end) return e;
    }
    return nullptr;
}

// At the high-water mark, beginning with the free extent in front of it if there is one.
static BlockNumber take_at_end(Relation index, ManifestDraft* draft, uint32 blocks) {
    MetaPage meta;
    meta_read(index, &meta);
    ExtentEntry* before = free_extent_before(draft, meta.alloc_end);
    if (before != nullptr && before->blocks > blocks) {
        before->blocks -= blocks;
        return before->first + before->blocks;
    }
    if (before != nullptr && meta_reserve_blocks(index, blocks - before->blocks, meta.alloc_end) != InvalidBlockNumber)
        return take_from(draft, before, before->blocks);
    return meta_reserve_blocks(index, blocks, InvalidBlockNumber);
}

BlockNumber draft_allocate_free(ManifestDraft* draft, uint32 blocks, ExtentState state, ExtentKind kind,
                                uint64 generation) {
    ExtentEntry* fit = best_fit(draft, blocks);
    if (fit == nullptr) return InvalidBlockNumber;
    const BlockNumber first = take_from(draft, fit, blocks);
    draft_add_extent(draft, first, blocks, state, kind, generation);
    return first;
}

void draft_cut(ManifestDraft* draft, BlockNumber end) {
    List* kept = nullptr;
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (e->first >= end) continue;
        if (e->first + e->blocks > end) e->blocks = end - e->first;
        kept = lappend(kept, e);
    }
    draft->extents = kept;
}

BlockNumber draft_allocate(Relation index, ManifestDraft* draft, uint32 blocks, ExtentState state, ExtentKind kind,
                           uint64 generation) {
    BlockNumber first = draft_allocate_free(draft, blocks, state, kind, generation);
    if (first != InvalidBlockNumber) return first;
    first = take_at_end(index, draft, blocks);
    draft_add_extent(draft, first, blocks, state, kind, generation);
    return first;
}

// Pieces smaller than this are not worth an entry, unless the shard is no larger.
static uint32 least_piece(uint32 blocks) { return Min(blocks, Max(16u, blocks / (2 * ShardEntry::kMaxPieces))); }

// The lowest free extent before the limit that is worth a piece.
static ExtentEntry* lowest_free(const ManifestDraft* draft, uint32 least, BlockNumber limit) {
    ExtentEntry* lowest = nullptr;
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (state_of(e) != ExtentState::free || e->blocks < least || e->first + e->blocks > limit) continue;
        if (lowest == nullptr || e->first < lowest->first) lowest = e;
    }
    return lowest;
}

bool draft_has_room(const ManifestDraft* draft, uint32 blocks, BlockNumber limit) {
    const uint32 least = least_piece(blocks);
    uint64 room = 0;
    uint32 pieces = 0;
    List* ascending = list_copy(draft->extents);
    ListCell* cell;
    list_sort(ascending, by_first_block);
    foreach (cell, ascending) {
        const auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (state_of(e) != ExtentState::free || e->blocks < least || e->first + e->blocks > limit) continue;
        room += e->blocks;
        if (++pieces == ShardEntry::kMaxPieces) break;
    }
    return room >= blocks;
}

// The next piece for `left` blocks: a free extent, or null where only the high-water mark is left.
static ExtentEntry* next_piece(const ManifestDraft* draft, uint32 left, uint32 least, Placement placement) {
    if (placement.where == Placement::before) return lowest_free(draft, Min(left, least), placement.limit);
    if (placement.where == Placement::at_end) return nullptr;
    ExtentEntry* e = best_fit(draft, left);
    if (e == nullptr) e = largest_free(draft);
    return e != nullptr && e->blocks >= Min(left, least) ? e : nullptr;
}

void draft_place_shard(Relation index, ManifestDraft* draft, ShardEntry* shard, Placement placement) {
    const uint32 least = least_piece(shard->all_pages());
    uint32 left = shard->all_pages();
    memset(shard->pieces, 0, sizeof shard->pieces);
    for (uint32 i = 0; left > 0; ++i) {
        Piece& piece = shard->pieces[i];
        const bool last = i + 1 == ShardEntry::kMaxPieces;
        ExtentEntry* e = next_piece(draft, left, least, placement);
        if (e != nullptr && (!last || e->blocks >= left)) {
            piece.blocks = Min(left, e->blocks);
            piece.first = take_from(draft, e, piece.blocks);
        } else if (placement.where != Placement::before) {
            piece = {take_at_end(index, draft, left), left};
        } else {
            elog(ERROR, "no room for a shard in front of block %u", placement.limit);
        }
        draft_add_extent(draft, piece.first, piece.blocks, ExtentState::reserved, ExtentKind::shard, shard->generation);
        left -= piece.blocks;
    }
}

bool draft_take_free(ManifestDraft* draft, uint32 blocks, BlockNumber* first, BlockNumber* end) {
    static constexpr uint32 kWorthIt = 4;
    ExtentEntry* e = best_fit(draft, blocks);
    if (e == nullptr) e = largest_free(draft);
    if (e == nullptr || e->blocks < kWorthIt) return false;
    const uint32 taken = Min(blocks, e->blocks);
    *first = take_from(draft, e, taken);
    *end = *first + taken;
    return true;
}

void draft_add_extent(ManifestDraft* draft, BlockNumber first, uint32 blocks, ExtentState state, ExtentKind kind,
                      uint64 generation) {
    auto* e = static_cast<ExtentEntry*>(palloc0(sizeof(ExtentEntry)));
    e->first = first;
    e->blocks = blocks;
    set_state(e, state);
    e->kind = static_cast<uint16>(kind);
    e->generation = generation;
    if (state == ExtentState::retired) retire(draft, e);
    draft->extents = lappend(draft->extents, e);
}

static bool is_of_shard(const ExtentEntry* e, uint64 generation) {
    return e->generation == generation && e->kind == static_cast<uint16>(ExtentKind::shard);
}

void draft_set_live(ManifestDraft* draft, uint64 generation) {
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (is_of_shard(e, generation)) set_state(e, ExtentState::live);
    }
}

void draft_retire_extent(ManifestDraft* draft, BlockNumber first) {
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (e->first == first) retire(draft, e);
    }
}

void draft_retire_shard(ManifestDraft* draft, uint64 generation) {
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (is_of_shard(e, generation)) retire(draft, e);
    }
}

bool draft_free_orphans(ManifestDraft* draft, uint64 ours) {
    bool any = false;
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (state_of(e) != ExtentState::reserved || e->generation == ours) continue;
        set_state(e, ExtentState::free);
        any = true;
    }
    return any;
}

// Free neighbours become one. So do retired ones, except of shards, whose readers look for them by generation.
static bool can_join(const ExtentEntry* a, const ExtentEntry* b) {
    const auto shard = static_cast<uint16>(ExtentKind::shard);
    if (a->first + a->blocks != b->first || a->state != b->state) return false;
    return state_of(a) == ExtentState::free ||
           (state_of(a) == ExtentState::retired && a->kind != shard && b->kind != shard);
}

static List* join_neighbours(List* extents) {
    List* out = nullptr;
    ExtentEntry* last = nullptr;
    ListCell* cell;
    list_sort(extents, by_first_block);
    foreach (cell, extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (last != nullptr && can_join(last, e)) {
            last->blocks += e->blocks;
            last->kind = static_cast<uint16>(ExtentKind::none);
            if (e->retire_xid >= last->retire_xid) {
                last->retire_xid = e->retire_xid;
                last->retire_version = e->retire_version;
            }
            continue;
        }
        out = lappend(out, e);
        last = e;
    }
    return out;
}

static uint64 blocks_in(const ManifestDraft* draft, ExtentState state) {
    uint64 blocks = 0;
    ListCell* cell;
    foreach (cell, draft->extents) {
        const auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (state_of(e) == state) blocks += e->blocks;
    }
    return blocks;
}

uint64 free_blocks(const ManifestDraft* draft) { return blocks_in(draft, ExtentState::free); }

uint64 live_shard_blocks(const ManifestDraft* draft) {
    uint64 blocks = 0;
    ListCell* cell;
    foreach (cell, draft->shards) blocks += static_cast<ShardEntry*>(lfirst(cell))->all_pages();
    return blocks;
}

uint64 unused_blocks(const ManifestDraft* draft) {
    return blocks_in(draft, ExtentState::free) + blocks_in(draft, ExtentState::retired);
}

// No running transaction was there when it was in use. Politeness only: whoever reads what is reused notices and starts
// over.
static bool unread(const ExtentEntry* e) {
    return GlobalVisCheckRemovableFullXid(nullptr, FullTransactionIdFromU64(e->retire_xid));
}

void draft_reclaim(const MetaPage& meta, ManifestDraft* draft, bool all) {
    // In use are extents, the meta page and pending pages.
    const uint64 in_use = meta.alloc_end - Min(unused_blocks(draft), static_cast<uint64>(meta.alloc_end));
    const bool spacious = meta.alloc_end <= Max(2 * in_use, kSmallFileBlocks);
    const auto version = static_cast<uint32>(meta.manifest_version);
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (state_of(e) != ExtentState::retired) continue;
        const bool retired_before = static_cast<int32>(e->retire_version - version) <= 0;
        if (!retired_before || (!unread(e) && spacious && !all)) continue;
        set_state(e, ExtentState::free);
        e->kind = static_cast<uint16>(ExtentKind::none);
        e->generation = e->retire_xid = 0;
        e->retire_version = 0;
    }
    draft->extents = join_neighbours(draft->extents);
}

uint64 reclaimable_blocks(const ManifestDraft* draft) {
    uint64 blocks = 0;
    ListCell* cell;
    foreach (cell, draft->extents) {
        const auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (state_of(e) == ExtentState::retired && unread(e)) blocks += e->blocks;
    }
    return blocks;
}

// The pages of the open segment that were linked when `meta` was read. What came later lies in the chunk, the spare run
// or past the mark of then.
static void add_open_segment(Relation index, const MetaPage& meta, Runs* runs) {
    PGAlignedBlock page;
    PendingReader reader = pending_reader(index, meta, meta.segment_id, meta.segment_head);
    for (uint32 i = 0; i < meta.segment_pages; ++i) {
        if (pending_next_page(&reader, page.data) != PageRead::page)
            report_damage(index, reader.block, "an open segment with fewer pages than the meta page says");
        runs_add(runs, reader.block, reader.block + 1, "");
    }
}

void draft_add_lost_blocks(Relation index, const MetaPage& meta, ManifestDraft* draft) {
    Runs used{CurrentMemoryContext, nullptr, 0, 0};
    ListCell* cell;
    runs_add(&used, kMetaBlock, kMetaBlock + 1, "");
    foreach (cell, draft->extents) {
        const auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        runs_add(&used, e->first, e->first + e->blocks, "");
    }
    add_open_segment(index, meta, &used);
    runs_add(&used, meta.chunk_next, meta.chunk_end, "");
    runs_add(&used, meta.spare_next, meta.spare_end, "");
    runs_sort(&used);
    BlockNumber at = 0;
    for (uint32 i = 0; i <= used.n; ++i) {
        const BlockNumber next = i < used.n ? used.runs[i].first : meta.alloc_end;
        if (at < next && at < meta.alloc_end)
            draft_add_extent(draft, at, Min(next, meta.alloc_end) - at, ExtentState::free, ExtentKind::none, 0);
        if (i < used.n) at = Max(at, used.runs[i].end);
    }
    pfree(used.runs);
}

}  // namespace nphd
