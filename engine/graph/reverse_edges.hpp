// The edges of a layer, seen from their targets.
#pragma once

#include <span>

#include "engine/base/memory_budget.hpp"
#include "engine/base/worker_pool.hpp"

namespace nphd {

/// For each node the nodes that have an edge to it, ascending. 8 bytes per node and 4 per edge.
class ReverseEdges {
public:
    /// targets_of(node): its edges, as a range of node ids. Throws Cancelled and std::bad_alloc.
    template <class TargetsOf>
    ReverseEdges(std::uint32_t nodes, const TargetsOf& targets_of, MemoryBudget& budget, const Progress& progress)
        : end_(budget, std::size_t{nodes} + 2) {
        // A counting sort. First end_[i + 2] counts the edges to i; summed up, end_[i + 1] is where those to i begin;
        // filling them in moves it to their end, and so the lists of i lie between end_[i] and end_[i + 1].
        for_each_edge(nodes, targets_of, progress, [&](NodeId, NodeId target) { ++end_[target + std::size_t{2}]; });
        for (std::size_t i = 2; i < end_.size(); ++i) end_[i] += end_[i - 1];
        sources_ = LargeArray<NodeId>(budget, static_cast<std::size_t>(end_[end_.size() - 1]));
        for_each_edge(nodes, targets_of, progress, [&](NodeId source, NodeId target) {
            sources_[static_cast<std::size_t>(end_[target + std::size_t{1}]++)] = source;
        });
    }

    std::span<const NodeId> of(NodeId node) const noexcept {
        return {sources_.data() + end_[node], sources_.data() + end_[node + std::size_t{1}]};
    }

private:
    template <class TargetsOf, class Visit>
    static void for_each_edge(std::uint32_t nodes, const TargetsOf& targets_of, const Progress& progress,
                              const Visit& visit) {
        for (NodeId i = 0; i < nodes; ++i) {
            if (i % 4096 == 0) progress.check();
            for (const NodeId target : targets_of(i)) visit(i, target);
        }
    }

    LargeArray<std::uint64_t> end_;
    LargeArray<NodeId> sources_;
};

}  // namespace nphd
