#include "src/storage/blocks.hpp"

namespace nphd {

void blocks_extend(Relation index, BlockNumber blocks, BufferAccessStrategy strategy) {
    if (RelationGetNumberOfBlocks(index) >= blocks) return;
    LockRelationForExtension(index, ExclusiveLock);
    while (RelationGetNumberOfBlocks(index) < blocks) {
        CHECK_FOR_INTERRUPTS();
        ReleaseBuffer(ReadBufferExtended(index, MAIN_FORKNUM, P_NEW, RBM_NORMAL, strategy));
    }
    UnlockRelationForExtension(index, ExclusiveLock);
}

Buffer block_create(Relation index, BlockNumber block, BufferAccessStrategy strategy) {
    blocks_extend(index, block + 1, strategy);
    return ReadBufferExtended(index, MAIN_FORKNUM, block, RBM_ZERO_AND_LOCK, strategy);
}

void blocks_flush(Relation index, BlockNumber first, uint32 count) {
    // Buffers of a temporary relation are this backend's own, and nobody maps its files.
    if (RelationUsesLocalBuffers(index)) return;
    for (uint32 i = 0; i < count; ++i) {
        CHECK_FOR_INTERRUPTS();
        const BlockNumber block = first + i;
        // PrefetchBuffer is the public way to ask "is it in the pool?"; the answer is a hint, so look again if it moved.
        for (;;) {
            const PrefetchBufferResult found = PrefetchBuffer(index, MAIN_FORKNUM, block);
            if (!BufferIsValid(found.recent_buffer)) break;
            if (!read_recent_buffer(index, MAIN_FORKNUM, block, found.recent_buffer)) continue;
            LockBuffer(found.recent_buffer, BUFFER_LOCK_SHARE);
            FlushOneBuffer(found.recent_buffer);
            UnlockReleaseBuffer(found.recent_buffer);
            break;
        }
    }
}

}  // namespace nphd
