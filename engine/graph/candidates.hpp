// Bounded lists of edge candidates, and the all-pairs work that fills them.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "engine/base/memory_budget.hpp"
#include "engine/graph/edge_distance.hpp"

namespace nphd {

/// An edge candidate as one sortable number: the distance above, the target relative to the source (modulo 2^32) below.
/// Among equal distances, targets thus rank by how far they follow the source, so that ties spread over all nodes and
/// do not turn those with low numbers into hubs; and numbers near each other are near in space, as nodes are numbered
/// by locality.
using PackedEdge = std::uint64_t;

constexpr PackedEdge pack_edge(std::uint32_t distance, NodeId source, NodeId target) noexcept {
    return std::uint64_t{distance} << 32 | (target - source);
}
constexpr std::uint32_t edge_distance(PackedEdge e) noexcept { return static_cast<std::uint32_t>(e >> 32); }
constexpr NodeId edge_target(PackedEdge e, NodeId source) noexcept { return static_cast<std::uint32_t>(e) + source; }

/// For each node the nearest candidates found so far, ascending, at most `capacity`; 6 bytes each.
class CandidateLists {
public:
    CandidateLists(std::uint32_t nodes, std::uint32_t capacity, MemoryBudget& budget)
        : capacity_(capacity),
          ids_(budget, std::size_t{nodes} * capacity),
          distances_(budget, std::size_t{nodes} * capacity),
          size_(budget, nodes) {}

    std::uint32_t capacity() const noexcept { return capacity_; }
    std::uint32_t size(NodeId node) const noexcept { return size_[node]; }
    std::span<const NodeId> ids(NodeId node) const noexcept { return {&ids_[offset(node)], size_[node]}; }
    std::uint32_t distance(NodeId node, std::uint32_t i) const noexcept { return distances_[offset(node) + i]; }

    void prefetch(NodeId node) const noexcept;
    /// Adds ascending candidates; those known already are not repeated.
    void merge(NodeId node, std::span<const PackedEdge> found);
    /// Replaces the list by its elements at `places`, which ascend.
    void keep(NodeId node, std::span<const std::uint32_t> places) noexcept;

private:
    std::size_t offset(NodeId node) const noexcept { return std::size_t{node} * capacity_; }

    std::uint32_t capacity_;
    LargeArray<NodeId> ids_;
    LargeArray<std::uint16_t> distances_;
    LargeArray<std::uint16_t> size_;
};

/// Selects the smallest of a row of distances.
class NearestPlaces {
public:
    /// The places of the k smallest of n distances below 2^16, as ascending (distance << 16 | place); among equal
    /// ones the first. Places fit into 16 bits. `row` is readable, and is overwritten, up to a multiple of 16. Valid until the next call.
    std::span<const std::uint32_t> find(std::uint32_t* row, std::uint32_t n, std::uint32_t k);

private:
    std::uint32_t limit_ = 1;  // guess: the k-th distance of the next row is below; no guess changes the result
    std::vector<std::uint32_t> found_, sorted_;
};

/// Finds the nearest members of a leaf for each of them.
class LeafSearch {
public:
    explicit LeafSearch(const EdgeKind& kind) : local_(kind) {}

    /// Merges the `k` nearest other members of each member into its list. Members ascend and are at most kLeafSize.
    void run(const RecordArray& codes, std::span<const NodeId> members, std::uint32_t k, CandidateLists& lists);

private:
    LocalCodes local_;
    NearestPlaces nearest_;
    std::vector<std::uint32_t> row_;
    std::vector<PackedEdge> found_;
};

}  // namespace nphd
