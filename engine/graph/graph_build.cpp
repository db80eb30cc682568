// Bulk building of a graph: its layers, from the bottom up, and the way between them.
#include <algorithm>
#include <cstring>

#include "engine/graph/connect.hpp"
#include "engine/graph/graph.hpp"
#include "engine/graph/layer.hpp"
#include "engine/graph/partition.hpp"
#include "engine/graph/random_stream.hpp"

namespace nphd {

namespace {

constexpr std::uint32_t kScanned = 64;   // entries that a search scans: the top level has at most so many
constexpr std::uint32_t kSampling = 32;  // one of so many entries is on the next level

/// One node out of each run of kSampling: where nodes are numbered by locality, that covers the space evenly.
std::vector<NodeId> sample(std::uint32_t nodes, std::uint64_t seed) {
    RandomStream random(seed, nodes);
    std::vector<NodeId> out;
    out.reserve(nodes / kSampling + 1);
    for (NodeId begin = 0; begin < nodes; begin += std::min(kSampling, nodes - begin))
        out.push_back(begin + random.below(std::min(kSampling, nodes - begin)));
    return out;
}

/// The graph over some codes whose level 0 has `degree` slots. The levels above are the graph over a sample.
Graph build(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options, std::uint32_t degree,
            unsigned threads, MemoryBudget& budget, Progress& progress, bool report) {
    Graph graph;
    graph.nodes = codes.count;
    graph.degree = degree;
    graph.upper_degree = options.m;
    graph.links = build_layer(codes, code_bytes, options, degree, threads, budget, progress, report);
    if (report) progress.begin(Progress::connect, codes.count);
    connect_level_0(graph, codes, code_bytes, options.metric, budget, progress);
    if (codes.count <= kScanned) return graph;

    GraphLevel first;
    first.node = sample(codes.count, options.seed);
    first.below = first.node;
    if (report) progress.begin(Progress::upper_levels, first.node.size());
    const auto entries = static_cast<std::uint32_t>(first.node.size());
    LargeArray<std::byte> sampled(budget, std::size_t{entries} * codes.record_bytes);
    for (std::size_t i = 0; i < entries; ++i)
        std::memcpy(sampled.data() + i * codes.record_bytes, codes.at(first.node[i]), codes.record_bytes);
    Graph above = build(RecordArray::plain(sampled.data(), codes.record_bytes, entries), code_bytes, options, options.m,
                        threads, budget, progress, false);
    first.links.assign(above.links.begin(), above.links.end());
    for (GraphLevel& level : above.levels)
        for (NodeId& node : level.node) node = first.node[node];
    graph.levels.push_back(std::move(first));
    std::move(above.levels.begin(), above.levels.end(), std::back_inserter(graph.levels));
    if (report) progress.done = entries;
    return graph;
}

}  // namespace

Graph build_graph(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options, unsigned threads,
                  MemoryBudget& budget, Progress& progress) {
    return build(codes, code_bytes, options, 2 * options.m, threads, budget, progress, true);
}

LargeArray<NodeId> locality_order(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options,
                                  unsigned threads, MemoryBudget& budget, Progress& progress) {
    progress.begin(Progress::order, codes.count);
    Partition partition(codes, threads, budget, progress);
    partition.draw(EdgeKind::whole(options.metric, code_bytes, codes.record_bytes), options.seed);
    LargeArray<NodeId> order(budget, codes.count);
    std::copy(partition.order().begin(), partition.order().end(), order.begin());
    progress.done = codes.count;
    return order;
}

}  // namespace nphd
