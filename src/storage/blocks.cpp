#include "src/storage/blocks.hpp"

namespace nphd {

void blocks_extend(Relation index, BlockNumber blocks, BufferAccessStrategy strategy) {
    // In short steps: whoever links a pending page waits for this lock with the meta page locked.
    static constexpr int kBlocksPerStep = 32;
    while (RelationGetNumberOfBlocks(index) < blocks) {
        CHECK_FOR_INTERRUPTS();
        LockRelationForExtension(index, ExclusiveLock);
        for (int i = 0; i < kBlocksPerStep && RelationGetNumberOfBlocks(index) < blocks; ++i)
            ReleaseBuffer(ReadBufferExtended(index, MAIN_FORKNUM, P_NEW, RBM_NORMAL, strategy));
        UnlockRelationForExtension(index, ExclusiveLock);
    }
}

Buffer block_create(Relation index, BlockNumber block, BufferAccessStrategy strategy) {
    blocks_extend(index, block + 1, strategy);
    return ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_ZERO_AND_LOCK, strategy);
}

void block_write_sealed(Relation index, Buffer buffer, const char* image) {
    START_CRIT_SECTION();
    Page page = BufferGetPage(buffer);
    PageInit(page, BLCKSZ, 0);
    reinterpret_cast<PageHeader>(page)->pd_lower = BLCKSZ;
    memcpy(page + kPageStampOffset, image + kPageStampOffset, BLCKSZ - kPageStampOffset);
    MarkBufferDirty(buffer);
    if (RelationNeedsWAL(index)) log_newpage_buffer(buffer, true);
    END_CRIT_SECTION();
    UnlockReleaseBuffer(buffer);
}

void blocks_flush(Relation index, BlockNumber first, uint32 count) {
    // Buffers of a temporary relation are this backend's own, and nobody maps its files.
    if (RelationUsesLocalBuffers(index)) return;
    // Asking for a block that is not in the pool has the kernel read it ahead. For a run that is large beside the pool,
    // one pass over the pool is cheaper, and asks for nothing.
    static constexpr uint32 kPoolShare = 5;
    if (count > static_cast<uint32>(NBuffers) / kPoolShare) {
        FlushRelationBuffers(index);
        return;
    }
    for (uint32 i = 0; i < count; ++i) {
        CHECK_FOR_INTERRUPTS();
        // PrefetchBuffer is the public way to ask "is it in the pool?". Its answer is a hint: if the buffer holds
        // another block now, or nothing valid because a read failed, the ordinary way finds out, and raises the error
        // if there is one.
        const PrefetchBufferResult found = PrefetchBuffer(index, MAIN_FORKNUM, first + i);
        Buffer buffer = found.recent_buffer;
        if (!BufferIsValid(buffer)) continue;
        if (!read_recent_buffer(index, MAIN_FORKNUM, first + i, buffer)) buffer = ReadBuffer(index, first + i);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        FlushOneBuffer(buffer);
        UnlockReleaseBuffer(buffer);
    }
}

void shard_flush(Relation index, const ShardEntry& shard) {
    for (const Piece& piece : shard.pieces)
        if (piece.blocks > 0) blocks_flush(index, piece.first, piece.blocks);
}

}  // namespace nphd
