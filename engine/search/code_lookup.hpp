// Equality: the node that has exactly these bytes.
#pragma once

#include <span>

#include "engine/shard/shard_view.hpp"

namespace nphd {

/// The node of `lane` with this code, or kNoNode; code.size() == lane.code_bytes. Asks the bloom filter, then the key
/// directory; a lane without them is scanned. Whatever the pages hold: nothing outside of them is read, no node is
/// compared twice, and a node that is returned has these bytes.
NodeId find_code(const LaneView& lane, std::span<const std::uint8_t> code) noexcept;

}  // namespace nphd
