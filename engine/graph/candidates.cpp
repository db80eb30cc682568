#include "engine/graph/candidates.hpp"

#include <algorithm>

namespace nphd {

void CandidateLists::prefetch(NodeId node) const noexcept {
    const auto* ids = reinterpret_cast<const char*>(ids_.data() + offset(node));
    for (std::size_t b = 0; b < capacity_ * sizeof(NodeId); b += 64) __builtin_prefetch(ids + b, 1);
    const auto* distances = reinterpret_cast<const char*>(distances_.data() + offset(node));
    for (std::size_t b = 0; b < capacity_ * sizeof(std::uint16_t); b += 64) __builtin_prefetch(distances + b, 1);
}

void CandidateLists::merge(NodeId node, std::span<const PackedEdge> found) noexcept {
    PackedEdge old[kMaxCapacity];
    const std::uint32_t n_old = size_[node];
    NodeId* const ids = ids_.data() + offset(node);
    std::uint16_t* const distances = distances_.data() + offset(node);
    for (std::uint32_t i = 0; i < n_old; ++i) old[i] = pack_edge(distances[i], node, ids[i]);

    std::uint32_t n = 0, a = 0, b = 0;
    while (n < capacity_ && (a < n_old || b < found.size())) {
        const PackedEdge x = a < n_old ? old[a] : ~PackedEdge{0}, y = b < found.size() ? found[b] : ~PackedEdge{0};
        const PackedEdge least = std::min(x, y);
        a += x == least;
        b += y == least;
        ids[n] = edge_target(least, node);
        distances[n] = static_cast<std::uint16_t>(edge_distance(least));
        ++n;
    }
    size_[node] = static_cast<std::uint16_t>(n);
}

void CandidateLists::keep(NodeId node, std::span<const std::uint32_t> places) noexcept {
    NodeId* const ids = ids_.data() + offset(node);
    std::uint16_t* const distances = distances_.data() + offset(node);
    for (std::uint32_t i = 0; i < places.size(); ++i) {
        ids[i] = ids[places[i]];
        distances[i] = distances[places[i]];
    }
    size_[node] = static_cast<std::uint16_t>(places.size());
}

}  // namespace nphd
