// The nodes of a lane by best-first search over its graph, resumable, nothing ever discarded.
#pragma once

#include <vector>

#include "engine/search/best_keys.hpp"
#include "engine/search/candidate_buckets.hpp"
#include "engine/search/kth_best.hpp"
#include "engine/search/lane_query.hpp"
#include "engine/search/visited_set.hpp"

namespace nphd {

/// Knows the frontier (met, not expanded) and the found nodes (met, not handed out); when to expand and when to hand
/// out is the caller's business. Every id from a page is checked, and each node is met once, so any walk ends.
class LaneWalk {
public:
    /// Keeps track of the ef-th best live node found here (ef > 0), and puts the best ones into `best`.
    void start(const LaneQuery* query, std::uint32_t ef, BestKeys* best);
    /// From the highest level down to level 0. Once, before any expand().
    void descend();
    /// Follows the links of the nearest node of the frontier, which must not be dry.
    void expand();

    bool dry() const noexcept { return candidates_.frontier() == BucketBitmap::kNone; }
    /// No node of the frontier is nearer.
    std::uint32_t frontier_raw() const noexcept { return candidates_.least_raw(candidates_.frontier()); }
    std::size_t visited() const noexcept { return candidates_.size(); }
    bool was_visited(NodeId node) const noexcept { return visited_.contains(node); }
    /// Whether ef live nodes were found that are nearer than the frontier, or as near as it.
    bool settled() const noexcept {
        return ef_best_.get() != KthBest::kNone && candidates_.frontier() > ef_best_.get();
    }
    /// Nothing that was found and not handed out is nearer; beyond all distances when there is no such node.
    std::uint64_t found_raw() const noexcept;

    /// The nearest live node that was found and not handed out yet; false when there is none.
    bool front(RankedNode& out);
    void pop();

    std::uint64_t expanded() const noexcept { return expanded_; }
    /// Units of 32 bytes read since the last call, about.
    std::uint64_t take_work() noexcept;

private:
    static constexpr std::uint32_t kMaxLinks = 512;     // as open_shard allows
    static constexpr std::uint32_t kMaxScanned = 1024;  // entries of the highest level; builders stay far below

    struct Best {
        std::uint32_t raw;
        std::uint32_t entry;
    };
    void note(std::uint32_t raw, NodeId node) noexcept;
    void measure(std::uint32_t n) noexcept;
    void measure_entries(const LevelView& level, std::uint32_t n, Best& best) noexcept;
    void climb_down(const LevelView& level, std::uint32_t degree, Best& best) noexcept;

    const LaneQuery* query_ = nullptr;
    VisitedSet visited_;
    CandidateBuckets candidates_;
    KthBest ef_best_;
    BestKeys* best_keys_ = nullptr;
    std::uint64_t best_cut_ = 0;      // nearer nodes than this raw distance may belong to best_keys_
    std::vector<RankedNode> opened_;  // a heap, least first: what open buckets held
    std::uint32_t opened_bucket_ = 0;
    std::uint64_t expanded_ = 0;
    std::uint64_t work_ = 0;
    NodeId ids_[kMaxLinks > kMaxScanned ? kMaxLinks : kMaxScanned];
    std::uint32_t entries_[kMaxLinks > kMaxScanned ? kMaxLinks : kMaxScanned];
    std::uint32_t raws_[kMaxLinks > kMaxScanned ? kMaxLinks : kMaxScanned];
};

}  // namespace nphd
