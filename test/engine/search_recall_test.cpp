// How much of the truth the graph finds at default settings, on data like that of real users.
#include "test/engine/search_fixture.hpp"

namespace nphd::test {
namespace {

ShardOptions with_graph(Metric metric = Metric::nphd) {
    ShardOptions o;
    o.metric = metric;
    o.graph_threshold = 1000;
    return o;
}

struct Figures {
    double recall = 0;     // mean over the queries
    double distances = 0;  // per query
};

/// Recall at k over queries cut to `query_bytes`.
Figures measure(const std::vector<SearchedLane>& lanes, const CodeSet& queries, std::size_t query_bytes, std::size_t k,
                const NearestOptions& options = {}) {
    Figures out;
    NearestSearch search;
    for (std::uint32_t i = 0; i < queries.size(); ++i) {
        const auto query = queries.code(i).first(query_bytes);
        begin(search, query, lanes, options);
        const auto hits = take(search, k);
        out.recall += recall(hits, exact_keys(query, lanes, options.metric), k);
        out.distances += static_cast<double>(search.distances());
    }
    out.recall /= queries.size();
    out.distances /= queries.size();
    ::testing::Test::RecordProperty("recall", std::to_string(out.recall));
    ::testing::Test::RecordProperty("distances", std::to_string(out.distances));
    return out;
}

bool nearer(const NearestHit& a, const NearestHit& b) { return a.key < b.key; }

TEST(SearchRecall, ClusteredCodes) {
    const auto data = clustered_data(40000, 100, 32, 201);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    ASSERT_TRUE(shard->view.lanes[0].has_graph());
    for (const std::size_t bytes : {32u, 16u, 8u}) {
        SCOPED_TRACE(bytes);
        const Figures f = measure(lanes_of(shard->view), data.queries, bytes, 10);
        EXPECT_GE(f.recall, 0.95);
        EXPECT_LT(f.distances, data.codes.size() / 5);
    }
}

TEST(SearchRecall, NearDuplicates) {
    const auto data = near_duplicate_data(60000, 100, 32, 202);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    for (const std::size_t bytes : {32u, 16u, 8u}) {
        SCOPED_TRACE(bytes);
        const Figures f = measure(lanes_of(shard->view), data.queries, bytes, 10);
        EXPECT_GE(f.recall, 0.95);
        EXPECT_LT(f.distances, data.codes.size() / 10);
    }
}

TEST(SearchRecall, NearDuplicatesInLongCodes) {
    const auto data = near_duplicate_data(20000, 100, 128, 203);
    const auto shard = make_shard(rows_of(data.codes), with_graph(Metric::hamming));
    NearestOptions options;
    options.metric = Metric::hamming;
    EXPECT_GE(measure(lanes_of(shard->view), data.queries, 128, 10, options).recall, 0.95);
}

TEST(SearchRecall, SparseFingerprintsUnderJaccard) {
    const auto data = sparse_data(30000, 60, 128, 204);
    const auto shard = make_shard(rows_of(data.codes), with_graph(Metric::jaccard));
    NearestOptions options;
    options.metric = Metric::jaccard;
    EXPECT_GE(measure(lanes_of(shard->view), data.queries, 128, 10, options).recall, 0.95);
}

TEST(SearchRecall, AlmostEqualCodes) {
    const auto data = near_identical_data(40000, 100, 32, 205, 4);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    EXPECT_GE(measure(lanes_of(shard->view), data.queries, 32, 10).recall, 0.99);
}

TEST(SearchRecall, UnrelatedCodesDoNotMakeTheWorkExplode) {
    const auto data = uniform_data(100000, 30, 32, 206);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    NearestOptions options;
    NearestSearch search;
    for (std::uint32_t i = 0; i < data.queries.size(); ++i) {
        begin(search, data.queries.code(i), lanes_of(shard->view), options);
        take(search, 10);
        // The walk stops at the cap, or earlier, where the scan of the rest costs no more than the walk did.
        const LaneAccount account = search.account(0);
        EXPECT_LE(account.distances,
                  account.way == LaneAccount::graph ? 2 * options.visit_cap : data.codes.size() * 11 / 10);
    }
}

TEST(SearchRecall, SurvivesTombstones) {
    const std::uint64_t seed = 207;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    for (const bool clustered : {true, false}) {
        const auto data = clustered ? clustered_data(40000, 80, 32, seed) : near_duplicate_data(40000, 80, 32, seed);
        const auto shard = make_shard(rows_of(data.codes), with_graph());
        for (const double share : {0.2, 0.6}) {
            SCOPED_TRACE(share);
            const auto dead = random_tombstones(shard->view, share, random);
            EXPECT_GE(measure(lanes_of(shard->view, dead), data.queries, 32, 10).recall, 0.95);
        }
    }
}

TEST(SearchRecall, ADeadNeighbourhoodDoesNotHideWhatLiesBehind) {
    const auto data = clustered_data(40000, 60, 32, 208);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    const LaneView& lane = shard->view.lanes[0];
    NearestOptions exact;
    exact.exact = true;
    NearestSearch search;
    double sum = 0;
    for (std::uint32_t i = 0; i < data.queries.size(); ++i) {
        const auto query = data.queries.code(i);
        begin(search, query, lanes_of(shard->view), exact);
        std::vector<std::uint8_t> dead((shard->view.postings + 7) / 8);
        for (const NearestHit& hit : take(search, 300)) {
            LaneView::PostingRange range{};
            ASSERT_TRUE(lane.posting_range(hit.node, range));
            for (std::uint32_t p = range.begin; p < range.end; ++p)
                dead[p / 8] = static_cast<std::uint8_t>(dead[p / 8] | 1u << p % 8);
        }
        const auto lanes = lanes_of(shard->view, dead);
        begin(search, query, lanes, {});
        const auto hits = take(search, 10);
        ASSERT_EQ(hits.size(), 10u);
        sum += recall(hits, exact_keys(query, lanes, Metric::nphd), 10);
    }
    EXPECT_GE(sum / data.queries.size(), 0.95);
}

TEST(SearchRecall, LongStreamsFindNearlyAllInOrder) {
    const auto data = clustered_data(40000, 10, 32, 209);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    const auto lanes = lanes_of(shard->view);
    NearestSearch search;
    for (std::uint32_t i = 0; i < data.queries.size(); ++i) {
        const auto query = data.queries.code(i);
        const auto exact = exact_keys(query, lanes, Metric::nphd);
        for (const std::size_t k : {100u, 1000u, 10000u}) {
            begin(search, query, lanes, {});
            const auto hits = take(search, k);
            EXPECT_GE(recall(hits, exact, k), 0.97) << k;
            EXPECT_TRUE(std::is_sorted(hits.begin(), hits.end(), nearer)) << k;
        }
    }
}

TEST(SearchRecall, WhatIsFoundLateWaitsForTheEndOfTheStream) {
    // So little effort on codes so hard that the walk misses near ones, which the scan of the rest then finds.
    const auto data = near_duplicate_data(30000, 20, 32, 213);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    NearestOptions options;
    options.ef_search = 1;
    options.slack = 0;
    NearestSearch search;
    std::size_t late = 0;
    for (std::uint32_t i = 0; i < data.queries.size(); ++i) {
        begin(search, data.queries.code(i), lanes_of(shard->view), options);
        const auto hits = take(search, data.codes.size() + 1);
        EXPECT_EQ(hits.size(), shard->view.nodes);
        const auto first_late = std::find_if(hits.begin(), hits.end(), [](const NearestHit& h) { return h.late; });
        EXPECT_TRUE(std::all_of(first_late, hits.end(), [](const NearestHit& h) { return h.late; }));
        EXPECT_TRUE(std::is_sorted(hits.begin(), first_late, nearer));
        EXPECT_TRUE(std::is_sorted(first_late, hits.end(), nearer));
        late += static_cast<std::size_t>(hits.end() - first_late);
    }
    EXPECT_GT(late, 0u);
}

TEST(SearchRecall, EveryCodeOfASkewedMixFindsItself) {
    for (const std::uint32_t short_percent : {10u, 90u}) {
        SCOPED_TRACE(short_percent);
        const auto codes = mixed_length_codes(40000, short_percent, 210);
        const auto shard = make_shard(rows_of(codes), with_graph());
        const auto lanes = lanes_of(shard->view);
        ASSERT_EQ(lanes.size(), 2u);
        NearestSearch search;
        std::size_t asked = 0, missed = 0;
        for (std::size_t i = 0; i < codes.size(); i += 13) {
            begin(search, codes[i], lanes, {});
            bool found = false;
            // All codes that share the prefix are as near as the code itself.
            for (auto hits = take(search, 1); !found && !hits.empty() && hits[0].key == 0; hits = take(search, 1)) {
                const auto code = lanes[hits[0].lane].view->code(hits[0].node);
                found = code.size() == codes[i].size() && std::equal(code.begin(), code.end(), codes[i].begin());
            }
            ++asked;
            missed += !found;
        }
        EXPECT_LE(missed, asked / 1000);
    }
}

TEST(SearchRecall, SkewedMixesAreServedAtEveryQueryLength) {
    for (const std::uint32_t short_percent : {1u, 50u, 99u}) {
        SCOPED_TRACE(short_percent);
        const auto codes = mixed_length_codes(30000, short_percent, 211);
        const auto shard = make_shard(rows_of(codes), with_graph());
        const auto queries = ClusteredSource(32, 211).take(40, 999);
        for (const std::size_t bytes : {8u, 16u, 32u}) {
            SCOPED_TRACE(bytes);
            EXPECT_GE(measure(lanes_of(shard->view), queries, bytes, 10).recall, 0.95);
        }
    }
}

TEST(SearchRecall, SeveralShardsMergeByDistance) {
    const auto data = clustered_data(45000, 80, 32, 212);
    std::vector<Rows> rows(3);
    for (std::uint32_t i = 0; i < data.codes.size(); ++i) {
        const auto code = data.codes.code(i);
        rows[i % 3].push_back({{code.begin(), code.end()}, row_id(i)});
    }
    std::vector<std::unique_ptr<TestShard>> shards;
    std::vector<SearchedLane> lanes;
    for (const Rows& r : rows) {
        shards.push_back(make_shard(r, with_graph()));
        for (const auto& lane : lanes_of(shards.back()->view)) lanes.push_back(lane);
    }
    EXPECT_GE(measure(lanes, data.queries, 32, 10).recall, 0.95);
}

}  // namespace
}  // namespace nphd::test
