// A set bit says that VACUUM found the row dead: it may never come back, or a reused row id would answer with another
// row's code. So bits are WAL-logged before ambulkdelete returns, and a fold or merge carries them over
// (maintenance/fold.cpp). Only VACUUM sets bits of a published shard, and PostgreSQL runs one VACUUM of a table at a
// time.

#include "src/storage/tombstones.hpp"

#include "src/storage/blocks.hpp"

namespace nphd {

uint64 tombstones_load(Relation index, const MetaPage& meta, const ShardEntry& entry, uint8* bits) {
    for (uint32 i = 0; i < entry.tombstone_pages; ++i) {
        Buffer buffer = ReadBuffer(index, entry.tombstone_block + i);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        check_page(index, buffer, PageKind::tombstones, meta.incarnation, entry.generation);
        memcpy(bits + i * kPageDataBytes, BufferGetPage(buffer) + kPageDataOffset, kPageDataBytes);
        UnlockReleaseBuffer(buffer);
    }
    return pg_popcount(reinterpret_cast<const char*>(bits), static_cast<int>(entry.tombstone_pages * kPageDataBytes));
}

void tombstones_set(Relation index, const MetaPage& meta, const ShardEntry& entry, uint32 page, const uint8* bits) {
    Buffer buffer = ReadBuffer(index, entry.tombstone_block + page);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    check_page(index, buffer, PageKind::tombstones, meta.incarnation, entry.generation);
    GenericXLogState* record = GenericXLogStart(index);
    auto* stored = page_data<uint8>(GenericXLogRegisterBuffer(record, buffer, 0));
    for (Size i = 0; i < kPageDataBytes; ++i) stored[i] |= bits[i];
    GenericXLogFinish(record);
    UnlockReleaseBuffer(buffer);
}

void tombstones_create(Relation index, const MetaPage& meta, const ShardEntry& entry) {
    for (uint32 i = 0; i < entry.tombstone_pages; ++i) {
        Buffer buffer = block_create(index, entry.tombstone_block + i, nullptr);
        START_CRIT_SECTION();
        Page page = BufferGetPage(buffer);
        init_page(page, PageKind::tombstones, meta.incarnation, entry.generation, i, BLCKSZ);
        memset(page + kPageDataOffset, 0, kPageDataBytes);
        MarkBufferDirty(buffer);
        if (RelationNeedsWAL(index)) log_newpage_buffer(buffer, true);
        END_CRIT_SECTION();
        UnlockReleaseBuffer(buffer);
    }
}

void tombstones_bump_epoch(Relation index) {
    MetaChange change;
    meta_change_begin(index, &change);
    change.meta->tombstone_epoch++;
    meta_change_finish(&change);
}

}  // namespace nphd
