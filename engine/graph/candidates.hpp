// Bounded lists of edge candidates.
#pragma once

#include <span>

#include "engine/base/memory_budget.hpp"
#include "engine/base/types.hpp"

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

/// For each node the nearest candidates found so far, ascending. Memory per node: 6 bytes for each of `capacity`
/// candidates, and 2.
class CandidateLists {
public:
    static constexpr std::uint32_t kMaxCapacity = 512;

    /// 0 < capacity <= kMaxCapacity.
    CandidateLists(std::uint32_t nodes, std::uint32_t capacity, MemoryBudget& budget)
        : capacity_(capacity),
          ids_(budget, std::size_t{nodes} * capacity),
          distances_(budget, std::size_t{nodes} * capacity),
          size_(budget, nodes) {}

    std::uint32_t capacity() const noexcept { return capacity_; }
    std::span<const NodeId> ids(NodeId node) const noexcept { return {ids_.data() + offset(node), size_[node]}; }
    std::span<const std::uint16_t> distances(NodeId node) const noexcept {
        return {distances_.data() + offset(node), size_[node]};
    }

    void prefetch(NodeId node) const noexcept;
    /// Adds ascending candidates; those known already are not repeated, and what exceeds the capacity is dropped.
    void merge(NodeId node, std::span<const PackedEdge> found) noexcept;
    /// Replaces the list by its elements at `places`, which ascend.
    void keep(NodeId node, std::span<const std::uint32_t> places) noexcept;

private:
    std::size_t offset(NodeId node) const noexcept { return std::size_t{node} * capacity_; }

    std::uint32_t capacity_;
    LargeArray<NodeId> ids_;
    LargeArray<std::uint16_t> distances_;
    LargeArray<std::uint16_t> size_;
};

}  // namespace nphd
