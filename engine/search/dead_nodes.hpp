// Which nodes of a lane have no living posting.
#pragma once

#include <span>

#include "engine/shard/shard_view.hpp"

namespace nphd {

/// Whether this bit is set; what lies beyond the bitmap is not.
inline bool is_dead(std::span<const std::uint8_t> dead, std::uint64_t bit) noexcept {
    return bit / 8 < dead.size() && (dead[bit / 8] >> bit % 8 & 1) != 0;
}

/// Whether bits [bit, end) are all set; what lies beyond the bitmap is not. Adds to `work` the words looked at.
bool all_dead(std::span<const std::uint8_t> dead, std::uint64_t bit, std::uint64_t end, std::uint64_t& work) noexcept;

/// One bit for each node, in whole bytes, so that a search need not follow each near node to its postings, which costs
/// it a random read of a page.
inline std::size_t dead_nodes_bytes(const LaneView& lane) noexcept { return (std::size_t{lane.nodes} + 7) / 8; }

/// Sets in `out` (dead_nodes_bytes() long) the bits of those among nodes [first, end) that have no living posting:
/// `dead` is as in NearestSearch::add_lane(). A malformed range has none. 0 <= first <= end <= nodes.
void mark_dead_nodes(const LaneView& lane, std::span<const std::uint8_t> dead, NodeId first, NodeId end,
                     std::uint8_t* out) noexcept;

}  // namespace nphd
