// The smallest of a row of distances.
#pragma once

#include <span>
#include <vector>

#include "engine/base/types.hpp"

namespace nphd {

/// Selects the k smallest of a row. Rows that follow one another are best of similar values.
class NearestPlaces {
public:
    /// The places of the k smallest of n distances (k > 0, n < 2^15), ascending as distance << kPlaceBits | place:
    /// among equal distances the first. Distances are below 2^16. Overwrites row[n ..] up to a multiple of 16. Valid
    /// until the next call.
    std::span<const std::uint32_t> find(std::uint32_t* row, std::uint32_t n, std::uint32_t k);

    static constexpr std::uint32_t kPlaceBits = 15;
    static constexpr std::uint32_t kPlaceMask = (1u << kPlaceBits) - 1;

private:
    std::uint32_t collect(const std::uint32_t* row, std::uint32_t n, std::uint32_t k, std::uint32_t limit);
    std::uint32_t tighten(std::uint32_t count, std::uint32_t k, std::uint32_t limit);

    std::uint32_t guess_ = 1;  // what the k-th distance of the next row may be below: decides the time, not the result
    std::vector<std::uint32_t> found_, sorted_;
};

}  // namespace nphd
