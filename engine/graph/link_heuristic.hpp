// HNSW's choice among candidates for links.
#pragma once

#include <span>
#include <vector>

#include "engine/graph/edge_distance.hpp"

namespace nphd {

/// The neighbour heuristic of HNSW (Malkov and Yashunin, arXiv 1603.09320, algorithm 4): from the nearest on, a
/// candidate is taken unless one taken before is nearer to it than the node itself.
class LinkHeuristic {
public:
    /// `codes` are candidates of a node, `distances` their distances from it, ascending. Returns the places of at most
    /// `limit` taken ones, ascending. Valid until the next call.
    std::span<const std::uint32_t> take(const LocalCodes& codes, std::span<const std::uint32_t> distances,
                                        std::size_t limit);

private:
    std::vector<std::uint32_t> distance_, row_, occluded_, taken_;
};

}  // namespace nphd
