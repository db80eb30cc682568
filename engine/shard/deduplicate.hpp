// Which rows of a lane hold the same code.
#pragma once

#include "engine/shard/lane_input.hpp"

namespace nphd {

/// Group g consists of the rows row(first[g]) .. row(first[g + 1] - 1), all with the same code. The order of the groups
/// depends on the codes alone, not on the order of arrival; rows of a group are ascending.
struct CodeGroups {
    std::uint32_t groups = 0;
    LargeArray<std::uint64_t> order;  // low 32 bits: row number
    LargeArray<std::uint32_t> first;  // groups + 1

    std::uint32_t row(std::size_t place) const noexcept { return static_cast<std::uint32_t>(order[place]); }
    std::uint32_t size(std::uint32_t group) const noexcept { return first[group + 1] - first[group]; }
};

/// Hash, scatter into buckets, sort each bucket, verify by bytes; colliding hashes are sorted by bytes, so the work is
/// O(n log n) whatever the codes are. Takes 8 bytes per row and 4 per group. Throws Cancelled and std::bad_alloc.
CodeGroups group_equal_codes(const LaneInput&, unsigned threads, MemoryBudget&, Progress&);

}  // namespace nphd
