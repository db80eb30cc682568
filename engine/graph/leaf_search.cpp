#include "engine/graph/leaf_search.hpp"

#include "engine/graph/distance_rows.hpp"

namespace nphd {

void LeafSearch::run(const RecordArray& codes, std::span<const NodeId> members, std::uint32_t k, CandidateLists& lists,
                     const Progress& progress) {
    const auto n = static_cast<std::uint32_t>(members.size());
    if (n < 2) return;
    local_.load(codes, members);
    row_.resize(2 * std::size_t{n} + kRowBlock);
    for (std::uint32_t i = 0; i < n; ++i) {
        if (i % 64 == 0) progress.check();
        if (i + 2 < n) lists.prefetch(members[i + 2]);
        // Each row starts behind the member itself and wraps around, for the sake of ties (see PackedEdge): its place p
        // is member (i + 1 + p) mod n.
        const std::uint32_t behind = n - 1 - i;
        local_.distances(local_.rows().at(i), i + 1, behind, row_.data());
        local_.distances(local_.rows().at(i), 0, i, row_.data() + behind);
        const auto nearest = nearest_.find(row_.data(), n - 1, k);
        places_.clear();
        distances_.clear();
        for (const std::uint32_t v : nearest) {
            const std::uint32_t place = i + 1 + (v & NearestPlaces::kPlaceMask);
            places_.push_back(place < n ? place : place - n);
            distances_.push_back(v >> NearestPlaces::kPlaceBits);
        }
        near_.load(local_.rows(), places_);
        found_.clear();
        for (const std::uint32_t j : heuristic_.take(near_, distances_, k))
            found_.push_back(pack_edge(distances_[j], members[i], members[places_[j]]));
        lists.merge(members[i], found_);
    }
}

}  // namespace nphd
