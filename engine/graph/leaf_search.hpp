// The all-pairs work inside one leaf of a partition.
#pragma once

#include <span>
#include <vector>

#include "engine/base/worker_pool.hpp"
#include "engine/graph/candidates.hpp"
#include "engine/graph/link_heuristic.hpp"
#include "engine/graph/nearest_places.hpp"

namespace nphd {

/// Finds edge candidates among the members of a leaf.
class LeafSearch {
public:
    explicit LeafSearch(const EdgeKind& kind) : local_(kind), near_(kind) {}

    /// Finds the k nearest other members of each member and merges into its list what the heuristic takes of them:
    /// judging them while all codes are in the cache costs little, and leaves room in the lists for what other leaves
    /// find. Members ascend and are at most 2^15. Throws Cancelled.
    void run(const RecordArray& codes, std::span<const NodeId> members, std::uint32_t k, CandidateLists& lists,
             const Progress& progress);

private:
    LocalCodes local_;  // the members
    LocalCodes near_;   // those nearest to one of them
    NearestPlaces nearest_;
    LinkHeuristic heuristic_;
    std::vector<std::uint32_t> row_, places_, distances_;
    std::vector<PackedEdge> found_;
};

}  // namespace nphd
