#include "src/storage/manifest.hpp"

#include "src/storage/blocks.hpp"

namespace nphd {

static uint32 checksum(const void* data, Size bytes) {
    pg_crc32c crc;
    INIT_CRC32C(crc);
    COMP_CRC32C(crc, data, bytes);
    FIN_CRC32C(crc);
    return crc;
}

// Reads the bytes of the manifest in force into `out` (meta.manifest_bytes of them) and checks that they are whole.
static void read_bytes(Relation index, const MetaPage& meta, char* out) {
    for (uint32 i = 0, done = 0; done < meta.manifest_bytes; ++i) {
        Buffer buffer = ReadBuffer(index, meta.manifest_block + i);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        check_page(index, buffer, PageKind::manifest, meta.incarnation, meta.manifest_version);
        const uint32 n = Min(static_cast<uint32>(kPageDataBytes), meta.manifest_bytes - done);
        memcpy(out + done, BufferGetPage(buffer) + kPageDataOffset, n);
        done += n;
        UnlockReleaseBuffer(buffer);
    }
    if (checksum(out, meta.manifest_bytes) != meta.manifest_crc)
        report_damage(index, meta.manifest_block, "a manifest whose checksum does not match");
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
        check_run(index, meta, file_blocks, s.first_block, s.pages);
        check_run(index, meta, file_blocks, s.tombstone_block, s.tombstone_pages);
        if (static_cast<uint64>(s.tombstone_pages) * kTombstonesPerPage < s.postings)
            report_damage(index, meta.manifest_block, "a shard with too few tombstone pages");
    }
}

static Manifest* read_manifest(Relation index, const MetaPage& meta, MemoryContext context) {
    if (meta.manifest_block == InvalidBlockNumber) {
        auto* empty = static_cast<Manifest*>(MemoryContextAllocZero(context, sizeof(Manifest)));
        empty->header.incarnation = meta.incarnation;
        return empty;
    }
    const uint64 file_bytes = static_cast<uint64>(RelationGetNumberOfBlocks(index)) * BLCKSZ;
    if (meta.manifest_bytes < sizeof(Manifest) || meta.manifest_bytes > file_bytes)
        report_damage(index, kMetaBlock, "an impossible manifest size");
    auto* m = static_cast<Manifest*>(MemoryContextAllocHuge(context, meta.manifest_bytes));
    read_bytes(index, meta, reinterpret_cast<char*>(m));
    check_contents(index, meta, m);
    return m;
}

const Manifest* manifest_cached(Relation index, const MetaPage& meta) {
    auto* cached = static_cast<Manifest*>(index->rd_amcache);
    // A truncation in place leaves the relcache entry alone and starts again at version 0, with another incarnation.
    if (cached != nullptr && cached->header.incarnation == meta.incarnation &&
        cached->header.version == meta.manifest_version)
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

ManifestDraft manifest_draft(Relation index, const MetaPage& meta) {
    const Manifest* m = read_manifest(index, meta, CurrentMemoryContext);
    return {m->header.version, list_of(m->shards(), m->header.shards), list_of(m->segments(), m->header.segments),
            list_of(m->extents(), m->header.extents)};
}

void draft_add_extent(ManifestDraft* draft, BlockNumber first, uint32 blocks, ExtentState state, ExtentKind kind,
                      uint64 generation) {
    auto* e = static_cast<ExtentEntry*>(palloc0(sizeof(ExtentEntry)));
    e->first = first;
    e->blocks = blocks;
    e->state = static_cast<uint16>(state);
    e->kind = static_cast<uint16>(kind);
    e->generation = generation;
    if (state == ExtentState::retired) e->retire_xid = U64FromFullTransactionId(ReadNextFullTransactionId());
    draft->extents = lappend(draft->extents, e);
}

void draft_retire_extent(ManifestDraft* draft, BlockNumber first) {
    ListCell* cell;
    foreach (cell, draft->extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        if (e->first != first) continue;
        e->state = static_cast<uint16>(ExtentState::retired);
        e->retire_xid = U64FromFullTransactionId(ReadNextFullTransactionId());
        return;
    }
}

static int by_first_block(const ListCell* a, const ListCell* b) {
    const BlockNumber x = static_cast<const ExtentEntry*>(lfirst(a))->first;
    const BlockNumber y = static_cast<const ExtentEntry*>(lfirst(b))->first;
    return x < y ? -1 : x > y;
}

// Neighbouring retired extents become one, which keeps the list short while nothing is reused. The younger xid counts.
static List* coalesce(List* extents) {
    List* out = nullptr;
    ExtentEntry* last = nullptr;
    ListCell* cell;
    list_sort(extents, by_first_block);
    foreach (cell, extents) {
        auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        const auto retired = static_cast<uint16>(ExtentState::retired);
        if (last != nullptr && last->state == retired && e->state == retired &&
            last->first + last->blocks == e->first) {
            last->blocks += e->blocks;
            last->kind = static_cast<uint16>(ExtentKind::none);
            last->generation = Max(last->generation, e->generation);
            last->retire_xid = Max(last->retire_xid, e->retire_xid);
            continue;
        }
        out = lappend(out, e);
        last = e;
    }
    return out;
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

ManifestRoot manifest_write(Relation index, const MetaPage& meta, ManifestDraft* draft) {
    if (meta.manifest_block != InvalidBlockNumber) draft_retire_extent(draft, meta.manifest_block);
    draft->extents = coalesce(draft->extents);

    ManifestRoot root;
    // Versions double as the generation of their pages. A version written but never installed is written again: to
    // other blocks.
    root.version = meta.manifest_version + 1;
    const Size bytes = sizeof(ManifestHeader) + list_length(draft->shards) * sizeof(ShardEntry) +
                       list_length(draft->segments) * sizeof(SegmentEntry) +
                       (list_length(draft->extents) + 1) * sizeof(ExtentEntry);
    if (bytes > MaxAllocSize)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("index \"%s\" consists of too many parts", RelationGetRelationName(index)),
                        errhint("REINDEX it.")));
    root.bytes = static_cast<uint32>(bytes);
    root.pages = static_cast<uint32>((bytes + kPageDataBytes - 1) / kPageDataBytes);
    root.block = meta_reserve_blocks(index, root.pages);
    draft_add_extent(draft, root.block, root.pages, ExtentState::live, ExtentKind::manifest, root.version);

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
    draft->version = root.version;
    return root;
}

void meta_install_manifest(MetaChange* change, const ManifestRoot& root) {
    change->meta->manifest_version = root.version;
    change->meta->manifest_block = root.block;
    change->meta->manifest_pages = root.pages;
    change->meta->manifest_bytes = root.bytes;
    change->meta->manifest_crc = root.crc;
}

}  // namespace nphd
