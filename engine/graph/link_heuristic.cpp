#include "engine/graph/link_heuristic.hpp"

#include <algorithm>

#include "engine/graph/distance_rows.hpp"

namespace nphd {

std::span<const std::uint32_t> LinkHeuristic::take(const LocalCodes& codes, std::span<const std::uint32_t> places,
                                                   std::span<const std::uint32_t> distances, std::size_t limit) {
    const auto n = static_cast<std::uint32_t>(places.size());
    taken_.clear();
    row_.resize(2 * std::size_t{n} + kRowBlock);
    occluded_.assign(n + kRowBlock, 0);
    distance_.resize(n + kRowBlock);
    std::copy(distances.begin(), distances.end(), distance_.begin());
    for (std::uint32_t i = 0; i < n && taken_.size() < limit; ++i) {
        if (occluded_[i]) continue;
        taken_.push_back(i);
        codes.distances_to(places[i], places.subspan(i + 1), row_.data());
        mark_below(row_.data(), distance_.data() + i + 1, n - i - 1, occluded_.data() + i + 1);
    }
    return taken_;
}

}  // namespace nphd
