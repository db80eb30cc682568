// Building graphs: codes a second on one core, and recall@10 at the number of distances that a plain beam search
// computes, for the bulk builder and for insertion-built HNSW over the same codes. Seeds are fixed.
#include <benchmark/benchmark.h>

#include <map>

#include "engine/graph/beam_search.hpp"
#include "engine/graph/graph.hpp"
#include "engine/graph/insertion_hnsw.hpp"
#include "test/engine/test_data.hpp"

namespace nphd::test {
namespace {

enum Data : int { clustered, near_duplicate };
enum Builder : int { bulk, bulk_prefix, insertion };

const DataSet& data(Data kind, std::uint32_t n) {
    static std::map<std::pair<Data, std::uint32_t>, DataSet> made;
    const auto found = made.find({kind, n});
    if (found != made.end()) return found->second;
    auto fresh = kind == clustered ? clustered_data(n, 200, 32, 7) : near_duplicate_data(n, 200, 32, 7);
    return made.emplace(std::pair{kind, n}, std::move(fresh)).first->second;
}

void recall_at(benchmark::State& state, const DataSet& d, const Graph& graph, std::uint32_t ef) {
    MemoryBudget budget;
    const RecordArray codes = d.codes.records();
    BeamSearch search(codes, graph, Metric::hamming, budget);
    double hits = 0;
    for (std::uint32_t q = 0; q < d.queries.size(); ++q) {
        const Probe probe = d.queries.probe(q);
        const auto truth = exact_distances(codes, probe, 10, Metric::hamming);
        const auto found = search.search(probe, ef);
        for (std::size_t i = 0; i < std::min<std::size_t>(10, found.size()); ++i)
            hits += found[i].distance <= truth.back();
    }
    const std::string suffix = "_ef" + std::to_string(ef);
    state.counters["recall" + suffix] = hits / (10.0 * d.queries.size());
    state.counters["distances" + suffix] = static_cast<double>(search.distances()) / d.queries.size();
}

void build(benchmark::State& state) {
    const auto kind = static_cast<Data>(state.range(0));
    const auto builder = static_cast<Builder>(state.range(1));
    const DataSet& d = data(kind, static_cast<std::uint32_t>(state.range(2)));
    GraphOptions options;
    options.prefix_bytes = builder == bulk_prefix ? 8 : 0;
    MemoryBudget budget;
    Graph graph;
    for (auto _ : state) {
        Progress progress;
        graph = builder == insertion ? build_insertion_hnsw(d.codes.records(), 32, options, budget, progress)
                                     : build_graph(d.codes.records(), 32, options, 1, budget, progress);
    }
    state.counters["codes_per_second"] =
        benchmark::Counter(static_cast<double>(d.codes.size()), benchmark::Counter::kIsIterationInvariantRate);
    for (const std::uint32_t ef : {40u, 160u}) recall_at(state, d, graph, ef);
    state.SetLabel(std::string(kind == clustered ? "clustered" : "near-duplicate") + ", " +
                   (builder == insertion     ? "insertion"
                    : builder == bulk_prefix ? "bulk with prefix edges"
                                             : "bulk"));
}
BENCHMARK(build)
    ->ArgsProduct({{clustered, near_duplicate}, {bulk, bulk_prefix, insertion}, {200000}})
    ->Iterations(1)
    ->Unit(benchmark::kSecond);

}  // namespace
}  // namespace nphd::test
