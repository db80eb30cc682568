// The nodes of a lane that have a posting which satisfies a filter: found by value, then compared.
#pragma once

#include <vector>

#include "engine/search/lane_query.hpp"
#include "engine/search/posting_filter.hpp"
#include "engine/search/ranked_node.hpp"

namespace nphd {

/// Batches of such nodes, with their distances, in no particular order. A node comes again where it has several
/// matching postings that do not come one after the other.
class FilteredNodes {
public:
    /// Query and space must stay as they are; the lane is one that is possible(). Reads its pages.
    void start(const LaneQuery* query, BatchSpace* space) noexcept;
    void rewind() noexcept { postings_.rewind(); }

    /// Whether the lane says which nodes its postings are under; if not, it is a small one.
    static bool possible(const LaneView& view) noexcept {
        return view.postings == view.nodes || view.posting_nodes.count != 0;
    }
    /// About what reading all of them takes, in units of 32 bytes read in sequence.
    std::uint64_t work() const noexcept { return work_; }
    /// Of all postings, those that are likely to satisfy the filter.
    double share() const noexcept { return postings_.estimate() / query_->view->postings; }
    /// It is certain that there is nothing.
    bool none() const noexcept { return postings_.candidates() == 0; }
    bool done() const noexcept { return postings_.done(); }

    /// The nodes of further live postings, in ids and distances of the space; returns how many, or 0 when there are
    /// none among those it looked at. Takes what it did from `budget`.
    std::uint32_t next(std::uint64_t& budget) noexcept;
    /// Distances computed since the start.
    std::uint64_t codes_read() const noexcept { return codes_read_; }

private:
    std::uint32_t nodes_of(std::uint32_t postings) const noexcept;

    const LaneQuery* query_ = nullptr;
    BatchSpace* space_ = nullptr;
    FilteredPostings postings_;
    std::uint64_t work_ = 0, work_of_candidate_ = 0;
    std::uint64_t codes_read_ = 0;
};

/// Those nodes in ascending order of (distance, node). Holds at most 2^20 of them; when there are more, the nearest
/// ones, and the next pass goes for what comes behind.
class LaneGather {
public:
    /// Nodes farther than `most` (raw) are left out.
    void start(const LaneQuery* query, BatchSpace* space, std::uint32_t most = ~0u) noexcept;
    const FilteredNodes& source() const noexcept { return source_; }

    bool empty() const noexcept { return in_pass_ || next_ == nodes_.size(); }
    RankedNode front() const noexcept { return nodes_[next_]; }
    /// `skip` as in advance().
    template <class Skip>
    void pop(const Skip& skip) noexcept {
        ++next_;
        settle(skip);
    }
    /// Outside of a pass: nothing is left behind the nodes held.
    bool exhausted() const noexcept { return exhausted_; }
    /// When empty: no node to come is nearer than this raw distance.
    std::uint32_t bound() const noexcept { return raw_of(in_pass_ || nodes_.empty() ? watermark_ : nodes_.back()); }

    std::uint64_t codes_read() const noexcept { return source_.codes_read(); }
    /// Memory held.
    std::size_t bytes() const noexcept { return nodes_.capacity() * sizeof(RankedNode); }

    /// Goes on with the next pass, which an empty and not exhausted gather needs. Returns whether the pass is complete;
    /// stops when `budget` (units of 32 bytes) is used up. `skip(node)` says which nodes are none of ours;
    /// it is asked about those only that come to be the front.
    template <class Skip>
    bool advance(std::uint64_t& budget, const Skip& skip);

private:
    static constexpr std::size_t kMostNodes = std::size_t{1} << 20;
    static constexpr std::size_t kFirstSorted = 64;

    void begin_pass() noexcept;
    void shrink() noexcept;
    template <class Skip>
    void settle(const Skip& skip) noexcept;
    void sort_more() noexcept;

    BatchSpace* space_ = nullptr;
    FilteredNodes source_;
    std::vector<RankedNode> nodes_;  // in a pass: any order; then ascending up to sorted_, the others behind
    std::size_t next_ = 0, sorted_ = 0, sort_size_ = kFirstSorted;
    bool exhausted_ = false;
    bool started_ = false;  // watermark_ holds the last node of the latest complete pass
    RankedNode watermark_ = 0;
    // A pass in progress.
    bool in_pass_ = false;
    bool cut_ = false;      // nodes were dropped that come after those held
    RankedNode limit_ = 0;  // only nodes before it matter
    RankedNode most_ = 0;   // in any pass
};

template <class Skip>
bool LaneGather::advance(std::uint64_t& budget, const Skip& skip) {
    if (!in_pass_) begin_pass();
    while (!source_.done()) {
        if (budget == 0) return false;
        const std::uint32_t n = source_.next(budget);
        for (std::uint32_t i = 0; i < n; ++i) {
            const RankedNode r = ranked(space_->distances[i], space_->ids[i]);
            if (r >= limit_ || (started_ && r <= watermark_)) continue;
            nodes_.push_back(r);
            if (nodes_.size() == kMostNodes) shrink();
        }
    }
    exhausted_ = !cut_;
    in_pass_ = false;
    settle(skip);
    return true;
}

/// Makes sure that the next node is sorted, is not to be skipped, and is none that came before; equal ones come one
/// after the other.
template <class Skip>
void LaneGather::settle(const Skip& skip) noexcept {
    for (; next_ < nodes_.size(); ++next_) {
        if (next_ == sorted_) sort_more();
        if ((next_ == 0 || nodes_[next_] != nodes_[next_ - 1]) && !skip(node_of(nodes_[next_]))) return;
    }
}

}  // namespace nphd
