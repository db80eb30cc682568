// What the blocks of the file belong to, and whether their pages say so. On a standby, blocks that belong to nothing
// and extents under construction mean nothing: the primary may be at work.

#include "src/inspect/check.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/runs.hpp"

namespace nphd {

namespace {
struct Pages {
    const ShardEntry* entry;  // null: the manifest's
    uint32 first;             // page of the shard
    uint32 pages;
    PageKind kind;  // shard_header: the sealed ones of a shard
    uint64 generation;
    uint64 shard;
    BlockNumber block(const MetaPage& meta, uint32 i) const {
        return entry != nullptr ? entry->block(first + i) : meta.manifest_block + i;
    }
};

struct Segment {
    uint64 id;
    BlockNumber head;
    Runs* runs;
};
}  // namespace

// Each block below the high-water mark is somebody's, and nobody else's.
static void check_owners(Check* check, Runs* runs, bool complete) {
    const BlockNumber alloc_end = check->meta.alloc_end;
    runs_sort(runs);
    Run at{0, 0, ""};
    for (uint32 i = 0; i <= runs->n; ++i) {
        CHECK_FOR_INTERRUPTS();
        const Run next = i < runs->n ? runs->runs[i] : Run{alloc_end, alloc_end, ""};
        if (i < runs->n && next.first < at.end)
            add_error(check, next.first, kNoShard, "a block that belongs to %s and to %s", at.owner, next.owner);
        if (i < runs->n && next.end > alloc_end)
            add_error(check, next.first, kNoShard, "blocks of %s past the end of what is allocated", next.owner);
        if (complete && at.end < next.first && at.end < alloc_end)
            add_warning(check, at.end, kNoShard, "blocks that belong to nothing, until a fold takes them back: %u",
                        Min(next.first, alloc_end) - at.end);
        if (next.end > at.end) at = next;
    }
}

// Whether a shard of that generation has the extent as a piece.
static bool is_piece(const Check* check, const ExtentEntry& e) {
    ListCell* cell;
    foreach (cell, check->manifest.shards) {
        const auto* shard = static_cast<ShardEntry*>(lfirst(cell));
        if (shard->generation != e.generation) continue;
        for (const Piece& piece : shard->pieces)
            if (piece.first == e.first && piece.blocks == e.blocks) return true;
    }
    return false;
}

static const char* live_extent_fault(const Check* check, const ExtentEntry& e) {
    const auto kind = static_cast<ExtentKind>(e.kind);
    if (kind == ExtentKind::manifest) {
        const bool ours = e.first == check->meta.manifest_block && e.blocks == check->meta.manifest_pages &&
                          e.generation == check->meta.manifest_version;
        return ours ? nullptr : "a live extent of a manifest that is not in force";
    }
    if (kind != ExtentKind::shard) return "a live extent of no known kind";
    return is_piece(check, e) ? nullptr : "a live extent that no shard uses";
}

static const char* owner_name(const ExtentEntry& e) {
    switch (static_cast<ExtentState>(e.state)) {
        case ExtentState::free:
            return "a free extent";
        case ExtentState::retired:
            return "a retired extent";
        case ExtentState::reserved:
            return "a reserved extent";
        default:
            break;
    }
    return static_cast<ExtentKind>(e.kind) == ExtentKind::manifest ? "the manifest" : "a shard";
}

static void check_extents(Check* check, Runs* runs) {
    ListCell* cell;
    foreach (cell, check->manifest.extents) {
        CHECK_FOR_INTERRUPTS();
        const ExtentEntry& e = *static_cast<ExtentEntry*>(lfirst(cell));
        // No wrap-around: what is past the end is reported with its owner.
        const uint64 end = Min(static_cast<uint64>(e.first) + e.blocks, static_cast<uint64>(MaxBlockNumber));
        runs_add(runs, e.first, static_cast<BlockNumber>(end), owner_name(e));
        const auto state = static_cast<ExtentState>(e.state);
        const char* fault = state == ExtentState::live ? live_extent_fault(check, e) : nullptr;
        if (state < ExtentState::free || state > ExtentState::retired) fault = "an extent in no known state";
        if (fault != nullptr) add_error(check, e.first, kNoShard, "%s", fault);
        if (state == ExtentState::reserved && !check->standby)
            add_warning(check, e.first, kNoShard, "blocks reserved by a run that did not end, until the next one: %u",
                        e.blocks);
    }
}

// Blocks of live extents of the shard. Their being its pieces is seen from the extents' side.
static uint64 live_blocks(const Check* check, uint64 generation) {
    uint64 blocks = 0;
    ListCell* cell;
    foreach (cell, check->manifest.extents) {
        const auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (e->generation == generation && e->state == static_cast<uint16>(ExtentState::live) &&
            e->kind == static_cast<uint16>(ExtentKind::shard))
            blocks += e->blocks;
    }
    return blocks;
}

static void check_entries(Check* check) {
    ListCell* cell;
    uint64 seen = 0;
    foreach (cell, check->manifest.shards) {
        const auto* shard = static_cast<ShardEntry*>(lfirst(cell));
        const uint64 generation = shard->generation;
        if (live_blocks(check, generation) != shard->all_pages())
            add_error(check, shard->block(0), generation, "a shard with other extents than pages");
        if (generation >= check->meta.next_generation)
            add_error(check, shard->block(0), generation, "a shard of a generation that was not given yet");
        for (uint64 i = 0; i < seen; ++i)
            if (static_cast<ShardEntry*>(list_nth(check->manifest.shards, static_cast<int>(i)))->generation ==
                generation)
                add_error(check, shard->block(0), generation, "two shards of one generation");
        seen++;
    }
    foreach (cell, check->manifest.segments) {
        const auto* segment = static_cast<SegmentEntry*>(lfirst(cell));
        if (segment->id >= check->meta.segment_id)
            add_error(check, segment->head, kNoShard, "a frozen segment that is not older than the open one");
    }
}

// Sealed pages come in the order of their kinds, the header alone at the start.
static const char* sealed_page_fault(const Check* check, Page page, const Pages& pages, uint32 i, PageKind* last) {
    const auto kind = static_cast<PageKind>(page_stamp(page)->kind);
    const char* fault = page_fault(page, kind, check->meta.incarnation, pages.generation, i);
    if (fault != nullptr) return fault;
    if (kind < *last || kind > PageKind::shard_data || (kind == PageKind::shard_header) != (i == 0))
        return "a page of another kind";
    *last = kind;
    if (!readable_format(page_stamp(page)->format)) return "a page of an unknown format";
    if (reinterpret_cast<PageHeader>(page)->pd_lower != BLCKSZ) return "a page with a damaged header";
    if (i == 0 && page_data<ShardHeader>(page)->pages != pages.pages) return "a shard of another size than its extent";
    return nullptr;
}

// Through the buffer manager, which verifies checksums.
static void check_pages(Check* check, const void* arg) {
    const auto& pages = *static_cast<const Pages*>(arg);
    BufferAccessStrategy ring = GetAccessStrategy(BAS_BULKREAD);
    PageKind last = pages.kind;
    for (uint32 i = 0; i < pages.pages; ++i) {
        CHECK_FOR_INTERRUPTS();
        const BlockNumber block = pages.block(check->meta, i);
        Buffer buffer = ReadBufferExtended(check->index, MAIN_FORKNUM, block, RBM_NORMAL, ring);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        Page page = BufferGetPage(buffer);
        const char* fault = pages.kind == PageKind::shard_header
                                ? sealed_page_fault(check, page, pages, i, &last)
                                : page_fault(page, pages.kind, check->meta.incarnation, pages.generation, i);
        UnlockReleaseBuffer(buffer);
        if (fault != nullptr) add_error(check, block, pages.shard, "%s", fault);
    }
    FreeAccessStrategy(ring);
}

// Rows of the segment's pages as they were linked when `meta` was read, and whose blocks those are.
static void check_segment(Check* check, const void* arg) {
    const auto& segment = *static_cast<const Segment*>(arg);
    const MetaPage& meta = check->meta;
    const bool open = segment.id == meta.segment_id;
    PGAlignedBlock page;
    PendingReader reader = pending_reader(check->index, meta, segment.id, segment.head);
    uint32 pages = 0;
    for (; !open || pages < meta.segment_pages; ++pages) {
        const PageRead read = pending_next_page(&reader, page.data);
        if (read == PageRead::moved) check->moved = true;
        if (read != PageRead::page) break;
        runs_add(segment.runs, reader.block, reader.block + 1, "a pending segment");
        PendingCursor cursor = pending_cursor(reader, page.data);
        while (const PendingEntry* entry = pending_next_entry(check->index, reader.block, &cursor)) {
            if (entry->dead()) continue;
            const IndexRow row = pending_row(cursor, *entry);
            rows_add(check, row.id, check->table != nullptr ? rows_hash(row) : 0);
        }
    }
    if (check->moved || pages == 0) return;
    if (open && pages != meta.segment_pages)
        add_error(check, reader.block, kNoShard, "an open segment of %u pages instead of %u", pages,
                  meta.segment_pages);
    else if (open && reader.block != meta.segment_tail)
        add_error(check, reader.block, kNoShard, "an open segment whose last page is not the tail");
    else if (!open && !page_data<PendingHeader>(page.data)->frozen)
        add_error(check, reader.block, kNoShard, "a frozen segment whose last page is not frozen");
}

// False: some could not be read to the end.
static bool check_segments(Check* check, Runs* runs) {
    bool whole = true;
    ListCell* cell;
    foreach (cell, check->manifest.segments) {
        const auto* entry = static_cast<SegmentEntry*>(lfirst(cell));
        const Segment frozen{entry->id, entry->head, runs};
        whole = run_part(check, kNoShard, check_segment, &frozen) && whole;
    }
    const MetaPage& meta = check->meta;
    const Segment open{meta.segment_id, meta.segment_head, runs};
    if ((meta.segment_pages == 0) != (meta.segment_head == InvalidBlockNumber))
        add_error(check, kMetaBlock, kNoShard, "an open segment of %u pages without a head", meta.segment_pages);
    return run_part(check, kNoShard, check_segment, &open) && whole;
}

static void check_listed_pages(Check* check) {
    const MetaPage& meta = check->meta;
    if (meta.manifest_block != InvalidBlockNumber) {
        const Pages manifest{nullptr, 0, meta.manifest_pages, PageKind::manifest, meta.manifest_version, kNoShard};
        run_part(check, kNoShard, check_pages, &manifest);
    }
    ListCell* cell;
    foreach (cell, check->manifest.shards) {
        const auto* shard = static_cast<ShardEntry*>(lfirst(cell));
        const uint64 generation = shard->generation, errors = check->errors;
        const Pages sealed{shard, 0, shard->pages, PageKind::shard_header, generation, generation};
        const Pages tombstones{shard,      shard->pages, shard->tombstone_pages, PageKind::tombstones,
                               generation, generation};
        run_part(check, generation, check_pages, &sealed);
        run_part(check, generation, check_pages, &tombstones);
        if (check->errors == errors) check_shard(check, *shard);
    }
}

void check_space(Check* check) {
    const MetaPage& meta = check->meta;
    Runs runs{check->context, nullptr, 0, 0};
    runs_add(&runs, kMetaBlock, kMetaBlock + 1, "the meta page");
    runs_add(&runs, meta.chunk_next, meta.chunk_end, "the blocks set aside for pending pages");
    runs_add(&runs, meta.spare_next, meta.spare_end, "the spare blocks for pending pages");
    check_extents(check, &runs);
    check_entries(check);
    const bool complete = check_segments(check, &runs);
    check_owners(check, &runs, complete && !check->standby);
    check_listed_pages(check);
}

}  // namespace nphd
