#include "engine/search/candidate_buckets.hpp"

#include <algorithm>

namespace nphd {

void CandidateBuckets::start(std::uint32_t max_raw) {
    for (shift_ = 0; max_raw >> shift_ > kMaxBucket;) ++shift_;
    const std::size_t buckets = std::size_t{max_raw >> shift_} + 1;
    frontier_head_.assign(buckets, kEnd);
    found_head_.assign(buckets, kEnd);
    frontier_bits_.clear();
    found_bits_.clear();
    pool_.clear();
}

void CandidateBuckets::reserve(std::size_t n) {
    if (pool_.capacity() - pool_.size() < n) pool_.reserve(std::max(pool_.size() * 2, pool_.size() + n));
}

}  // namespace nphd
