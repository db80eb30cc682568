#include "engine/graph/link_heuristic.hpp"

#include <algorithm>

#include "engine/graph/distance_rows.hpp"

namespace nphd {

std::span<const std::uint32_t> LinkHeuristic::take(const LocalCodes& codes, std::span<const std::uint32_t> distances,
                                                   std::size_t limit) {
    const std::uint32_t n = codes.size();
    taken_.clear();
    row_.resize(2 * std::size_t{n} + kRowBlock);
    occluded_.assign(n + kRowBlock, 0);
    distance_.resize(n + kRowBlock);
    std::copy(distances.begin(), distances.end(), distance_.begin());
    for (std::uint32_t i = 0; i < n && taken_.size() < limit; ++i) {
        if (occluded_[i]) continue;
        taken_.push_back(i);
        // Those behind are what is judged; a whole block is faster to measure than less.
        const std::uint32_t first = std::min(i + 1, n > kRowBlock ? n - kRowBlock : 0);
        codes.distances(codes.rows().at(i), first, n - first, row_.data());
        mark_below(row_.data(), distance_.data() + first, n - first, occluded_.data() + first);
    }
    return taken_;
}

}  // namespace nphd
