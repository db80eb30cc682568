// A set bit says that VACUUM found the row dead: it may never come back, or a reused row id would answer with another
// row's code. So bits are WAL-logged before ambulkdelete returns, and a fold or merge carries them over
// (maintenance/fold.cpp). Only VACUUM sets bits of a published shard, and PostgreSQL runs one VACUUM of a table at a
// time.

#include "src/storage/tombstones.hpp"

#include "src/storage/blocks.hpp"

namespace nphd {

static const char* tombstone_fault(Buffer buffer, const MetaPage& meta, const ShardEntry& entry, uint32 page) {
    return page_fault(BufferGetPage(buffer), PageKind::tombstones, meta.incarnation, entry.generation, page);
}

bool tombstones_load(Relation index, const MetaPage& meta, const ShardEntry& entry, uint8* bits, uint64* dead) {
    for (uint32 i = 0; i < entry.tombstone_pages; ++i) {
        Buffer buffer = ReadBuffer(index, entry.tombstone_block(i));
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        const char* fault = tombstone_fault(buffer, meta, entry, i);
        if (fault == nullptr)
            memcpy(bits + i * kPageDataBytes, BufferGetPage(buffer) + kPageDataOffset, kPageDataBytes);
        UnlockReleaseBuffer(buffer);
        if (fault != nullptr) {
            damage_unless_moved(index, meta, entry.tombstone_block(i), fault);
            return false;
        }
    }
    *dead = pg_popcount(reinterpret_cast<const char*>(bits), static_cast<int>(entry.tombstone_pages * kPageDataBytes));
    return true;
}

bool tombstones_set(Relation index, const MetaPage& meta, const ShardEntry& entry, uint32 page, const uint8* bits) {
    Buffer buffer = ReadBuffer(index, entry.tombstone_block(page));
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    const char* fault = tombstone_fault(buffer, meta, entry, page);
    if (fault != nullptr) {
        UnlockReleaseBuffer(buffer);
        damage_unless_moved(index, meta, entry.tombstone_block(page), fault);
        return false;
    }
    GenericXLogState* record = GenericXLogStart(index);
    auto* stored = page_data<uint8>(GenericXLogRegisterBuffer(record, buffer, 0));
    for (Size i = 0; i < kPageDataBytes; ++i) stored[i] |= bits[i];
    GenericXLogFinish(record);
    UnlockReleaseBuffer(buffer);
    return true;
}

void tombstones_create(Relation index, const MetaPage& meta, const ShardEntry& entry) {
    for (uint32 i = 0; i < entry.tombstone_pages; ++i) {
        Buffer buffer = block_create(index, entry.tombstone_block(i), nullptr);
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
