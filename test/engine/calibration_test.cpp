// What a lane knows of its own recall, and what a search makes of it.
#include "engine/search/calibration.hpp"
#include "test/engine/search_fixture.hpp"

namespace nphd::test {
namespace {

ShardOptions with_graph(Metric metric = Metric::nphd, std::uint32_t threshold = 1000) {
    ShardOptions o;
    o.metric = metric;
    o.graph_threshold = threshold;
    return o;
}

NearestOptions wanting(double recall, Metric metric = Metric::nphd) {
    NearestOptions o;
    o.metric = metric;
    o.recall = recall;
    return o;
}

std::uint32_t effort_of(const LaneView& lane, double recall, std::uint32_t bytes) {
    return choose_effort(lane, 8 * bytes, recall);
}

double recall_of(const TestShard& shard, const CodeSet& queries, std::size_t bytes, const NearestOptions& options) {
    const auto lanes = options.metric == Metric::nphd ? lanes_of(shard.view) : lanes_of_length(shard.view, bytes);
    NearestSearch search;
    double sum = 0;
    for (std::uint32_t i = 0; i < queries.size(); ++i) {
        const auto query = queries.code(i).first(bytes);
        begin(search, query, lanes, options);
        sum += recall(take(search, 10), exact_keys(query, lanes, options.metric), 10);
    }
    return sum / queries.size();
}

TEST(Calibration, TheWantedRecallIsReachedWithFreshQueries) {
    const DataSet sets[] = {clustered_data(50000, 150, 32, 301), near_duplicate_data(50000, 150, 32, 302),
                            near_duplicate_data(50000, 150, 32, 303, 5), uniform_data(50000, 60, 32, 304)};
    for (const DataSet& data : sets) {
        SCOPED_TRACE(&data - sets);
        const auto shard = make_shard(rows_of(data.codes), with_graph());
        for (const std::size_t bytes : {32u, 20u, 8u}) {
            SCOPED_TRACE(bytes);
            EXPECT_GE(recall_of(*shard, data.queries, bytes, wanting(0.95)), 0.93);
            EXPECT_EQ(recall_of(*shard, data.queries, bytes, wanting(1)), 1.0);
        }
    }
}

TEST(Calibration, ServesShortQueriesWithoutPrefixEdgesToo) {
    const auto data = clustered_data(40000, 60, 32, 305);
    auto options = with_graph();
    options.prefix_bytes = 0;
    const auto shard = make_shard(rows_of(data.codes), options);
    EXPECT_EQ(shard->view.lanes[0].prefix_bytes, 0u);
    EXPECT_GE(recall_of(*shard, data.queries, 8, wanting(0.95)), 0.93);
    EXPECT_GE(recall_of(*shard, data.queries, 32, wanting(0.95)), 0.93);
}

TEST(Calibration, WorksForTheOtherMetrics) {
    const auto near = near_duplicate_data(20000, 60, 128, 306);
    const auto hamming = make_shard(rows_of(near.codes), with_graph(Metric::hamming));
    EXPECT_GE(recall_of(*hamming, near.queries, 128, wanting(0.95, Metric::hamming)), 0.93);
    EXPECT_EQ(hamming->view.lanes[0].calibration[0] >> 16, 0u) << "there are no shorter queries";
    const auto sparse = sparse_data(30000, 60, 128, 307);
    const auto jaccard = make_shard(rows_of(sparse.codes), with_graph(Metric::jaccard));
    EXPECT_GE(recall_of(*jaccard, sparse.queries, 128, wanting(0.95, Metric::jaccard)), 0.93);
}

TEST(Calibration, UnrelatedCodesAreScanned) {
    const auto data = uniform_data(60000, 10, 32, 308);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    ASSERT_TRUE(shard->view.lanes[0].has_graph());
    NearestSearch search;
    for (std::uint32_t i = 0; i < data.queries.size(); ++i) {
        begin(search, data.queries.code(i), lanes_of(shard->view), wanting(0.95));
        take(search, 10);
        EXPECT_EQ(search.account(0).way, LaneAccount::scan);
        EXPECT_EQ(search.distances(), data.codes.size());
    }
}

TEST(Calibration, ClusteredCodesAreWalked) {
    const auto data = clustered_data(60000, 30, 32, 309);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    NearestSearch search;
    for (std::uint32_t i = 0; i < data.queries.size(); ++i) {
        begin(search, data.queries.code(i), lanes_of(shard->view), wanting(0.95));
        take(search, 10);
        EXPECT_EQ(search.account(0).way, LaneAccount::graph);
    }
}

TEST(Calibration, MoreRecallTakesMoreEffort) {
    const auto data = near_duplicate_data(120000, 1, 32, 310, 5);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    const LaneView& lane = shard->view.lanes[0];
    for (const std::uint32_t bytes : {32u, 20u, 8u}) {
        const auto rank = [](std::uint32_t effort) { return effort == kScanLane ? ~0u : effort; };
        std::uint32_t before = 0;
        for (const double wanted : {0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 0.999, 1.0}) {
            const std::uint32_t effort = effort_of(lane, wanted, bytes);
            EXPECT_GE(rank(effort), before) << wanted;
            EXPECT_GE(rank(effort), rank(effort_of(lane, wanted, 32)) * (bytes == 20)) << "as hard as either length";
            before = rank(effort);
        }
        EXPECT_EQ(effort_of(lane, 1.0, bytes), kScanLane);
    }
    const auto least = measured_recall(lane, 10), most = measured_recall(lane, 100000);
    ASSERT_TRUE(least && most);
    EXPECT_LE(*least, *most);
    EXPECT_LE(*most, 1.0);
    EXPECT_FALSE(measured_recall(lane, 9));
}

TEST(Calibration, IsTheSameWhateverTheThreads) {
    const auto rows = rows_of(near_duplicate_data(20000, 1, 32, 311).codes);
    MemoryBudget budget;
    const TestShard one(build_pages(rows, with_graph(), 1, budget)), many(build_pages(rows, with_graph(), 5, budget));
    EXPECT_TRUE(one.pages == many.pages);
    EXPECT_NE(one.view.lanes[0].calibration[0], 0u);
    // It comes from the graph alone: what was measured in memory is what is measured on the pages.
    for (const unsigned threads : {1u, 3u}) {
        std::uint32_t again[16];
        const Progress progress;
        calibrate(one.view.lanes[0], Metric::nphd, ShardOptions{}.seed, threads, progress, again);
        EXPECT_TRUE(std::equal(again, again + 16, one.view.lanes[0].calibration));
    }
}

TEST(Calibration, CanBeCancelled) {
    const auto shard = make_shard(rows_of(clustered_data(20000, 1, 32, 312).codes), with_graph());
    Progress progress;
    progress.cancel = true;
    std::uint32_t out[16];
    EXPECT_THROW(calibrate(shard->view.lanes[0], Metric::nphd, 1, 2, progress, out), Cancelled);
}

TEST(Calibration, AGraphThatWasNotCalibratedTakesAFixedEffort) {
    const auto data = clustered_data(30000, 10, 32, 313);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    LaneView& lane = shard->view.lanes[0];
    std::fill(std::begin(lane.calibration), std::end(lane.calibration), 0u);
    EXPECT_EQ(effort_of(lane, 0.5, 32), kUncalibratedEffort);
    EXPECT_EQ(effort_of(lane, 0.999, 32), kUncalibratedEffort);
    EXPECT_EQ(effort_of(lane, 1, 32), kScanLane);
    EXPECT_FALSE(measured_recall(lane, 40));
}

TEST(Calibration, LanesTooSmallToMeasureWorkToo) {
    for (const std::uint32_t n : {2u, 3u, 12u, 70u}) {
        const auto data = uniform_data(n, 5, 32, 314);
        const auto shard = make_shard(rows_of(data.codes), with_graph(Metric::nphd, 1));
        ASSERT_TRUE(shard->view.lanes[0].has_graph());
        for (const double wanted : {0.5, 0.95, 1.0}) {
            NearestSearch search;
            const auto lanes = lanes_of(shard->view);
            begin(search, data.queries.code(0), lanes, wanting(wanted));
            const auto hits = take(search, n + 1);
            expect_complete(search, hits, data.queries.code(0), lanes, Metric::nphd);
        }
    }
}

TEST(Calibration, DamagedWordsDoNoHarm) {
    const std::uint64_t seed = 315;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const auto data = clustered_data(3000, 1, 32, seed);
    const auto shard = make_shard(rows_of(data.codes), with_graph());
    LaneView& lane = shard->view.lanes[0];
    for (int round = 0; round < 200; ++round) {
        for (auto& word : lane.calibration) word = static_cast<std::uint32_t>(random.next() >> random.below(33));
        if (round % 2) lane.calibration[0] = (lane.calibration[0] & ~0xFFu) | 1;
        const auto recall = measured_recall(lane, random.below(1000));
        EXPECT_TRUE(!recall || (*recall >= 0 && *recall <= 1));
        NearestSearch search;
        const auto lanes = lanes_of(shard->view);
        begin(search, data.queries.code(0), lanes, wanting(random.unit()));
        EXPECT_EQ(take(search, data.codes.size() + 1).size(), data.codes.size());
    }
}

TEST(Calibration, SamplesAreNoEntriesOfUpperLevels) {
    const auto shard = make_shard(rows_of(clustered_data(5000, 1, 32, 316).codes), with_graph());
    const LaneView& lane = shard->view.lanes[0];
    ASSERT_GT(lane.levels, 0u);
    std::vector<bool> entry(lane.nodes);
    for (std::uint32_t i = 0; i < lane.level[0].entries.count; ++i)
        entry[lane.level[0].entries.value<UpperEntry>(i).node] = true;
    RandomStream random(316);
    for (int i = 0; i < 5000; ++i) {
        const NodeId node = sample_node(lane, random);
        ASSERT_LT(node, lane.nodes);
        EXPECT_FALSE(entry[node]);
    }
}

/// All hits of a search for the hidden node's own code.
std::vector<NearestHit> hits_without(const LaneView& lane, NodeId hidden, const NearestOptions& options) {
    NearestSearch search;
    search.reset(lane.code(hidden), options);
    search.add_lane(lane, {}, {}, hidden);
    return take(search, lane.nodes + 1);
}

void expect_all_but(const LaneView& lane, NodeId hidden, const NearestOptions& options) {
    const auto hits = hits_without(lane, hidden, options);
    std::vector<bool> seen(lane.nodes);
    for (const NearestHit& hit : hits) {
        EXPECT_NE(hit.node, hidden);
        EXPECT_FALSE(seen[hit.node]);
        seen[hit.node] = true;
    }
    EXPECT_EQ(hits.size(), lane.nodes - 1);
}

TEST(HiddenNode, IsNeverReturned) {
    for (const std::uint32_t n : {3u, 50u, 4000u}) {  // without upper levels, and with some
        const auto shard = make_shard(rows_of(clustered_data(n, 1, 32, 317).codes), with_graph(Metric::nphd, 1));
        const LaneView& lane = shard->view.lanes[0];
        ASSERT_TRUE(lane.has_graph());
        std::vector<NodeId> hidden = {0, lane.nodes / 2, lane.nodes - 1};
        for (std::uint32_t l = 0; l < lane.levels; ++l)
            hidden.push_back(lane.level[l].entries.value<UpperEntry>(0).node);
        NearestOptions exact;
        exact.exact = true;
        for (const NodeId node : hidden) {
            SCOPED_TRACE(node);
            expect_all_but(lane, node, {});
            expect_all_but(lane, node, exact);
            expect_all_but(lane, node, wanting(0.95));
        }
    }
}

TEST(HiddenNode, IsNotCountedAmongTheSettled) {
    // The neighbours of a hidden code are found as those of one that was never there.
    const auto shard = make_shard(rows_of(clustered_data(40000, 1, 32, 318).codes), with_graph());
    const LaneView& lane = shard->view.lanes[0];
    const auto lanes = lanes_of(shard->view);
    RandomStream random(318);
    double sum = 0;
    for (int i = 0; i < 50; ++i) {
        const NodeId hidden = sample_node(lane, random);
        auto exact = exact_keys(lane.code(hidden), lanes, Metric::nphd);
        exact.erase(exact.begin());  // itself
        NearestSearch search;
        search.reset(lane.code(hidden), {});
        search.add_lane(lane, {}, {}, hidden);
        sum += recall(take(search, 10), exact, 10);
    }
    EXPECT_GE(sum / 50, 0.95);
}

}  // namespace
}  // namespace nphd::test
