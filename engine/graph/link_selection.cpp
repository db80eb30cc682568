#include "engine/graph/link_selection.hpp"

#include <algorithm>

namespace nphd {

namespace {
/// Candidates beyond the nearest so many are not judged.
constexpr std::size_t considered(std::uint32_t limit) { return std::max<std::size_t>(256, 2 * std::size_t{limit}); }
}  // namespace

void LinkSelection::prune_list(const RecordArray& codes, NodeId node, std::uint32_t limit, CandidateLists& lists) {
    const std::span<const NodeId> ids = lists.ids(node);
    const std::span<const std::uint16_t> distances = lists.distances(node);
    local_.load(codes, ids);
    distances_.assign(distances.begin(), distances.end());
    lists.keep(node, heuristic_.take(local_, distances_, limit));
}

std::span<const NodeId> LinkSelection::choose(const RecordArray& codes, NodeId node, const CandidateLists& lists,
                                              std::span<const NodeId> chosen_by, std::uint32_t limit) {
    const std::size_t most = considered(limit);
    edges_.clear();
    const std::span<const NodeId> own = lists.ids(node);
    for (std::size_t i = 0; i < own.size(); ++i) edges_.push_back(pack_edge(lists.distances(node)[i], node, own[i]));
    while (!chosen_by.empty()) {
        const std::size_t n = std::min(most, chosen_by.size());
        measure(codes, node, chosen_by.first(n));
        if (edges_.size() > 2 * most) {
            std::nth_element(edges_.begin(), edges_.begin() + static_cast<std::ptrdiff_t>(most), edges_.end());
            edges_.resize(most);
        }
        chosen_by = chosen_by.subspan(n);
    }
    std::sort(edges_.begin(), edges_.end());
    edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
    if (edges_.size() > most) edges_.resize(most);

    ids_.clear();
    for (const PackedEdge e : edges_) ids_.push_back(edge_target(e, node));
    if (ids_.size() <= limit) return ids_;
    distances_.clear();
    for (const PackedEdge e : edges_) distances_.push_back(edge_distance(e));
    local_.load(codes, ids_);
    links_.clear();
    for (const std::uint32_t i : heuristic_.take(local_, distances_, limit)) links_.push_back(ids_[i]);
    return links_;
}

/// Adds edges to the targets.
void LinkSelection::measure(const RecordArray& codes, NodeId node, std::span<const NodeId> targets) {
    local_.load(codes, targets);
    row_.resize(2 * targets.size() + LocalCodes::kDistanceSlack);
    local_.distances(codes.at(node), 0, static_cast<std::uint32_t>(targets.size()), row_.data());
    for (std::size_t i = 0; i < targets.size(); ++i) edges_.push_back(pack_edge(row_[i], node, targets[i]));
}

}  // namespace nphd
