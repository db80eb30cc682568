// The stream of hits of a search, and the oracle: all distances, computed one by one.
#pragma once

#include <algorithm>
#include <map>

#include "engine/search/dead_nodes.hpp"
#include "engine/search/nearest.hpp"
#include "test/engine/shard_fixture.hpp"

namespace nphd::test {

/// A lane of a shard and the tombstones that go with it.
struct SearchedLane {
    const LaneView* view;
    std::span<const std::uint8_t> dead;
    std::vector<std::uint8_t> dead_nodes = {};  // empty: not known
};

inline std::vector<SearchedLane> lanes_of(const ShardView& shard, std::span<const std::uint8_t> dead = {}) {
    std::vector<SearchedLane> out;
    for (const LaneView& lane : shard.lanes) out.push_back({&lane, dead});
    return out;
}
inline void find_dead_nodes(std::vector<SearchedLane>& lanes) {
    for (SearchedLane& lane : lanes) {
        lane.dead_nodes.assign(dead_nodes_bytes(*lane.view), 0);
        const NodeId part = lane.view->nodes / 3;
        mark_dead_nodes(*lane.view, lane.dead, part, lane.view->nodes, lane.dead_nodes.data());
        mark_dead_nodes(*lane.view, lane.dead, 0, part, lane.dead_nodes.data());
    }
}
/// Only the lanes that Hamming and Jaccard can compare with the query.
inline std::vector<SearchedLane> lanes_of_length(const ShardView& shard, std::size_t bytes,
                                                 std::span<const std::uint8_t> dead = {}) {
    std::vector<SearchedLane> out;
    for (const LaneView& lane : shard.lanes)
        if (lane.code_bytes == bytes) out.push_back({&lane, dead});
    return out;
}

inline void begin(NearestSearch& search, CodeBytes query, const std::vector<SearchedLane>& lanes,
                  const NearestOptions& options) {
    search.reset(query, options);
    for (std::uint32_t i = 0; i < lanes.size(); ++i) {
        if (search.add_lane(*lanes[i].view, lanes[i].dead, lanes[i].dead_nodes) != i)
            ADD_FAILURE() << "lane numbers are not ascending";
    }
}

/// Up to `limit` further hits.
inline std::vector<NearestHit> take(NearestSearch& search, std::size_t limit) {
    std::vector<NearestHit> out;
    NearestHit hit{};
    while (out.size() < limit) {
        const auto step = search.step(hit);
        if (step == NearestSearch::Step::end) break;
        if (step == NearestSearch::Step::hit) out.push_back(hit);
    }
    return out;
}

inline bool is_live(const SearchedLane& lane, NodeId node) {
    LaneView::PostingRange range{};
    if (!lane.view->posting_range(node, range)) return false;
    for (std::uint64_t p = lane.view->posting_base + range.begin; p < lane.view->posting_base + range.end; ++p)
        if (p / 8 >= lane.dead.size() || (lane.dead[p / 8] >> p % 8 & 1) == 0) return true;
    return false;
}

/// Keys of all live nodes, in ascending order.
inline std::vector<DistanceKey> exact_keys(CodeBytes query, const std::vector<SearchedLane>& lanes, Metric metric) {
    std::vector<DistanceKey> out;
    for (const SearchedLane& lane : lanes)
        for (NodeId node = 0; node < lane.view->nodes; ++node)
            if (is_live(lane, node)) out.push_back(distance_key(metric, query, lane.view->code(node)));
    std::sort(out.begin(), out.end());
    return out;
}

/// Every live node once, with its true distance.
inline void expect_complete(NearestSearch& search, const std::vector<NearestHit>& hits, CodeBytes query,
                            const std::vector<SearchedLane>& lanes, Metric metric) {
    std::vector<std::vector<bool>> seen;
    std::size_t live = 0;
    for (const SearchedLane& lane : lanes) {
        seen.emplace_back(lane.view->nodes);
        for (NodeId node = 0; node < lane.view->nodes; ++node) live += is_live(lane, node);
    }
    EXPECT_EQ(hits.size(), live);
    for (const NearestHit& hit : hits) {
        ASSERT_LT(hit.lane, lanes.size());
        const SearchedLane& lane = lanes[hit.lane];
        ASSERT_LT(hit.node, lane.view->nodes);
        EXPECT_FALSE(seen[hit.lane][hit.node]) << "node " << hit.node << " came twice";
        seen[hit.lane][hit.node] = true;
        EXPECT_TRUE(is_live(lane, hit.node));
        EXPECT_EQ(search.distance(hit), distance(metric, query, lane.view->code(hit.node)));
        EXPECT_EQ(hit.key, distance_key(metric, query, lane.view->code(hit.node)));
    }
}

inline bool same(const NearestHit& a, const NearestHit& b) {
    return a.key == b.key && a.lane == b.lane && a.node == b.node && a.late == b.late;
}

inline void expect_ascending(const std::vector<NearestHit>& hits) {
    EXPECT_TRUE(std::is_sorted(hits.begin(), hits.end(),
                               [](const NearestHit& a, const NearestHit& b) { return a.key < b.key; }));
}

/// How many of the first k hits are no farther than the true k-th, over k.
inline double recall(const std::vector<NearestHit>& hits, const std::vector<DistanceKey>& exact, std::size_t k) {
    k = std::min(k, exact.size());
    if (k == 0) return 1;
    const auto good =
        std::count_if(hits.begin(), hits.end(), [&](const NearestHit& h) { return h.key <= exact[k - 1]; });
    return static_cast<double>(std::min<std::ptrdiff_t>(good, static_cast<std::ptrdiff_t>(k))) / static_cast<double>(k);
}

/// One bit per posting, each set with probability `share`.
inline std::vector<std::uint8_t> random_tombstones(const ShardView& shard, double share, TestRandom& random) {
    std::vector<std::uint8_t> dead((shard.postings + 7) / 8);
    for (std::uint64_t p = 0; p < shard.postings; ++p)
        if (random.unit() <= share) dead[p / 8] = static_cast<std::uint8_t>(dead[p / 8] | 1u << p % 8);
    return dead;
}

}  // namespace nphd::test
