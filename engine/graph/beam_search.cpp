#include "engine/graph/beam_search.hpp"

#include <functional>
#include <numeric>

namespace nphd {

BeamSearch::BeamSearch(const RecordArray& codes, const Graph& graph, Metric metric, MemoryBudget& budget)
    : codes_(codes), graph_(graph), metric_(metric), visited_(budget, graph.nodes) {}

BeamSearch::Level BeamSearch::level(std::size_t l) const {
    if (l == 0) return {{graph_.links.data(), graph_.links.size()}, graph_.degree, nullptr, graph_.nodes};
    const GraphLevel& upper = graph_.levels[l - 1];
    return {upper.links, graph_.upper_degree, upper.node.data(), static_cast<std::uint32_t>(upper.node.size())};
}

/// Distances of the entries in batch_ into batch_distance_.
void BeamSearch::measure(const Level& level, const Probe& probe) {
    const auto n = static_cast<std::uint32_t>(batch_.size());
    batch_distance_.resize(n);
    const NodeId* nodes = batch_.data();
    if (level.node) {
        batch_node_.resize(n);
        for (std::uint32_t i = 0; i < n; ++i) batch_node_[i] = level.node[batch_[i]];
        nodes = batch_node_.data();
    }
    const Kernels& k = kernels();
    (metric_ == Metric::jaccard ? k.jaccard_gather : k.hamming_gather)(probe, codes_, nodes, n, batch_distance_.data());
    distances_ += n;
}

Neighbour BeamSearch::scan(const Level& level, const Probe& probe) {
    batch_.resize(level.entries);
    std::iota(batch_.begin(), batch_.end(), 0u);
    measure(level, probe);
    const auto least = std::min_element(batch_distance_.begin(), batch_distance_.end());
    return {*least, static_cast<NodeId>(least - batch_distance_.begin())};
}

/// Leaves the `ef` nearest entries in found_, ascending.
void BeamSearch::search_level(const Level& level, const Probe& probe, Neighbour start, std::uint32_t ef) {
    if (++epoch_ == 0) {
        std::fill(visited_.begin(), visited_.end(), 0u);
        epoch_ = 1;
    }
    found_.assign(1, start);     // max-heap
    frontier_.assign(1, start);  // min-heap
    visited_[start.node] = epoch_;
    while (!frontier_.empty()) {
        std::pop_heap(frontier_.begin(), frontier_.end(), std::greater<>());
        const Neighbour at = frontier_.back();
        frontier_.pop_back();
        if (found_.size() >= ef && at.distance > found_.front().distance) break;
        batch_.clear();
        const NodeId* const links = level.links.data() + std::size_t{at.node} * level.degree;
        for (std::uint32_t i = 0; i < level.degree && links[i] != kNoNode; ++i) {
            if (visited_[links[i]] == epoch_) continue;
            visited_[links[i]] = epoch_;
            batch_.push_back(links[i]);
        }
        measure(level, probe);
        for (std::size_t i = 0; i < batch_.size(); ++i) {
            const Neighbour next{batch_distance_[i], batch_[i]};
            if (found_.size() >= ef) {
                if (next.distance >= found_.front().distance) continue;
                std::pop_heap(found_.begin(), found_.end());
                found_.pop_back();
            }
            found_.push_back(next);
            std::push_heap(found_.begin(), found_.end());
            frontier_.push_back(next);
            std::push_heap(frontier_.begin(), frontier_.end(), std::greater<>());
        }
    }
    std::sort_heap(found_.begin(), found_.end());
}

std::span<const Neighbour> BeamSearch::search(const Probe& probe, std::uint32_t ef) {
    found_.clear();
    if (graph_.nodes == 0) return found_;
    Neighbour at = scan(level(graph_.levels.size()), probe);
    for (std::size_t l = graph_.levels.size(); l > 0; --l) {
        if (l < graph_.levels.size()) {
            search_level(level(l), probe, at, 1);
            at = found_.front();
        }
        at.node = graph_.levels[l - 1].below[at.node];
    }
    search_level(level(0), probe, at, std::max(ef, 1u));
    return found_;
}

std::span<const Neighbour> BeamSearch::search_from(NodeId start, const Probe& probe, std::uint32_t ef) {
    batch_.assign(1, start);
    measure(level(0), probe);
    search_level(level(0), probe, {batch_distance_[0], start}, std::max(ef, 1u));
    return found_;
}

}  // namespace nphd
