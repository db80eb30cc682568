// The nodes of a lane by best-first search over its graph, resumable, nothing ever discarded.
#pragma once

#include <vector>

#include "engine/search/candidate_buckets.hpp"
#include "engine/search/kth_best.hpp"
#include "engine/search/lane_query.hpp"
#include "engine/search/visited_set.hpp"

namespace nphd {

/// Knows the frontier (met, not expanded) and the found nodes (met, not handed out); when to expand and when to hand
/// out is the caller's business. Every id from a page is checked, and each node is met once, so any walk ends.
class LaneWalk {
public:
    /// The walk goes as if the node `hidden` (kNoNode: none) were not there.
    void start(const LaneQuery* query, BatchSpace* space, std::uint32_t ef, NodeId hidden);
    /// Nodes that are known to be near, as if the walk had met them. Before descend().
    void seed(const RankedNode* nodes, std::size_t n);
    /// From the highest level down to level 0. Once, before any expand().
    void descend();
    /// Follows the links of the nearest node of the frontier, which must not be dry.
    void expand();

    bool dry() const noexcept { return candidates_.frontier() == BucketBitmap::kNone; }
    /// No node of the frontier is nearer.
    std::uint64_t frontier_raw() const noexcept { return candidates_.frontier_raw(); }
    std::size_t visited() const noexcept { return candidates_.size(); }
    bool was_visited(NodeId node) const noexcept { return visited_.contains(node); }
    /// Whether the walk has converged on what is nearest in this lane: no node of the frontier is nearer than `factor`
    /// times the tenth best live node found, nor than the ef-th best.
    bool settled(double factor) const noexcept {
        if (best_.second() == KthBest::kNone) return false;
        const auto frontier = static_cast<double>(candidates_.frontier());
        return frontier > best_.second() && frontier > best_.first() * factor;
    }
    /// Among the nodes met lately that were near enough to count, the share of live ones; 1 before there are enough.
    double live_share() const noexcept { return asked_ < kFewestAsked ? 1 : (live_ + 1.0) / (asked_ + 1.0); }
    /// Nothing that was found and not handed out is nearer; beyond all distances when there is no such node.
    std::uint64_t found_raw() const noexcept;

    /// The nearest node that was found and not handed out yet, live or not looked at; false when there is none.
    bool front(RankedNode& out);
    void pop();

    std::uint64_t expanded() const noexcept { return expanded_; }
    /// Memory held, but for what grows with the lane only.
    std::size_t bytes() const noexcept { return candidates_.bytes() + opened_.capacity() * sizeof(RankedNode); }
    /// Units of 32 bytes read since the last call, about.
    std::uint64_t take_work() noexcept;

private:
    static constexpr std::uint32_t kSettledNodes = 10;
    static constexpr std::uint32_t kFewestAsked = 128;
    static constexpr std::uint32_t kUnlevelledStarts = 64;  // builders make a level above more nodes than this

    struct Best {
        std::uint32_t raw;
        std::uint32_t entry;
    };
    void prefetch_links(NodeId node) const noexcept;
    void note(std::uint32_t raw, NodeId node) noexcept;
    bool is_live(NodeId node) noexcept;
    void measure(std::uint32_t n) noexcept;
    void measure_entries(const LevelView& level, std::uint32_t n, Best& best) noexcept;
    void climb_down(const LevelView& level, std::uint32_t degree, Best& best) noexcept;

    const LaneQuery* query_ = nullptr;
    BatchSpace* space_ = nullptr;
    VisitedSet visited_;
    CandidateBuckets candidates_;
    KthBest best_;                    // by bucket
    std::vector<RankedNode> opened_;  // a heap, least first: what open buckets held
    std::uint32_t opened_bucket_ = 0;
    std::uint32_t asked_ = 0, live_ = 0;  // of the nodes that were near enough to count; both halved now and then
    std::uint64_t expanded_ = 0;
    std::uint64_t work_ = 0;
};

}  // namespace nphd
