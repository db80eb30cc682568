// Whole blocks of the index's main fork: creating, logging and flushing them.
#pragma once

#include "src/storage/layout.hpp"

namespace nphd {

/// The block, zero-filled in memory and locked exclusively, to be initialised by the caller, who owns it by
/// reservation. The file is extended as needed; blocks past the high-water mark that a killed build left in it are
/// simply used.
Buffer block_create(Relation index, BlockNumber block, BufferAccessStrategy strategy);

/// Extends the file to at least `blocks` blocks.
void blocks_extend(Relation index, BlockNumber blocks, BufferAccessStrategy strategy);

/// Fills a created block with the image of a sealed page (its bytes from the stamp on), logs and releases it.
void block_write_sealed(Relation index, Buffer buffer, const char* image);

/// Hands every dirty page among [first, first + count) to the kernel, so that a mapping of the file shows it. A block
/// that is not in the buffer pool needs nothing: a victim is written before it leaves.
void blocks_flush(Relation index, BlockNumber first, uint32 count);
/// The same for all pages of a shard.
void shard_flush(Relation index, const ShardEntry& shard);

}  // namespace nphd
