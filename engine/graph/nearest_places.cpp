#include "engine/graph/nearest_places.hpp"

#include <algorithm>

#include "engine/graph/distance_rows.hpp"

namespace nphd {

namespace {
/// Collected values before the limit is lowered; twice k at least, so that lowering it is rare.
constexpr std::uint32_t room_for(std::uint32_t k) { return std::max(64u, 2 * k); }
}  // namespace

std::span<const std::uint32_t> NearestPlaces::find(std::uint32_t* row, std::uint32_t n, std::uint32_t k) {
    pad_row(row, n);
    k = std::min(n, k);
    found_.resize(room_for(k) + 2 * kRowBlock);
    sorted_.resize(found_.size());
    std::uint32_t count = 0;
    for (std::uint32_t limit = guess_; (count = collect(row, n, k, limit)) < k;) limit += limit / 8 + 1;
    pad_row(found_.data(), count);
    rank_sort(found_.data(), count, sorted_.data());
    if (k > 0) guess_ = (sorted_[k - 1] >> kPlaceBits) + 2;
    return {sorted_.data(), k};
}

/// Collects values below the limit, with their places: all of them, or at least the k smallest. Returns how many.
std::uint32_t NearestPlaces::collect(const std::uint32_t* row, std::uint32_t n, std::uint32_t k, std::uint32_t limit) {
    const std::uint32_t room = room_for(k);
    std::uint32_t* const found = found_.data();
    std::uint32_t count = 0;
    for (std::uint32_t block = 0; block < n; block += kRowBlock) {
        if (!any_below(row + block, all4(limit))) continue;
        for (std::uint32_t i = block; i < block + kRowBlock; ++i) {
            found[count] = row[i] << kPlaceBits | i;
            count += row[i] < limit;
        }
        if (count <= room) continue;
        limit = tighten(count, k, limit);
        count = static_cast<std::uint32_t>(
            std::remove_if(found, found + count, [&](std::uint32_t v) { return v >> kPlaceBits >= limit; }) - found);
        if (count <= room) continue;
        // More than fit are at the k-th distance; the first ones count, so those still to come do not.
        std::nth_element(found, found + k - 1, found + count);
        count = k;
        limit = found[k - 1] >> kPlaceBits;
    }
    return count;
}

/// A lower limit, such that at least k of the collected values stay below it and, if ties allow, few more.
std::uint32_t NearestPlaces::tighten(std::uint32_t count, std::uint32_t k, std::uint32_t limit) {
    pad_row(found_.data(), count);
    for (std::uint32_t low = 0; limit - low > 1;) {
        const std::uint32_t middle = low + (limit - low) / 2;
        const std::uint32_t below = count_below(found_.data(), count, middle << kPlaceBits);
        (below < k ? low : limit) = middle;
        if (below >= k && below <= k + k / 2) break;
    }
    return limit;
}

}  // namespace nphd
