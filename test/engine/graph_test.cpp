// The bulk-built graph: its structure, its determinism, and how well it leads to what is near.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <queue>
#include <set>
#include <thread>

#include "engine/graph/beam_search.hpp"
#include "engine/graph/graph.hpp"
#include "engine/graph/insertion_hnsw.hpp"
#include "test/engine/test_data.hpp"

namespace nphd::test {
namespace {

Graph build(const CodeSet& codes, const GraphOptions& options, unsigned threads = 1) {
    static MemoryBudget budget;
    Progress progress;
    return build_graph(codes.records(), codes.code_bytes(), options, threads, budget, progress);
}

std::span<const NodeId> list_of(const NodeId* links, std::size_t entry, std::uint32_t degree) {
    const NodeId* first = links + entry * degree;
    return {first, std::find(first, first + degree, kNoNode)};
}

void expect_sound_list(std::span<const NodeId> list, NodeId self, std::size_t entries) {
    const std::set<NodeId> distinct(list.begin(), list.end());
    ASSERT_EQ(distinct.size(), list.size()) << "a link occurs twice at " << self;
    ASSERT_FALSE(distinct.contains(self)) << self << " links to itself";
    for (const NodeId target : list) ASSERT_LT(target, entries);
}

/// Nodes that level 0 leads to from `start`.
std::size_t reachable_from(const Graph& graph, NodeId start) {
    std::vector<bool> seen(graph.nodes);
    std::queue<NodeId> open;
    open.push(start);
    seen[start] = true;
    std::size_t count = 0;
    for (; !open.empty(); open.pop(), ++count)
        for (const NodeId next : list_of(graph.links.data(), open.front(), graph.degree))
            if (!seen[next]) {
                seen[next] = true;
                open.push(next);
            }
    return count;
}

void expect_sound(const Graph& graph, std::uint32_t nodes, const GraphOptions& options) {
    ASSERT_EQ(graph.nodes, nodes);
    ASSERT_EQ(graph.degree, 2 * options.m);
    ASSERT_EQ(graph.links.size(), std::size_t{nodes} * graph.degree);
    for (NodeId i = 0; i < nodes; ++i)
        ASSERT_NO_FATAL_FAILURE(expect_sound_list(list_of(graph.links.data(), i, graph.degree), i, nodes));
    const std::vector<NodeId>* below = nullptr;
    for (const GraphLevel& level : graph.levels) {
        ASSERT_EQ(level.below.size(), level.node.size());
        ASSERT_EQ(level.links.size(), level.node.size() * graph.upper_degree);
        ASSERT_TRUE(std::is_sorted(level.node.begin(), level.node.end()));
        for (std::uint32_t i = 0; i < level.node.size(); ++i) {
            ASSERT_LT(level.node[i], nodes);
            // A level is a sample of the one below.
            if (below != nullptr)
                ASSERT_EQ(below->at(level.below[i]), level.node[i]);
            else
                ASSERT_EQ(level.below[i], level.node[i]);
            ASSERT_NO_FATAL_FAILURE(
                expect_sound_list(list_of(level.links.data(), i, graph.upper_degree), i, level.node.size()));
        }
        below = &level.node;
    }
    EXPECT_EQ(reachable_from(graph, 0), nodes);
    EXPECT_EQ(reachable_from(graph, nodes - 1), nodes);
}

struct Figures {
    double recall;
    double distances;
};

Figures search_figures(const CodeSet& codes, const Graph& graph, const CodeSet& queries, std::uint32_t query_bytes,
                       std::uint32_t ef, Metric metric = Metric::hamming, std::uint32_t k = 10) {
    static MemoryBudget budget;
    const RecordArray records = codes.records();
    BeamSearch search(records, graph, metric, budget);
    double hits = 0, wanted = 0;
    for (std::uint32_t q = 0; q < queries.size(); ++q) {
        const Probe probe = queries.probe(q, query_bytes);
        const auto truth = exact_distances(records, probe, k, metric);
        const auto found = search.search(probe, ef);
        wanted += static_cast<double>(truth.size());
        for (std::size_t i = 0; i < found.size() && i < k; ++i) hits += found[i].distance <= truth.back();
    }
    return {hits / wanted, static_cast<double>(search.distances()) / queries.size()};
}

TEST(GraphStructure, IsSoundOnEveryKindOfData) {
    const std::vector<std::pair<const char*, CodeSet>> sets = {
        {"clustered", clustered_data(8000, 1, 32, 301).codes},
        {"near-duplicate", near_duplicate_data(8000, 1, 32, 302).codes},
        {"uniform", uniform_data(8000, 1, 8, 303).codes},
        {"few distances", low_entropy_data(20000, 1, 32, 304).codes},
        {"near-identical", near_identical_data(8000, 1, 32, 305).codes},
        {"equidistant", equidistant_codes(256)},
        {"odd length", uniform_data(3000, 1, 13, 306).codes},
    };
    for (const auto& [name, codes] : sets) {
        SCOPED_TRACE(name);
        for (const std::uint32_t prefix : {0u, 8u}) {
            GraphOptions options;
            options.prefix_bytes = codes.code_bytes() > prefix ? prefix : 0;
            ASSERT_NO_FATAL_FAILURE(expect_sound(build(codes, options), codes.size(), options));
        }
    }
}

TEST(GraphStructure, IsSoundUnderJaccard) {
    const auto data = sparse_data(6000, 1, 128, 307);
    GraphOptions options;
    options.metric = Metric::jaccard;
    expect_sound(build(data.codes, options), data.codes.size(), options);
}

TEST(GraphStructure, IsSoundWhenTiny) {
    for (const std::uint32_t n : {1u, 2u, 3u, 10u, 33u}) {
        SCOPED_TRACE(n);
        const auto codes = uniform_data(n, 1, 32, 310 + n).codes;
        GraphOptions options;
        ASSERT_NO_FATAL_FAILURE(expect_sound(build(codes, options), n, options));
    }
}

TEST(GraphStructure, OptionsSetTheDegrees) {
    const auto codes = clustered_data(4000, 1, 32, 320).codes;
    for (const std::uint32_t m : {4u, 8u, 64u}) {
        SCOPED_TRACE(m);
        GraphOptions options;
        options.m = m;
        expect_sound(build(codes, options), codes.size(), options);
    }
}

TEST(GraphDeterminism, ThreadsChangeNothing) {
    const auto codes = clustered_data(30000, 1, 32, 330).codes;
    GraphOptions options;
    options.prefix_bytes = 8;
    const Graph one = build(codes, options, 1);
    for (const unsigned threads : {2u, 3u}) {
        SCOPED_TRACE(threads);
        const Graph other = build(codes, options, threads);
        ASSERT_TRUE(std::equal(one.links.begin(), one.links.end(), other.links.begin(), other.links.end()));
        ASSERT_EQ(one.levels.size(), other.levels.size());
        for (std::size_t l = 0; l < one.levels.size(); ++l) {
            EXPECT_EQ(one.levels[l].node, other.levels[l].node);
            EXPECT_EQ(one.levels[l].links, other.levels[l].links);
        }
    }
}

TEST(GraphDeterminism, LocalityOrderIsAPermutationAndThreadsChangeNothing) {
    const auto codes = clustered_data(30000, 1, 32, 331).codes;
    MemoryBudget budget;
    Progress progress;
    const auto one = locality_order(codes.records(), 32, {}, 1, budget, progress);
    const auto two = locality_order(codes.records(), 32, {}, 2, budget, progress);
    ASSERT_TRUE(std::equal(one.begin(), one.end(), two.begin(), two.end()));
    std::vector<NodeId> sorted(one.begin(), one.end());
    std::sort(sorted.begin(), sorted.end());
    for (NodeId i = 0; i < codes.size(); ++i) ASSERT_EQ(sorted[i], i);

    // Neighbours in the order are nearer to each other than arbitrary codes.
    double beside = 0, apart = 0;
    for (NodeId i = 0; i + 1 < codes.size(); ++i) {
        beside += kernels().hamming(codes.code(one[i]).data(), codes.code(one[i + 1]).data(), 32);
        apart += kernels().hamming(codes.code(i).data(), codes.code((i + 7919) % codes.size()).data(), 32);
    }
    EXPECT_LT(beside, 0.95 * apart);
}

TEST(GraphRecall, ClusteredCodes) {
    const auto data = clustered_data(50000, 200, 32, 340);
    const Figures f = search_figures(data.codes, build(data.codes, {}), data.queries, 32, 40);
    EXPECT_GE(f.recall, 0.98);
    EXPECT_LT(f.distances, 900);
}

TEST(GraphRecall, NearDuplicates) {
    const auto data = near_duplicate_data(50000, 200, 32, 341);
    const Figures f = search_figures(data.codes, build(data.codes, {}), data.queries, 32, 100);
    EXPECT_GE(f.recall, 0.95);
    EXPECT_LT(f.distances, 2500);
}

TEST(GraphRecall, TiesEverywhere) {
    const auto data = low_entropy_data(60000, 200, 32, 342);
    EXPECT_GE(search_figures(data.codes, build(data.codes, {}), data.queries, 32, 64).recall, 0.95);
    const auto same = near_identical_data(20000, 200, 32, 343);
    EXPECT_GE(search_figures(same.codes, build(same.codes, {}), same.queries, 32, 64).recall, 0.95);
}

TEST(GraphRecall, SparseFingerprintsUnderJaccard) {
    const auto data = sparse_data(20000, 200, 128, 344);
    GraphOptions options;
    options.metric = Metric::jaccard;
    const Graph graph = build(data.codes, options);
    EXPECT_GE(search_figures(data.codes, graph, data.queries, 128, 64, Metric::jaccard).recall, 0.95);
}

TEST(GraphRecall, PrefixEdgesServeShortQueries) {
    const auto data = near_duplicate_data(40000, 200, 32, 345);
    GraphOptions with;
    with.prefix_bytes = 8;
    const Figures served = search_figures(data.codes, build(data.codes, with), data.queries, 8, 20);
    const Figures control = search_figures(data.codes, build(data.codes, {}), data.queries, 8, 20);
    EXPECT_GE(served.recall, 0.95);
    EXPECT_LT(control.recall, served.recall - 0.2) << "without prefix edges a 64-bit query should get lost";
}

TEST(GraphRecall, IsAtLeastThatOfInsertionAtEqualWork) {
    const auto data = clustered_data(30000, 200, 32, 346);
    MemoryBudget budget;
    Progress progress;
    GraphOptions options;
    const Graph inserted = build_insertion_hnsw(data.codes.records(), 32, options, budget, progress);
    const Figures reference = search_figures(data.codes, inserted, data.queries, 32, 40);
    const Graph bulk = build(data.codes, options);
    Figures best{0, 0};
    for (const std::uint32_t ef : {10u, 15u, 20u, 25u, 30u, 35u, 40u, 50u}) {
        const Figures f = search_figures(data.codes, bulk, data.queries, 32, ef);
        if (f.distances <= reference.distances) best = f;
    }
    EXPECT_GE(best.recall, reference.recall - 0.01);
}

TEST(GraphBuild, IsCancelledWithinASecond) {
    const auto codes = uniform_data(200000, 1, 32, 350).codes;
    MemoryBudget budget;
    Progress progress;
    std::chrono::steady_clock::time_point cancelled;
    std::thread canceller([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(300));
        cancelled = std::chrono::steady_clock::now();
        progress.cancel = true;
    });
    EXPECT_THROW(build_graph(codes.records(), 32, {}, 2, budget, progress), Cancelled);
    canceller.join();
    EXPECT_LT(std::chrono::steady_clock::now() - cancelled, std::chrono::seconds(1));
    EXPECT_EQ(budget.in_use(), 0u);
}

}  // namespace
}  // namespace nphd::test
