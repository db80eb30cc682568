// Words and sizes that every part of the engine shares.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

namespace nphd {

/// What a lane measures. The values are stored on disk: never renumber.
enum class Metric : std::uint8_t { nphd = 1, hamming = 2, jaccard = 3 };

/// A distinct code of one lane; ids are local to the lane and dense from 0.
using NodeId = std::uint32_t;
inline constexpr NodeId kNoNode = 0xFFFFFFFFu;

/// Longest code that a lane can hold: a record must fit into one page.
inline constexpr std::uint32_t kMaxCodeBytes = 8000;

/// Pages are PostgreSQL's: 8192 bytes, of which the first 24 belong to the page header, the next 40
/// to our stamp (shard/format.hpp), and the rest to records.
inline constexpr std::size_t kPageBytes = 8192;
inline constexpr std::size_t kPageDataOffset = 64;
inline constexpr std::size_t kPageDataBytes = kPageBytes - kPageDataOffset;

/// The address of a table row (PostgreSQL's heap TID).
struct RowId {
    std::uint32_t block;
    std::uint16_t offset;
    friend auto operator<=>(const RowId&, const RowId&) = default;
};

/// A distance in [0, 1] as floor(d * 2^32), 1.0 saturating to 2^32 - 1. Every distance of ours is a fraction
/// with a denominator below 2^16, so two different ones are more than 2^-32 apart: equal keys mean equal
/// distances and the order of keys is the order of distances, across lanes of different lengths too.
using DistanceKey = std::uint32_t;

/// numerator / denominator as a key; 0 <= numerator <= denominator, 0 < denominator < 2^16.
constexpr DistanceKey fraction_key(std::uint32_t numerator, std::uint32_t denominator) noexcept {
    const std::uint64_t q = (static_cast<std::uint64_t>(numerator) << 32) / denominator;
    return q > 0xFFFFFFFFu ? 0xFFFFFFFFu : static_cast<DistanceKey>(q);
}

}  // namespace nphd
