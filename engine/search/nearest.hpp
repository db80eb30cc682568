// The nearest codes of any number of lanes, one after the other, without an end set beforehand.
#pragma once

#include <limits>
#include <memory>
#include <span>

#include "engine/base/types.hpp"
#include "engine/search/lane_account.hpp"
#include "engine/search/posting_filter.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd {

struct NearestOptions {
    Metric metric = Metric::nphd;
    bool exact = false;  // walk no lane
    // A graph lane is walked until its frontier is beyond its ef_search-th best node found, or the tenth if that is
    // more.
    std::uint32_t ef_search = 10;
    // > 0: each lane's own measurement (calibration.hpp) picks its ef_search, or the scan, by this; 1: all are scanned.
    double recall = 0;
    // g: and until its frontier is beyond (1 + g) times its tenth best node found, and (1 + g) times the distance of
    // the row that is to come next. Meant for 256 compared bits; scaled by sqrt(256 / bits), within [1/2, 2], for
    // others. docs/benchmarks.md has recall and work by slack.
    double slack = 0.10;
    // Only nodes within this distance, in the units of the metric's SQL distance; all of them: nothing is walked.
    double radius = std::numeric_limits<double>::infinity();
    // Only nodes that have a living posting which satisfies it.
    PostingFilter filter;
    // Nodes that a lane's walk may visit before g is taken for 0; grows by a 32nd for each hit. A lane whose scan takes
    // at most four times as long as the walk took so far is scanned instead.
    std::uint32_t visit_cap = 4000;
};

/// One node: all postings of one distinct code.
struct NearestHit {
    DistanceKey key;
    std::uint32_t lane;  // as returned by add_lane
    NodeId node;
    bool late;  // nearer than hits before it; all that are late come at the end of the stream
};

/// A resumable search. The nodes nearest to the query in a lane with a graph are looked up first, in its radius tables
/// and its key directory, so a code that is stored finds itself and what differs from it in a few bits for certain; the
/// graph is walked only for what is farther. Hits come in ascending distance, each node at most once, and the stream
/// ends only when every node of every lane that has a live posting was returned. A node that the graph finds only after
/// a farther one was handed out is late: it waits until nothing else is left, so that the order is broken at the very
/// end only. Lanes without a graph, lanes whose frontier ran dry and lanes of which a large part was already visited
/// are scanned, in batches of growing size and bounded memory. Under a filter, walks go over all nodes and count those
/// that have a living posting which satisfies it; and where few postings do, their codes are read instead of walking
/// or scanning. Objects are meant to be reused: reset() keeps the
/// buffers. Throws std::bad_alloc; page contents are bounds-checked, never trusted.
class NearestSearch {
public:
    NearestSearch();
    ~NearestSearch();
    NearestSearch(const NearestSearch&) = delete;
    NearestSearch& operator=(const NearestSearch&) = delete;

    /// Starts over for a query of any length (0 included).
    void reset(std::span<const std::uint8_t> query, const NearestOptions&);
    /// The view and the bitmaps must stay as they are until the next reset, but for further bits that get set. `dead`:
    /// bit p (of byte p / 8, lowest first) set: posting p of the *shard* is a tombstone; an empty span: none.
    /// `dead_nodes`: the same by node of the lane (see mark_dead_nodes), which is faster; an empty span: not known.
    /// `hidden`: a node to search as if it were not there, not with a radius. Lanes of another length than the query
    /// are valid under NPHD only.
    /// Reads nothing of the lane's pages.
    std::uint32_t add_lane(const LaneView&, std::span<const std::uint8_t> dead,
                           std::span<const std::uint8_t> dead_nodes = {}, NodeId hidden = kNoNode);

    enum class Step { hit, more, end };
    /// Does a bounded amount of work (at most a few milliseconds): a hit, or more work to do, or nothing left.
    Step step(NearestHit& out);

    /// The exact distance of a hit, as the SQL operator computes it.
    double distance(const NearestHit&) const noexcept;
    /// What was done in a lane since the last reset.
    LaneAccount account(std::uint32_t lane) const noexcept;
    /// Whether a graph was walked; if not, the hits are certain to be the nearest.
    bool walked() const noexcept;
    /// What was done in all lanes, in units of 32 bytes read in sequence (search_work.hpp); does not vary.
    std::uint64_t work() const noexcept;
    /// The distances computed in all lanes.
    std::uint64_t distances() const noexcept;
    /// About how much memory the object holds on to between searches.
    std::size_t bytes_kept() const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nphd
