#include "src/storage/manifest.hpp"

#include "src/faults.hpp"
#include "src/storage/allocation.hpp"
#include "src/storage/blocks.hpp"

namespace nphd {

static uint32 checksum(const void* data, Size bytes) {
    pg_crc32c crc;
    INIT_CRC32C(crc);
    COMP_CRC32C(crc, data, bytes);
    FIN_CRC32C(crc);
    return crc;
}

// Reads the bytes of the manifest that `meta` names into `out` (meta.manifest_bytes of them). Returns what is wrong
// with them, or null; *block is where.
static const char* read_bytes(Relation index, const MetaPage& meta, char* out, BlockNumber* block) {
    for (uint32 i = 0, done = 0; done < meta.manifest_bytes; ++i) {
        *block = meta.manifest_block + i;
        Buffer buffer = ReadBuffer(index, *block);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        const char* fault =
            page_fault(BufferGetPage(buffer), PageKind::manifest, meta.incarnation, meta.manifest_version, i);
        const uint32 n = Min(static_cast<uint32>(kPageDataBytes), meta.manifest_bytes - done);
        if (fault == nullptr) memcpy(out + done, BufferGetPage(buffer) + kPageDataOffset, n);
        UnlockReleaseBuffer(buffer);
        if (fault != nullptr) return fault;
        done += n;
    }
    *block = meta.manifest_block;
    return checksum(out, meta.manifest_bytes) == meta.manifest_crc ? nullptr
                                                                   : "a manifest whose checksum does not match";
}

static void check_run(Relation index, const MetaPage& meta, BlockNumber file_blocks, BlockNumber first, uint32 blocks) {
    const uint64 end = static_cast<uint64>(first) + blocks;
    if (end > meta.alloc_end || end > file_blocks)
        report_damage(index, first, "a shard that lies past the end of the file");
}

// A shorter file than the manifest says must not answer with fewer rows.
static void check_contents(Relation index, const MetaPage& meta, const Manifest* m) {
    if (m->header.incarnation != meta.incarnation || m->header.version != meta.manifest_version ||
        m->bytes() != meta.manifest_bytes)
        report_damage(index, meta.manifest_block, "a manifest of another index, version or size");
    const BlockNumber file_blocks = RelationGetNumberOfBlocks(index);
    for (uint32 i = 0; i < m->header.shards; ++i) {
        const ShardEntry& s = m->shards()[i];
        uint64 blocks = 0;
        for (const Piece& piece : s.pieces) {
            check_run(index, meta, file_blocks, piece.first, piece.blocks);
            blocks += piece.blocks;
        }
        if (blocks != s.all_pages() || s.pages == 0)
            report_damage(index, meta.manifest_block, "a shard with other extents than pages");
        if (static_cast<uint64>(s.tombstone_pages) * kTombstonesPerPage < s.postings)
            report_damage(index, meta.manifest_block, "a shard with too few tombstone pages");
    }
}

// Null if its pages have another use by now.
static Manifest* try_read_manifest(Relation index, const MetaPage& meta, MemoryContext context) {
    if (meta.manifest_block == InvalidBlockNumber) {
        auto* empty = static_cast<Manifest*>(MemoryContextAllocZero(context, sizeof(Manifest)));
        empty->header.incarnation = meta.incarnation;
        return empty;
    }
    const uint64 file_bytes = static_cast<uint64>(RelationGetNumberOfBlocks(index)) * BLCKSZ;
    if (meta.manifest_bytes < sizeof(Manifest) || meta.manifest_bytes > file_bytes)
        report_damage(index, kMetaBlock, "an impossible manifest size");
    auto* m = static_cast<Manifest*>(MemoryContextAllocHuge(context, meta.manifest_bytes));
    BlockNumber block = meta.manifest_block;
    const char* fault = read_bytes(index, meta, reinterpret_cast<char*>(m), &block);
    if (fault != nullptr) {
        pfree(m);
        damage_unless_moved(index, meta, block, fault);
        return nullptr;
    }
    check_contents(index, meta, m);
    return m;
}

static Manifest* read_manifest(Relation index, MetaPage* meta, MemoryContext context) {
    for (;;) {
        Manifest* m = try_read_manifest(index, *meta, context);
        if (m != nullptr) return m;
        meta_read(index, meta);
    }
}

const Manifest* manifest_cached(Relation index, MetaPage* meta) {
    auto* cached = static_cast<Manifest*>(index->rd_amcache);
    // A truncation in place leaves the relcache entry alone and starts again at version 0, with another incarnation.
    if (cached != nullptr && cached->header.incarnation == meta->incarnation &&
        cached->header.version == meta->manifest_version)
        return cached;
    if (cached != nullptr) {
        index->rd_amcache = nullptr;
        pfree(cached);
    }
    // Read outside the relcache first: an error must not leave a half-read block there.
    Manifest* m = read_manifest(index, meta, CurrentMemoryContext);
    auto* kept = static_cast<Manifest*>(MemoryContextAllocHuge(index->rd_indexcxt, m->bytes()));
    memcpy(kept, m, m->bytes());
    pfree(m);
    index->rd_amcache = kept;
    return kept;
}

bool manifest_still_has(const Manifest* manifest, const ShardEntry& shard) {
    uint64 blocks = 0;
    for (uint32 i = 0; i < manifest->header.extents; ++i) {
        const ExtentEntry& e = manifest->extents()[i];
        if (e.generation == shard.generation && e.kind == static_cast<uint16>(ExtentKind::shard) &&
            (e.state == static_cast<uint16>(ExtentState::live) || e.state == static_cast<uint16>(ExtentState::retired)))
            blocks += e.blocks;
    }
    return blocks == shard.all_pages();
}

template <class T>
static List* list_of(const T* items, uint32 n) {
    List* list = nullptr;
    for (uint32 i = 0; i < n; ++i) {
        auto* copy = static_cast<T*>(palloc(sizeof(T)));
        *copy = items[i];
        list = lappend(list, copy);
    }
    return list;
}

ManifestDraft manifest_draft(Relation index, MetaPage* meta) {
    const Manifest* m = read_manifest(index, meta, CurrentMemoryContext);
    ManifestDraft draft{};
    draft.version = m->header.version + 1;
    draft.shards = list_of(m->shards(), m->header.shards);
    draft.segments = list_of(m->segments(), m->header.segments);
    draft.extents = list_of(m->extents(), m->header.extents);
    return draft;
}

template <class T>
static char* append_all(char* at, List* items) {
    ListCell* cell;
    foreach (cell, items) {
        memcpy(at, lfirst(cell), sizeof(T));
        at += sizeof(T);
    }
    return at;
}

static void write_pages(Relation index, const MetaPage& meta, const ManifestRoot& root, const char* bytes) {
    for (uint32 i = 0, done = 0; i < root.pages; ++i) {
        NPHD_FAULT("manifest.page");
        // Joining neighbours may have left less than the pages that were taken.
        const uint32 n = Min(static_cast<uint32>(kPageDataBytes), root.bytes - done);
        Buffer buffer = block_create(index, root.block + i, nullptr);
        START_CRIT_SECTION();
        Page page = BufferGetPage(buffer);
        init_page(page, PageKind::manifest, meta.incarnation, root.version, i, kPageDataOffset + n);
        memcpy(page + kPageDataOffset, bytes + done, n);
        MarkBufferDirty(buffer);
        if (RelationNeedsWAL(index)) log_newpage_buffer(buffer, true);
        END_CRIT_SECTION();
        UnlockReleaseBuffer(buffer);
        done += n;
    }
}

// Pages that the draft needs; the allocation of its own extent included.
static uint32 pages_needed(Relation index, const ManifestDraft* draft) {
    const Size bytes = sizeof(ManifestHeader) + list_length(draft->shards) * sizeof(ShardEntry) +
                       list_length(draft->segments) * sizeof(SegmentEntry) +
                       (list_length(draft->extents) + 1) * sizeof(ExtentEntry);
    if (bytes > MaxAllocSize)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("index \"%s\" consists of too many parts", RelationGetRelationName(index)),
                        errhint("REINDEX it.")));
    return static_cast<uint32>((bytes + kPageDataBytes - 1) / kPageDataBytes);
}

// Writes the finished draft to [block, block + pages).
static ManifestRoot write_root(Relation index, const MetaPage& meta, const ManifestDraft* draft, BlockNumber block,
                               uint32 pages) {
    const Size bytes = sizeof(ManifestHeader) + list_length(draft->shards) * sizeof(ShardEntry) +
                       list_length(draft->segments) * sizeof(SegmentEntry) +
                       list_length(draft->extents) * sizeof(ExtentEntry);
    // Versions double as the generation of their pages. A version written but never installed is written again.
    ManifestRoot root{draft->version, block, pages, static_cast<uint32>(bytes), 0};
    auto* image = static_cast<char*>(palloc(bytes));
    const ManifestHeader header{meta.incarnation,
                                root.version,
                                static_cast<uint32>(list_length(draft->shards)),
                                static_cast<uint32>(list_length(draft->segments)),
                                static_cast<uint32>(list_length(draft->extents)),
                                0};
    memcpy(image, &header, sizeof header);
    char* at = append_all<ShardEntry>(image + sizeof header, draft->shards);
    at = append_all<SegmentEntry>(at, draft->segments);
    append_all<ExtentEntry>(at, draft->extents);
    root.crc = checksum(image, bytes);
    write_pages(index, meta, root, image);
    pfree(image);
    return root;
}

ManifestRoot manifest_write(Relation index, const MetaPage& meta, ManifestDraft* draft, bool reclaim_all) {
    if (meta.manifest_block != InvalidBlockNumber) draft_retire_extent(draft, meta.manifest_block);
    const uint32 pages = pages_needed(index, draft);
    const BlockNumber block =
        draft_allocate(index, draft, pages, ExtentState::live, ExtentKind::manifest, draft->version);
    draft_reclaim(meta, draft, reclaim_all);
    return write_root(index, meta, draft, block, pages);
}

ManifestRoot manifest_write_before(Relation index, const MetaPage& meta, ManifestDraft* draft, BlockNumber* end) {
    draft_retire_extent(draft, meta.manifest_block);
    draft_cut(draft, *end);
    const uint32 pages = pages_needed(index, draft);
    BlockNumber block = draft_allocate_free(draft, pages, ExtentState::live, ExtentKind::manifest, draft->version);
    if (block == InvalidBlockNumber) {
        // Behind the cut, but not over the manifest in force.
        block = *end;
        if (meta.manifest_block < block + pages && block < meta.manifest_block + meta.manifest_pages)
            block = meta.manifest_block + meta.manifest_pages;
        if (block > *end) draft_add_extent(draft, *end, block - *end, ExtentState::free, ExtentKind::none, 0);
        *end = block + pages;
        draft_add_extent(draft, block, pages, ExtentState::live, ExtentKind::manifest, draft->version);
    }
    draft_reclaim(meta, draft, true);
    return write_root(index, meta, draft, block, pages);
}

void meta_install_manifest(MetaChange* change, const ManifestRoot& root) {
    change->meta->manifest_version = root.version;
    change->meta->manifest_block = root.block;
    change->meta->manifest_pages = root.pages;
    change->meta->manifest_bytes = root.bytes;
    change->meta->manifest_crc = root.crc;
}

void manifest_install(Relation index, const ManifestRoot& root) {
    MetaChange change;
    meta_change_begin(index, &change);
    meta_install_manifest(&change, root);
    meta_change_finish(&change);
}

}  // namespace nphd
