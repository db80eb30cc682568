// The nodes that a walk has met, by distance: those not yet expanded, and those not yet handed out.
#pragma once

#include <bit>
#include <vector>

#include "engine/search/ranked_node.hpp"

namespace nphd {

/// Numbers of the non-empty among at most 4,160 buckets.
class BucketBitmap {
public:
    static constexpr std::uint32_t kNone = ~0u;

    void clear() noexcept {
        for (auto& w : words_) w = 0;
        low_ = kNone;
    }
    void set(std::uint32_t b) noexcept {
        words_[b / 64] |= std::uint64_t{1} << b % 64;
        if (b < low_) low_ = b;
    }
    void unset(std::uint32_t b) noexcept {
        words_[b / 64] &= ~(std::uint64_t{1} << b % 64);
        if (b == low_) find_low(b / 64);
    }
    /// The lowest one, or kNone.
    std::uint32_t low() const noexcept { return low_; }

private:
    static constexpr std::uint32_t kWords = 65;
    void find_low(std::uint32_t word) noexcept {
        for (; word < kWords; ++word) {
            if (words_[word] == 0) continue;
            low_ = word * 64 + static_cast<std::uint32_t>(std::countr_zero(words_[word]));
            return;
        }
        low_ = kNone;
    }
    std::uint64_t words_[kWords] = {};
    std::uint32_t low_ = kNone;
};

/// Two bucket queues over one pool of entries. Raw distances are small integers, so a bucket is one distance; where
/// there are more than 4,096 of them (long codes, Jaccard), a bucket is 2^shift distances and the order within it is
/// found when it is opened.
class CandidateBuckets {
public:
    static constexpr std::uint32_t kMaxBucket = 4096;

    void start(std::uint32_t max_raw);
    /// Room for n further nodes, so that push() will not allocate.
    void reserve(std::size_t n);
    /// A node of the frontier that, if `counts`, is to be handed out.
    void push(std::uint32_t raw, NodeId node, bool counts) noexcept {
        const auto at = static_cast<std::uint32_t>(pool_.size());
        const std::uint32_t b = bucket_of(raw);
        pool_.push_back({node, raw, frontier_head_[b], found_head_[b]});
        frontier_head_[b] = at;
        frontier_bits_.set(b);
        if (!counts) return;
        found_head_[b] = at;
        found_bits_.set(b);
    }
    std::size_t size() const noexcept { return pool_.size(); }
    /// Memory held.
    std::size_t bytes() const noexcept { return pool_.capacity() * sizeof(Entry); }

    std::uint32_t bucket_of(std::uint32_t raw) const noexcept { return raw >> shift_; }
    std::uint32_t least_raw(std::uint32_t bucket) const noexcept { return bucket << shift_; }

    /// The frontier: BucketBitmap::kNone when it ran dry.
    std::uint32_t frontier() const noexcept { return frontier_bits_.low(); }
    /// No node of the frontier is nearer; beyond all distances when it is dry.
    std::uint64_t frontier_raw() const noexcept {
        return frontier() == BucketBitmap::kNone ? ~std::uint64_t{0} : least_raw(frontier());
    }
    NodeId pop_frontier() noexcept {
        const std::uint32_t b = frontier();
        const Entry& e = pool_[frontier_head_[b]];
        frontier_head_[b] = e.next_frontier;
        if (e.next_frontier == kEnd) frontier_bits_.unset(b);
        return e.node;
    }
    NodeId peek_frontier() const noexcept { return pool_[frontier_head_[frontier()]].node; }

    /// The lowest bucket of nodes that were not handed out; BucketBitmap::kNone when there is none.
    std::uint32_t found() const noexcept { return found_bits_.low(); }
    /// Hands out all nodes of that bucket, in any order: take(RankedNode).
    template <class Take>
    void open_found(Take&& take) {
        const std::uint32_t b = found();
        for (std::uint32_t i = found_head_[b]; i != kEnd; i = pool_[i].next_found)
            take(ranked(pool_[i].raw, pool_[i].node));
        found_head_[b] = kEnd;
        found_bits_.unset(b);
    }

private:
    static constexpr std::uint32_t kEnd = ~0u;
    struct Entry {
        NodeId node;
        std::uint32_t raw;
        std::uint32_t next_frontier;
        std::uint32_t next_found;
    };

    std::uint32_t shift_ = 0;
    std::vector<Entry> pool_;
    std::vector<std::uint32_t> frontier_head_, found_head_;
    BucketBitmap frontier_bits_, found_bits_;
};

}  // namespace nphd
