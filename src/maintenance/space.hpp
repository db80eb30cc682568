// Giving space back: retired extents to the index, and the end of the file to the file system.
#pragma once

#include "src/storage/meta.hpp"

namespace nphd {

/// Frees what runs that did not end left reserved, and retired extents that nobody can be reading, if they are worth a
/// new manifest. The caller holds the maintenance lock.
void reclaim_space(Relation index);

/// Frees all retired extents: whoever still reads them starts over. The caller holds the maintenance lock.
void reclaim_all(Relation index);

/// Moves the shards to the front of the file, as far as there is room, and cuts the file behind the last block in use.
/// Cutting needs an AccessExclusiveLock, which is only tried: readers that are at work keep the file as it is. The
/// caller holds the maintenance lock.
void shorten(Relation index);

}  // namespace nphd
