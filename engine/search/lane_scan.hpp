// The nodes of a lane in ascending order of (distance, node) by reading all codes, a batch at a time.
#pragma once

#include <vector>

#include "engine/search/lane_query.hpp"
#include "engine/search/ranked_node.hpp"

namespace nphd {

/// Each pass over the codes keeps the B least nodes after the last one handed out; B grows by 8 from pass to pass, up
/// to 2^18, so an early end is cheap and memory stays below 4 MB. Leaves out the nodes that `skip` holds, and those
/// that are not live.
class LaneScan {
public:
    /// Nodes farther than `most` (raw) are left out; `first_batch` is B in the first pass.
    void start(const LaneQuery* query, BatchSpace* space, std::uint32_t most = ~0u,
               std::size_t first_batch = kFirstBatch) noexcept;

    bool empty() const noexcept { return in_pass_ || next_ == batch_.size(); }
    RankedNode front() const noexcept { return batch_[next_]; }
    void pop() noexcept { ++next_; }
    /// Outside of a pass: nothing is left behind the batch.
    bool exhausted() const noexcept { return exhausted_; }
    /// With an empty batch: no node to come is nearer than this raw distance.
    std::uint32_t bound() const noexcept { return started_ ? raw_of(watermark_) : 0; }

    std::uint64_t codes_read() const noexcept { return codes_read_; }
    /// Memory held.
    std::size_t bytes() const noexcept { return batch_.capacity() * sizeof(RankedNode); }

    /// Goes on with the next pass, which an empty and not exhausted scan needs. Returns whether the pass is complete;
    /// stops when `budget` (units of 32 bytes) is used up. `skip(node)` says which nodes are none of ours.
    template <class Skip>
    bool advance(std::uint64_t& budget, const Skip& skip);

    static constexpr std::size_t kFirstBatch = 64;

private:
    static constexpr std::uint32_t kBlock = BatchSpace::kNodes;
    static constexpr std::size_t kLargestBatch = std::size_t{1} << 18;

    void begin_pass();
    void end_pass();
    void shrink();
    template <class Skip>
    void take(std::uint32_t n, const Skip& skip, std::uint64_t& work);

    const LaneQuery* query_ = nullptr;
    BatchSpace* space_ = nullptr;
    std::uint64_t codes_read_ = 0;
    std::size_t batch_size_ = kFirstBatch;
    std::vector<RankedNode> batch_;  // ascending from next_ on, outside of a pass
    std::size_t next_ = 0;
    bool exhausted_ = false;
    bool started_ = false;  // watermark_ holds the last node handed out
    RankedNode watermark_ = 0;
    // A pass in progress.
    bool in_pass_ = false;
    bool cut_ = false;  // nodes were dropped that come after the batch
    NodeId position_ = 0;
    RankedNode limit_ = 0;  // only nodes before it matter
    RankedNode most_ = 0;   // in any pass
};

template <class Skip>
bool LaneScan::advance(std::uint64_t& budget, const Skip& skip) {
    if (!in_pass_) begin_pass();
    while (position_ < query_->view->nodes) {
        if (budget == 0) return false;
        const std::uint32_t left = query_->view->nodes - position_;
        const std::uint32_t n = left < kBlock ? left : kBlock;
        query_->range(position_, n, space_->distances);
        std::uint64_t work = std::uint64_t{n} * query_->work();
        take(n, skip, work);
        position_ += n;
        codes_read_ += n;
        budget -= work < budget ? work : budget;
    }
    end_pass();
    return true;
}

template <class Skip>
void LaneScan::take(std::uint32_t n, const Skip& skip, std::uint64_t& work) {
    constexpr std::uint32_t kGroup = 16;
    static_assert(kBlock % kGroup == 0);
    // Behind the last node the array holds distances of earlier blocks, which the inner loop does not look at.
    const std::uint32_t groups = (n + kGroup - 1) / kGroup;
    const std::uint32_t least = started_ ? raw_of(watermark_) : 0;
    const bool selects = query_->selects();
    for (std::uint32_t g = 0; g < groups; ++g) {
        // Most groups hold nothing of interest; this form needs one comparison a code, and no branch.
        const std::uint32_t* const d = space_->distances + std::size_t{g} * kGroup;
        const std::uint32_t width = raw_of(limit_) - least;
        std::uint32_t hit = 0;
        for (std::uint32_t j = 0; j < kGroup; ++j) hit |= static_cast<std::uint32_t>(d[j] - least <= width);
        if (hit == 0) continue;
        for (std::uint32_t j = 0; j < kGroup && g * kGroup + j < n; ++j) {
            const RankedNode r = ranked(d[j], position_ + g * kGroup + j);
            if (r >= limit_ || (started_ && r <= watermark_)) continue;
            if (skip(node_of(r)) || (selects && !query_->live(node_of(r), work))) continue;
            batch_.push_back(r);
            if (batch_.size() == 2 * batch_size_) shrink();
        }
    }
}

}  // namespace nphd
