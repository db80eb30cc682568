#include "src/storage/meta.hpp"

#include "src/storage/blocks.hpp"

namespace nphd {

// `bytes`: how long the struct is in its format.
static uint32 meta_crc(const MetaPage* meta, Size bytes = sizeof(MetaPage)) {
    static constexpr uint32 kNoCrc = 0;
    static constexpr Size kBehind = offsetof(MetaPage, crc) + sizeof kNoCrc;
    pg_crc32c crc;
    INIT_CRC32C(crc);
    COMP_CRC32C(crc, meta, offsetof(MetaPage, crc));
    COMP_CRC32C(crc, &kNoCrc, sizeof kNoCrc);
    COMP_CRC32C(crc, reinterpret_cast<const char*>(meta) + kBehind, bytes - kBehind);
    FIN_CRC32C(crc);
    return crc;
}

void meta_create(Relation index, ForkNumber fork, const IndexOptions& options) {
    uint64 incarnation = 0;
    if (!pg_strong_random(&incarnation, sizeof incarnation))
        ereport(ERROR, (errcode(ERRCODE_INTERNAL_ERROR), errmsg("could not generate a random index id")));

    Buffer buffer = ReadBufferExtended(index, fork, P_NEW, RBM_ZERO_AND_LOCK, nullptr);
    if (BufferGetBlockNumber(buffer) != kMetaBlock)
        elog(ERROR, "the meta page of index \"%s\" is not its first block", RelationGetRelationName(index));

    START_CRIT_SECTION();
    Page page = BufferGetPage(buffer);
    init_page(page, PageKind::meta, incarnation, 0, 0, kMetaPageEnd);
    auto* meta = page_data<MetaPage>(page);
    *meta = MetaPage{};
    meta->magic = kMetaMagic;
    meta->format_version = kShardFormat;
    meta->incarnation = incarnation;
    meta->options = options;
    meta->manifest_block = InvalidBlockNumber;
    meta->segment_id = 1;
    meta->segment_head = InvalidBlockNumber;
    meta->segment_tail = InvalidBlockNumber;
    meta->alloc_end = kMetaBlock + 1;
    meta->chunk_next = meta->chunk_end = meta->alloc_end;
    meta->spare_next = meta->spare_end = meta->alloc_end;
    meta->next_generation = 1;
    meta->crc = meta_crc(meta);
    MarkBufferDirty(buffer);
    if (RelationNeedsWAL(index) || fork == INIT_FORKNUM) log_newpage_buffer(buffer, true);
    END_CRIT_SECTION();
    UnlockReleaseBuffer(buffer);
}

// Whether the page is the meta page of a format that this module does not know, and undamaged.
static bool is_foreign_meta(Page page) {
    const auto* meta = page_data<MetaPage>(page);
    const PageStamp* stamp = page_stamp(page);
    const uint32 end = reinterpret_cast<PageHeader>(page)->pd_lower;
    return stamp->magic == kShardMagic && stamp->kind == static_cast<uint16>(PageKind::meta) &&
           meta->magic == kMetaMagic && !readable_format(meta->format_version) &&
           end >= kPageDataOffset + offsetof(MetaPage, reserved0) && end <= BLCKSZ &&
           meta->crc == meta_crc(meta, end - kPageDataOffset);
}

static void check_meta(Relation index, Page page) {
    const auto* meta = page_data<MetaPage>(page);
    if (is_foreign_meta(page)) report_format(index, meta->format_version);
    const char* fault = page_fault(page, PageKind::meta, meta->incarnation, 0, 0);
    if (fault != nullptr) report_damage(index, kMetaBlock, fault);
    if (meta->magic != kMetaMagic) report_damage(index, kMetaBlock, "no meta page");
    if (!readable_format(meta->format_version)) report_damage(index, kMetaBlock, "a meta page of an unknown format");
    if (meta->crc != meta_crc(meta)) report_damage(index, kMetaBlock, "a meta page whose checksum does not match");
    if (!meta->options.filters.valid()) report_damage(index, kMetaBlock, "impossible filter columns");
}

void meta_read(Relation index, MetaPage* out, Snapshot snapshot) {
    Buffer buffer = ReadBuffer(index, kMetaBlock);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    check_meta(index, BufferGetPage(buffer));
    // VACUUM moves the epoch on this page whenever it marked a row.
    if (snapshot != nullptr) test_for_old_snapshot(snapshot, index, BufferGetPage(buffer));
    *out = *page_data<MetaPage>(BufferGetPage(buffer));
    UnlockReleaseBuffer(buffer);
}

uint32 meta_format(Relation index) {
    Buffer buffer = ReadBuffer(index, kMetaBlock);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    Page page = BufferGetPage(buffer);
    if (!is_foreign_meta(page)) check_meta(index, page);
    const uint32 format = page_data<MetaPage>(page)->format_version;
    UnlockReleaseBuffer(buffer);
    return format;
}

uint64 meta_manifest_version(Relation index, Buffer* recent) {
    if (!BufferIsValid(*recent) || !read_recent_buffer(index, MAIN_FORKNUM, kMetaBlock, *recent))
        *recent = ReadBuffer(index, kMetaBlock);
    LockBuffer(*recent, BUFFER_LOCK_SHARE);
    const uint64 version = page_data<MetaPage>(BufferGetPage(*recent))->manifest_version;
    UnlockReleaseBuffer(*recent);
    return version;
}

void damage_unless_moved(Relation index, const MetaPage& meta, BlockNumber block, const char* what) {
    MetaPage now;
    meta_read(index, &now);
    if (now.incarnation == meta.incarnation && now.manifest_version == meta.manifest_version)
        report_damage(index, block, what);
    CHECK_FOR_INTERRUPTS();
}

void meta_change_begin(Relation index, MetaChange* change) {
    change->index = index;
    change->buffer = ReadBuffer(index, kMetaBlock);
    LockBuffer(change->buffer, BUFFER_LOCK_EXCLUSIVE);
    check_meta(index, BufferGetPage(change->buffer));
    change->record = GenericXLogStart(index);
    change->meta = page_data<MetaPage>(GenericXLogRegisterBuffer(change->record, change->buffer, 0));
}

Page meta_change_add(MetaChange* change, Buffer buffer, bool new_page) {
    return GenericXLogRegisterBuffer(change->record, buffer, new_page ? GENERIC_XLOG_FULL_IMAGE : 0);
}

void meta_change_finish(MetaChange* change) {
    change->meta->format_version = kShardFormat;
    change->meta->crc = meta_crc(change->meta);
    GenericXLogFinish(change->record);
    UnlockReleaseBuffer(change->buffer);
}

void meta_change_abort(MetaChange* change) {
    GenericXLogAbort(change->record);
    UnlockReleaseBuffer(change->buffer);
}

// Extends the file before the blocks are taken, with room for the pending pages that come after them: otherwise the
// next insert would extend it over all of them with the meta page locked.
static void extend_beforehand(Relation index, uint32 blocks) {
    static constexpr uint32 kPendingRoom = 128;
    MetaPage meta;
    meta_read(index, &meta);
    BufferAccessStrategy ring = GetAccessStrategy(BAS_BULKWRITE);
    if (blocks < MaxBlockNumber - kPendingRoom - meta.alloc_end)
        blocks_extend(index, meta.alloc_end + blocks + (blocks > kPendingRoom ? kPendingRoom : 0), ring);
    FreeAccessStrategy(ring);
}

BlockNumber meta_reserve_blocks(Relation index, uint32 blocks, BlockNumber expected) {
    extend_beforehand(index, blocks);
    MetaChange change;
    meta_change_begin(index, &change);
    const BlockNumber first = change.meta->alloc_end;
    if (expected != InvalidBlockNumber && first != expected) {
        meta_change_abort(&change);
        return InvalidBlockNumber;
    }
    if (blocks > MaxBlockNumber - first) {
        meta_change_abort(&change);
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("index \"%s\" is too large", RelationGetRelationName(index))));
    }
    change.meta->alloc_end = first + blocks;
    meta_change_finish(&change);
    return first;
}

uint64 meta_next_generation(Relation index) {
    MetaChange change;
    meta_change_begin(index, &change);
    const uint64 generation = change.meta->next_generation++;
    meta_change_finish(&change);
    return generation;
}

}  // namespace nphd
