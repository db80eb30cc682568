#include "engine/graph/prune.hpp"

namespace nphd {

namespace {
constexpr std::uint32_t kConsidered = 256;  // nearest candidates of a node that was chosen by very many
}  // namespace

void LinkSelection::prune_list(const RecordArray& codes, NodeId node, std::uint32_t limit, CandidateLists& lists) {
    const std::span<const NodeId> ids = lists.ids(node);
    distance_.resize(ids.size());
    for (std::uint32_t i = 0; i < ids.size(); ++i) distance_[i] = lists.distance(node, i);
    local_.load(codes, ids);
    select(limit);
    lists.keep(node, taken_);
}

std::span<const NodeId> LinkSelection::choose(const RecordArray& codes, NodeId node, const CandidateLists& lists,
                                              std::span<const NodeId> chosen_by, std::uint32_t limit, std::uint32_t fill) {
    edges_.clear();
    const std::span<const NodeId> own = lists.ids(node);
    for (std::uint32_t i = 0; i < own.size(); ++i) edges_.push_back(pack_edge(lists.distance(node, i), node, own[i]));
    for (; !chosen_by.empty(); chosen_by = chosen_by.subspan(std::min<std::size_t>(kConsidered, chosen_by.size())))
        measure(codes, node, chosen_by.first(std::min<std::size_t>(kConsidered, chosen_by.size())));
    std::sort(edges_.begin(), edges_.end());
    edges_.erase(std::unique(edges_.begin(), edges_.end()), edges_.end());
    if (edges_.size() > kConsidered) edges_.resize(kConsidered);

    ids_.resize(edges_.size());
    distance_.resize(edges_.size());
    for (std::size_t i = 0; i < edges_.size(); ++i) {
        ids_[i] = edge_target(edges_[i], node);
        distance_[i] = edge_distance(edges_[i]);
    }
    links_.clear();
    if (edges_.size() <= limit) {
        links_ = ids_;
        return links_;
    }
    local_.load(codes, ids_);
    select(limit);
    for (const std::uint32_t i : taken_) links_.push_back(ids_[i]);
    for (std::uint32_t i = 0, t = 0; i < ids_.size() && links_.size() < fill; ++i) {
        if (t < taken_.size() && taken_[t] == i)
            ++t;
        else
            links_.push_back(ids_[i]);
    }
    return links_;
}

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

/// Fills taken_ with places of local_, whose distances from the node are distance_, ascending.
void LinkSelection::select(std::uint32_t limit) {
    const auto n = static_cast<std::uint32_t>(distance_.size());
    taken_.clear();
    row_.resize(2 * std::size_t{n});
    occluded_.assign(n, 0);
    for (std::uint32_t i = 0; i < n && taken_.size() < limit; ++i) {
        if (occluded_[i]) continue;
        taken_.push_back(i);
        if (taken_.size() == limit) break;
        const std::uint32_t behind = n - 1 - i;
        local_.distances(i, i + 1, behind, row_.data());
        const std::uint32_t* const row = row_.data();
        const std::uint32_t* const distance = distance_.data() + i + 1;
        std::uint32_t* const occluded = occluded_.data() + i + 1;
        for (std::uint32_t j = 0; j < behind; ++j) occluded[j] |= static_cast<std::uint32_t>(row[j] < distance[j]);
    }
}

}  // namespace nphd
