// The rows of a lane by the value of a filter column: what answers =, IN and ranges, and counts them. Made from the
// column's finished values; shard/format.hpp says what the parts hold.
#pragma once

#include "engine/base/memory_budget.hpp"
#include "engine/base/worker_pool.hpp"
#include "engine/shard/lookup_tables.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd {

/// Of a bloom filter alone there is always a block, so `bloom` tells whether there is an order.
struct ValueOrder {
    std::uint32_t places = 0;  // postings that are not NULL
    PackedNumbers postings;
    LargeArray<std::byte> fences;  // every kFenceStride-th value
    std::uint32_t bloom_blocks = 0;
    LargeArray<std::byte> bloom;  // of the distinct values
};

/// `column`: values and NULL words of `postings` > 0 postings. Takes 8 to 32 bytes a posting for the time being, by the
/// width of a value. Throws Cancelled and std::bad_alloc.
ValueOrder build_value_order(const FilterColumnView& column, std::uint32_t postings, MemoryBudget&, Progress&);

}  // namespace nphd
