// Which postings of a shard are dead: bitmap pages, changed through the buffer manager only.
#pragma once

#include "src/storage/manifest.hpp"

namespace nphd {

/// Copies the shard's bitmap into `bits` (entry.tombstone_pages * kPageDataBytes bytes); *dead becomes the number of
/// bits set. False: the pages have another use by now (see damage_unless_moved).
[[nodiscard]] bool tombstones_load(Relation index, const MetaPage& meta, const ShardEntry& entry, uint8* bits,
                                   uint64* dead);

/// Sets the bits of page `page` (of the shard's tombstone pages) that are set in `bits` (kPageDataBytes bytes), in one
/// WAL record. False: the page has another use by now.
[[nodiscard]] bool tombstones_set(Relation index, const MetaPage& meta, const ShardEntry& entry, uint32 page,
                                  const uint8* bits);

/// Writes the empty bitmap pages of a shard that is not published yet.
void tombstones_create(Relation index, const MetaPage& meta, const ShardEntry& entry);

/// Tells scans that cached bitmaps are old, and folds that rows died since they read them.
void tombstones_bump_epoch(Relation index);

}  // namespace nphd
