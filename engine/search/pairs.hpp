// All pairs of codes of any number of lanes within a radius.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/base/types.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd {

struct NodePair {
    std::uint32_t lane_a;  // as returned by add_lane; lane_a >= lane_b
    NodeId node_a;
    std::uint32_t lane_b;
    NodeId node_b;
    double distance;  // the metric's SQL distance
    friend bool operator==(const NodePair&, const NodePair&) = default;
};

/// Exact: every two nodes that have a living posting each and are at most the radius apart, once; and every living node
/// that has more than one posting with itself, at a distance of 0. Of two lanes the nodes of the smaller one are looked
/// up in the radius tables of the larger one where that is cheaper than to read all of its codes; the others are
/// compared with them in blocks that stay in the cache. Throws std::bad_alloc; page contents are bounds-checked, never
/// trusted. Keeps at most an eighth of a lane's nodes in memory.
class PairSearch {
public:
    PairSearch();
    ~PairSearch();
    PairSearch(const PairSearch&) = delete;
    PairSearch& operator=(const PairSearch&) = delete;

    /// Starts over. A radius >= 0 in the units of the metric's SQL distance.
    void reset(Metric metric, double radius);
    /// As NearestSearch::add_lane; lanes that the metric cannot compare with each other are not paired.
    std::uint32_t add_lane(const LaneView&, std::span<const std::uint8_t> dead);
    /// After the last lane: only pairs whose lane_a is in [begin, end).
    void restrict_to(std::uint32_t begin, std::uint32_t end) noexcept;

    /// Does a bounded amount of work (at most a few milliseconds) and replaces `pairs` by what it found, fewer than
    /// 4096. False: that was all.
    bool step(std::vector<NodePair>& pairs);

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nphd
