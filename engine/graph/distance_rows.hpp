// Selections from rows of distances, with the compiler's vectors: 128 bits exist on every CPU, and -O2 does not make
// them out of loops. All values are below 2^31.
#pragma once

#include <cstdint>
#include <cstring>

namespace nphd {

/// Rows that these functions read are padded by the caller, or readable beyond the end, up to a multiple of this.
inline constexpr std::uint32_t kRowBlock = 16;
inline constexpr std::uint32_t kFarthest = 0x7FFFFFFF;

using Int4 = std::int32_t __attribute__((vector_size(16)));

[[gnu::always_inline]] inline Int4 load4(const std::uint32_t* values) noexcept {
    Int4 v;
    std::memcpy(&v, values, sizeof v);
    return v;
}
[[gnu::always_inline]] inline Int4 all4(std::uint32_t value) noexcept {
    const auto v = static_cast<std::int32_t>(value);
    return Int4{v, v, v, v};
}
[[gnu::always_inline]] inline bool any4(Int4 mask) noexcept {
    std::uint64_t half[2];
    std::memcpy(half, &mask, sizeof half);
    return (half[0] | half[1]) != 0;
}

/// Makes row[n ..] farthest up to a whole block.
inline void pad_row(std::uint32_t* row, std::uint32_t n) noexcept {
    for (; n % kRowBlock != 0; ++n) row[n] = kFarthest;
}

/// Whether any of the block's 16 values is below the limit.
[[gnu::always_inline]] inline bool any_below(const std::uint32_t* block, Int4 limit) noexcept {
    return any4(((load4(block) < limit) | (load4(block + 4) < limit)) |
                ((load4(block + 8) < limit) | (load4(block + 12) < limit)));
}

/// The place of the first smallest of n > 0 values; padded.
inline std::uint32_t first_smallest(const std::uint32_t* row, std::uint32_t n) noexcept {
    const auto less = [](Int4 a, Int4 b) { return a < b ? a : b; };
    Int4 least[4] = {load4(row), load4(row + 4), load4(row + 8), load4(row + 12)};
    for (std::uint32_t i = kRowBlock; i < n; i += kRowBlock)
        for (std::uint32_t j = 0; j < 4; ++j) least[j] = less(load4(row + i + 4 * j), least[j]);
    const Int4 v = less(less(least[0], least[1]), less(least[2], least[3]));
    std::int32_t smallest = v[0];
    for (int j = 1; j < 4; ++j) smallest = v[j] < smallest ? v[j] : smallest;
    const Int4 limit = all4(static_cast<std::uint32_t>(smallest) + 1);
    std::uint32_t at = 0;
    while (!any_below(row + at, limit)) at += kRowBlock;
    while (static_cast<std::int32_t>(row[at]) != smallest) ++at;
    return at;
}

/// How many of n values are below the limit; padded up to a multiple of 4 with values that are not.
inline std::uint32_t count_below(const std::uint32_t* row, std::uint32_t n, std::uint32_t limit) noexcept {
    Int4 count = {};
    for (std::uint32_t i = 0; i < n; i += 4) count -= load4(row + i) < all4(limit);
    return static_cast<std::uint32_t>(count[0] + count[1] + count[2] + count[3]);
}

/// flags[i] becomes all ones where row[i] < distances[i]; a multiple of 4 of each is readable and writable.
inline void mark_below(const std::uint32_t* row, const std::uint32_t* distances, std::uint32_t n,
                       std::uint32_t* flags) noexcept {
    for (std::uint32_t i = 0; i < n; i += 4) {
        const Int4 f = load4(flags + i) | (load4(row + i) < load4(distances + i));
        std::memcpy(flags + i, &f, sizeof f);
    }
}

/// Sorts n distinct values by counting for each how many are less: no branch to mispredict, which for a few dozen
/// values is faster than any other way. `values` is padded, up to a multiple of 4.
inline void rank_sort(const std::uint32_t* values, std::uint32_t n, std::uint32_t* sorted) noexcept {
    for (std::uint32_t i = 0; i < n; ++i) {
        const Int4 v = all4(values[i]);
        Int4 rank = {};
        for (std::uint32_t j = 0; j < n; j += 4) rank -= load4(values + j) < v;
        sorted[rank[0] + rank[1] + rank[2] + rank[3]] = values[i];
    }
}

}  // namespace nphd
