// What the stream of nearest codes promises whatever way it takes: completeness, true distances, order in exact mode.
#include "test/engine/search_fixture.hpp"

namespace nphd::test {
namespace {

constexpr std::uint32_t kLengths[] = {0, 1, 3, 8, 9, 16, 32, 64, 513, 8000};

Rows rows_of_lengths(std::span<const std::uint32_t> lengths, std::uint32_t n, TestRandom& random) {
    Rows rows;
    for (const std::uint32_t bytes : lengths) {
        CodeSet codes(bytes);
        const std::uint32_t count = bytes > 100 ? n / 10 + 1 : n;
        for (std::uint32_t i = 0; i < count; ++i) {
            // Few distinct codes where the length allows no more, and many equal distances in any case.
            const std::uint32_t at = codes.add();
            if (i % 3 == 0 || i == 0) {
                codes.set_random(at, random);
            } else {
                const auto from = codes.words(random.below(i));
                std::copy(from.begin(), from.end(), codes.words(at).begin());
                if (bytes > 0 && i % 3 == 1) codes.flip_bit(at, random.below(8 * bytes));
            }
        }
        append(rows, codes);
    }
    return rows;
}

/// Queries of every length: codes that are stored, near ones, and others.
std::vector<std::vector<std::uint8_t>> queries_for(const Rows& rows, TestRandom& random) {
    std::vector<std::vector<std::uint8_t>> out;
    for (const std::uint32_t bytes : {0u, 1u, 3u, 7u, 8u, 9u, 16u, 24u, 32u, 64u, 513u, 8000u}) {
        std::vector<std::uint8_t> any(bytes);
        for (auto& b : any) b = static_cast<std::uint8_t>(random.next() >> 56);
        out.push_back(any);
        const auto& stored = rows[random.below(static_cast<std::uint32_t>(rows.size()))].code;
        std::copy_n(stored.begin(), std::min<std::size_t>(stored.size(), bytes), any.begin());
        out.push_back(any);
    }
    return out;
}

std::vector<SearchedLane> comparable(const ShardView& view, Metric metric, std::size_t query_bytes,
                                     std::span<const std::uint8_t> dead = {}) {
    return metric == Metric::nphd ? lanes_of(view, dead) : lanes_of_length(view, query_bytes, dead);
}

struct Setting {
    Metric metric;
    bool graph;
};

class Stream : public testing::TestWithParam<Setting> {
protected:
    ShardOptions shard_options() const {
        ShardOptions o;
        o.metric = GetParam().metric;
        o.graph_threshold = GetParam().graph ? 50 : 1u << 30;
        return o;
    }
    NearestOptions options() const {
        NearestOptions o;
        o.metric = GetParam().metric;
        return o;
    }
};

TEST_P(Stream, BringsEveryNodeOnceWithItsTrueDistance) {
    const std::uint64_t seed = 101;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const Rows rows = rows_of_lengths(kLengths, 1500, random);
    const auto shard = make_shard(rows, shard_options());
    NearestSearch search;
    for (const auto& query : queries_for(rows, random)) {
        SCOPED_TRACE("query of " + std::to_string(query.size()) + " bytes");
        const auto lanes = comparable(shard->view, GetParam().metric, query.size());
        begin(search, query, lanes, options());
        const auto hits = take(search, ~std::size_t{0});
        expect_complete(search, hits, query, lanes, GetParam().metric);
        if (!GetParam().graph) expect_ascending(hits);
        NearestHit hit{};
        EXPECT_EQ(search.step(hit), NearestSearch::Step::end) << "the end is final";
    }
}

/// Announcing pages to the kernel changes nothing else.
TEST_P(Stream, IsTheSameOutOfCore) {
    const std::uint64_t seed = 108;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const Rows rows = rows_of_lengths(kLengths, 1500, random);
    const auto shard = make_shard(rows, shard_options());
    std::vector<LaneView> announced = shard->view.lanes;
    for (LaneView& lane : announced) lane.out_of_core = true;
    NearestSearch search;
    for (const auto& query : queries_for(rows, random)) {
        SCOPED_TRACE("query of " + std::to_string(query.size()) + " bytes");
        auto lanes = comparable(shard->view, GetParam().metric, query.size());
        begin(search, query, lanes, options());
        const auto hits = take(search, 1000);
        for (SearchedLane& lane : lanes)
            lane.view = &announced[static_cast<std::size_t>(lane.view - shard->view.lanes.data())];
        begin(search, query, lanes, options());
        EXPECT_TRUE(std::ranges::equal(hits, take(search, 1000), same));
    }
}

TEST_P(Stream, LeavesOutWhatIsDead) {
    const std::uint64_t seed = 102;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const std::uint32_t lengths[] = {1, 8, 32};
    const Rows rows = rows_of_lengths(lengths, 3000, random);
    const auto shard = make_shard(rows, shard_options());
    NearestSearch search;
    for (const double share : {0.05, 0.5, 0.95, 1.0}) {
        SCOPED_TRACE(share);
        auto dead = random_tombstones(shard->view, share, random);
        // A bitmap may end early: what it does not cover is alive.
        if (share < 1) dead.resize(dead.size() - 20);
        for (const auto& query : queries_for(rows, random)) {
            if (query.size() > 32) continue;
            auto lanes = comparable(shard->view, GetParam().metric, query.size(), dead);
            begin(search, query, lanes, options());
            const auto hits = take(search, ~std::size_t{0});
            expect_complete(search, hits, query, lanes, GetParam().metric);
            find_dead_nodes(lanes);
            begin(search, query, lanes, options());
            const auto again = take(search, ~std::size_t{0});
            EXPECT_TRUE(std::equal(hits.begin(), hits.end(), again.begin(), again.end(), same));
        }
    }
}

TEST(DeadNodes, AreThoseWithoutALivingPosting) {
    const std::uint64_t seed = 105;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const std::uint32_t lengths[] = {0, 1, 2, 32};
    const auto shard = make_shard(rows_of_lengths(lengths, 3000, random), {});
    for (const double share : {0.2, 0.9, 1.0}) {
        SCOPED_TRACE(share);
        auto dead = random_tombstones(shard->view, share, random);
        if (share < 1) dead.resize(dead.size() - 20);
        auto lanes = lanes_of(shard->view, dead);
        find_dead_nodes(lanes);
        for (const SearchedLane& lane : lanes)
            for (NodeId node = 0; node < lane.view->nodes; ++node)
                ASSERT_NE(lane.dead_nodes[node / 8] >> node % 8 & 1, is_live(lane, node)) << "node " << node;
    }
}

TEST_P(Stream, ExactModeIsInOrder) {
    const std::uint64_t seed = 103;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const Rows rows = rows_of_lengths(kLengths, 1500, random);
    const auto shard = make_shard(rows, shard_options());
    const auto dead = random_tombstones(shard->view, 0.2, random);
    NearestOptions exact = options();
    exact.exact = true;
    NearestSearch search;
    for (const auto& query : queries_for(rows, random)) {
        const auto lanes = comparable(shard->view, GetParam().metric, query.size(), dead);
        begin(search, query, lanes, exact);
        const auto hits = take(search, ~std::size_t{0});
        expect_complete(search, hits, query, lanes, GetParam().metric);
        expect_ascending(hits);
        for (std::uint32_t i = 0; i < lanes.size(); ++i) EXPECT_EQ(search.account(i).way, LaneAccount::scan);
    }
}

INSTANTIATE_TEST_SUITE_P(Search, Stream,
                         testing::Values(Setting{Metric::nphd, false}, Setting{Metric::hamming, false},
                                         Setting{Metric::jaccard, false}, Setting{Metric::nphd, true},
                                         Setting{Metric::hamming, true}, Setting{Metric::jaccard, true}),
                         [](const auto& info) {
                             const Setting& s = info.param;
                             const char* const metric = s.metric == Metric::nphd      ? "Nphd"
                                                        : s.metric == Metric::hamming ? "Hamming"
                                                                                      : "Jaccard";
                             return std::string(metric) + (s.graph ? "Graph" : "Scan");
                         });

TEST(Nearest, ExactModeFindsTheNearestAcrossEveryPairOfLengths) {
    const std::uint64_t seed = 111;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    NearestOptions exact;
    exact.exact = true;
    NearestSearch search;
    for (const std::uint32_t a : kLengths) {
        for (const std::uint32_t b : kLengths) {
            if (a >= b) continue;
            const std::uint32_t lengths[] = {a, b};
            const Rows rows = rows_of_lengths(lengths, 300, random);
            const auto shard = make_shard(rows);
            const auto lanes = lanes_of(shard->view);
            for (const std::uint32_t bytes : lengths) {
                std::vector<std::uint8_t> query(bytes);
                for (auto& x : query) x = static_cast<std::uint8_t>(random.next() >> 56);
                begin(search, query, lanes, exact);
                const auto hits = take(search, 10);
                const auto keys = exact_keys(query, lanes, Metric::nphd);
                ASSERT_EQ(hits.size(), std::min<std::size_t>(10, keys.size()));
                for (std::size_t i = 0; i < hits.size(); ++i) EXPECT_EQ(hits[i].key, keys[i]);
            }
        }
    }
}

TEST(Nearest, AQueryWithoutLanesHasNoHits) {
    NearestSearch search;
    NearestHit hit{};
    EXPECT_EQ(search.step(hit), NearestSearch::Step::end);
    search.reset({}, {});
    EXPECT_EQ(search.step(hit), NearestSearch::Step::end);
}

TEST(Nearest, EmptyCodesAreEqualAndFarFromAllOthers) {
    const auto shard = make_shard({{{}, row_id(0)}, {{0xFF}, row_id(1)}, {{0x0F}, row_id(2)}});
    const auto lanes = lanes_of(shard->view);
    NearestSearch search;
    begin(search, {}, lanes, {});
    auto hits = take(search, 10);
    ASSERT_EQ(hits.size(), 3u);
    EXPECT_EQ(search.distance(hits[0]), 0.0);
    EXPECT_EQ(search.distance(hits[1]), 1.0);
    EXPECT_EQ(search.distance(hits[2]), 1.0);
    const std::uint8_t query[] = {0xFF};
    begin(search, query, lanes, {});
    hits = take(search, 10);
    ASSERT_EQ(hits.size(), 3u);
    EXPECT_EQ(search.distance(hits[0]), 0.0);
    EXPECT_EQ(search.distance(hits[1]), 0.5);
    EXPECT_EQ(search.distance(hits[2]), 1.0);
}

}  // namespace
}  // namespace nphd::test
