#include "engine/graph/link_selection.hpp"

#include <algorithm>
#include <numeric>

namespace nphd {

namespace {
constexpr std::size_t kConsidered = 256;
}

void LinkSelection::prune_list(const RecordArray& codes, NodeId node, std::uint32_t limit, CandidateLists& lists) {
    const std::span<const NodeId> ids = lists.ids(node);
    const std::span<const std::uint16_t> distances = lists.distances(node);
    local_.load(codes, ids);
    places_.resize(ids.size());
    std::iota(places_.begin(), places_.end(), 0u);
    distances_.assign(distances.begin(), distances.end());
    lists.keep(node, heuristic_.take(local_, places_, distances_, limit));
}

std::span<const NodeId> LinkSelection::choose(const RecordArray& codes, NodeId node, const CandidateLists& lists,
                                              std::span<const NodeId> chosen_by, std::uint32_t limit) {
    edges_.clear();
    const std::span<const NodeId> own = lists.ids(node);
    for (std::size_t i = 0; i < own.size(); ++i) edges_.push_back(pack_edge(lists.distances(node)[i], node, own[i]));
    while (!chosen_by.empty()) {
        const std::size_t n = std::min(kConsidered, chosen_by.size());
        measure(codes, node, chosen_by.first(n));
        chosen_by = chosen_by.subspan(n);
    }
    std::sort(edges_.begin(), edges_.end());
    edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
    if (edges_.size() > kConsidered) edges_.resize(kConsidered);

    ids_.clear();
    for (const PackedEdge e : edges_) ids_.push_back(edge_target(e, node));
    if (ids_.size() <= limit) return ids_;
    distances_.clear();
    for (const PackedEdge e : edges_) distances_.push_back(edge_distance(e));
    places_.resize(ids_.size());
    std::iota(places_.begin(), places_.end(), 0u);
    local_.load(codes, ids_);
    links_.clear();
    for (const std::uint32_t i : heuristic_.take(local_, places_, distances_, limit)) links_.push_back(ids_[i]);
    return links_;
}

/// Adds edges to the targets, and drops the farthest when there are too many.
void LinkSelection::measure(const RecordArray& codes, NodeId node, std::span<const NodeId> targets) {
    local_.load(codes, targets);
    row_.resize(2 * targets.size());
    local_.distances(codes.at(node), 0, static_cast<std::uint32_t>(targets.size()), row_.data());
    for (std::size_t i = 0; i < targets.size(); ++i) edges_.push_back(pack_edge(row_[i], node, targets[i]));
    if (edges_.size() > 2 * kConsidered) {
        std::nth_element(edges_.begin(), edges_.begin() + kConsidered, edges_.end());
        edges_.resize(kConsidered);
    }
}

}  // namespace nphd
