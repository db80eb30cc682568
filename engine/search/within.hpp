// All codes of any number of lanes within a radius, in no particular order.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "engine/base/types.hpp"
#include "engine/search/lane_account.hpp"
#include "engine/search/posting_filter.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd {

struct WithinHit {
    std::uint32_t lane;  // as returned by add_lane
    NodeId node;
};

/// Exact: every node that has a living posting and whose distance is at most the radius, each once. A lane is searched
/// through its radius tables where that is cheaper than reading all of its codes. Objects are meant to be reused:
/// reset() keeps the buffers. Throws std::bad_alloc; page contents are bounds-checked, never trusted.
class WithinSearch {
public:
    WithinSearch();
    ~WithinSearch();
    WithinSearch(const WithinSearch&) = delete;
    WithinSearch& operator=(const WithinSearch&) = delete;

    /// Starts over for a query of any length (0 included) and a radius >= 0 in the units of the metric's SQL distance.
    /// Only nodes that have a living posting which satisfies `filter`, whose data must live until the next reset.
    void reset(std::span<const std::uint8_t> query, Metric metric, double radius, const PostingFilter& filter = {});
    /// As NearestSearch::add_lane.
    std::uint32_t add_lane(const LaneView&, std::span<const std::uint8_t> dead);

    /// Does a bounded amount of work (at most a few milliseconds) and replaces `hits` by what it found. False: that was
    /// all.
    bool step(std::vector<WithinHit>& hits);

    /// What was done in a lane since the last reset.
    LaneAccount account(std::uint32_t lane) const noexcept;
    /// About how much memory the object holds on to between searches.
    std::size_t bytes_kept() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nphd
