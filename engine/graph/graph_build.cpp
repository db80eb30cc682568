// Bulk building of a graph, after PiPNN (arXiv 2602.21247).
#include <algorithm>
#include <cstring>

#include "engine/graph/candidates.hpp"
#include "engine/graph/connect.hpp"
#include "engine/graph/graph.hpp"
#include "engine/graph/leaf_search.hpp"
#include "engine/graph/link_selection.hpp"
#include "engine/graph/partition.hpp"
#include "engine/graph/random_stream.hpp"
#include "engine/graph/reverse_edges.hpp"
#include "engine/graph/scratch_pool.hpp"

#include <cstdlib>
#include <cstdio>

namespace nphd {

namespace {
int env(const char* n, int d) { const char* v = std::getenv(n); return v ? atoi(v) : d; }

constexpr std::uint32_t kScanned = 64;      // entries that a search scans: the top level has at most so many
constexpr std::uint32_t kSampling = 32;     // one of so many entries is on the next level
constexpr std::uint32_t kBlock = 1024;      // nodes per task

/// Builds one layer, a graph of one level.
class LayerBuilder {
public:
    LayerBuilder(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options, std::uint32_t degree,
                 unsigned threads, MemoryBudget& budget, Progress& progress)
        : codes_(codes),
          code_bytes_(code_bytes),
          options_(options),
          degree_(degree),
          threads_(threads),
          budget_(budget),
          progress_(progress) {}

    LargeArray<NodeId> run() {
        std::fprintf(stderr, "mem %.0f\n", (double)budget_.in_use()/codes_.count);
        LargeArray<NodeId> links(budget_, std::size_t{codes_.count} * degree_);
        std::fill(links.begin(), links.end(), kNoNode);
        const EdgeKind whole = EdgeKind::whole(options_.metric, code_bytes_, codes_.record_bytes);
        const bool has_prefix =
            options_.metric != Metric::jaccard && options_.prefix_bytes > 0 && options_.prefix_bytes < code_bytes_;
        if (!has_prefix) {
            add_links(whole, rounds(), degree_, links);
        } else {
            add_links(whole, (unsigned)env("RF",4), degree_*(unsigned)env("SF",16)/32, links);
            add_links(EdgeKind::prefix(options_.prefix_bytes, code_bytes_, codes_.record_bytes),
                      (unsigned)env("RP",4), degree_ - degree_*(unsigned)env("SF",16)/32, links);
        }
        return links;
    }

private:
    std::uint32_t per_leaf() const { return (std::uint32_t)env("K",16); }
    std::uint32_t rounds() const { return (std::uint32_t)env("R", 8); }
    std::uint32_t capacity() const { return (std::uint32_t)env("C",32); }

    CandidateLists collect(const EdgeKind& kind, std::uint32_t rounds) {
        CandidateLists lists(codes_.count, capacity(), budget_);
        Partition partition(codes_, threads_, budget_, progress_);
        ScratchPool<LeafSearch> pool;
        const bool one_leaf = codes_.count <= kLeafSize;
        if (one_leaf) rounds = 1;
        progress_.begin(Progress::partition, std::uint64_t{codes_.count} * rounds);
        for (std::uint32_t round = 0; round < rounds; ++round) {
            partition.draw(kind, options_.seed + round * 0x10001 + kind.prefix_bits);
            parallel_for(threads_, partition.leaves(), [&](std::size_t i) {
                progress_.check();
                const auto members = partition.leaf(static_cast<std::uint32_t>(i));
                pool.with([&] { return LeafSearch(kind); },
                          [&](LeafSearch& s) { s.run(codes_, members, one_leaf ? capacity() : per_leaf(), lists, progress_); });
                progress_.done += members.size();
            });
        }
        return lists;
    }

    template <class Task>
    void for_blocks(const EdgeKind& kind, const Task& task) {
        ScratchPool<LinkSelection> pool;
        parallel_for(threads_, (codes_.count + kBlock - 1) / kBlock, [&](std::size_t block) {
            progress_.check();
            const auto begin = static_cast<NodeId>(block * kBlock);
            const NodeId end = begin + std::min(kBlock, codes_.count - begin);
            pool.with([&] { return LinkSelection(kind); },
                      [&](LinkSelection& selection) {
                          for (NodeId node = begin; node < end; ++node) task(selection, node);
                      });
            progress_.done += end - begin;
        });
    }

    void add_links(const EdgeKind& kind, std::uint32_t rounds, std::uint32_t limit, LargeArray<NodeId>& links) {
        CandidateLists lists = collect(kind, rounds);
        progress_.begin(Progress::prune, 2 * std::uint64_t{codes_.count});
        const std::uint32_t fwd = (std::uint32_t)(degree_ * (kind.prefix_bits ? env("FP",env("F", 50)):env("F",50)) / 100);
        for_blocks(kind, [&](LinkSelection& s, NodeId node) { s.prune_list(codes_, node, fwd, lists); });
        const ReverseEdges reverse(
            codes_.count, [&](NodeId node) { return lists.ids(node); }, budget_, progress_);
        for_blocks(kind, [&](LinkSelection& s, NodeId node) {
            const auto chosen = s.choose(codes_, node, lists, reverse.of(node), limit);
            std::vector<NodeId> all(chosen.taken.begin(), chosen.taken.end());
            if (!env("NOFILL",0) && limit < degree_) all.insert(all.end(), chosen.others.begin(), chosen.others.end());
            merge({links.data() + std::size_t{node} * degree_, degree_}, all, limit);
        });
    }

    /// Puts the first `limit` new links behind the first (slots - limit) of the list, fills up with the others of both.
    void merge(std::span<NodeId> list, std::span<const NodeId> added, std::size_t limit) {
        NodeId rest[512];
        std::size_t n_rest = 0;
        std::size_t n = 0;
        while (n < list.size() && list[n] != kNoNode) ++n;
        const std::size_t first = std::min(n, list.size() - limit);
        while (n > first) rest[n_rest++] = list[--n], list[n] = kNoNode;
        std::reverse(rest, rest + n_rest);
        const auto push = [&](NodeId x) {
            if (n < list.size() && std::find(list.begin(), list.begin() + (std::ptrdiff_t)n, x) == list.begin() + (std::ptrdiff_t)n) list[n++] = x;
        };
        std::size_t taken = 0;
        for (; taken < added.size() && taken < limit; ++taken) push(added[taken]);
        for (std::size_t i = 0; i < n_rest || taken < added.size(); ++i) {
            if (i < n_rest) push(rest[i]);
            if (taken < added.size()) push(added[taken++]);
        }
    }

    const RecordArray& codes_;
    std::uint32_t code_bytes_;
    const GraphOptions& options_;
    std::uint32_t degree_;
    unsigned threads_;
    MemoryBudget& budget_;
    Progress& progress_;
};

/// One node out of each run of kSampling: with nodes numbered by locality, that covers the space evenly.
std::vector<NodeId> sample(std::uint32_t nodes, std::uint64_t seed) {
    RandomStream random(seed, nodes);
    std::vector<NodeId> out;
    out.reserve(nodes / kSampling + 1);
    for (NodeId begin = 0; begin < nodes; begin += kSampling)
        out.push_back(begin + random.below(std::min(kSampling, nodes - begin)));
    return out;
}

Graph build(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options, std::uint32_t degree,
            unsigned threads, MemoryBudget& budget, Progress& progress) {
    Graph graph;
    graph.nodes = codes.count;
    graph.degree = degree;
    graph.upper_degree = options.m;
    graph.links = LayerBuilder(codes, code_bytes, options, degree, threads, budget, progress).run();
    connect_level_0(graph, codes, code_bytes, options.metric, budget, progress);
    if (codes.count <= kScanned) return graph;

    GraphLevel first;
    first.node = sample(codes.count, options.seed);
    first.below = first.node;
    LargeArray<std::byte> sampled(budget, first.node.size() * codes.record_bytes);
    for (std::size_t i = 0; i < first.node.size(); ++i)
        std::memcpy(sampled.data() + i * codes.record_bytes, codes.at(first.node[i]), codes.record_bytes);
    const auto view = RecordArray::plain(sampled.data(), codes.record_bytes, static_cast<std::uint32_t>(first.node.size()));
    Graph above = build(view, code_bytes, options, options.m, threads, budget, progress);
    first.links.assign(above.links.begin(), above.links.end());
    for (GraphLevel& level : above.levels)
        for (NodeId& node : level.node) node = first.node[node];
    graph.levels.push_back(std::move(first));
    std::move(above.levels.begin(), above.levels.end(), std::back_inserter(graph.levels));
    return graph;
}

}  // namespace

Graph build_graph(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options, unsigned threads,
                  MemoryBudget& budget, Progress& progress) {
    return build(codes, code_bytes, options, 2 * options.m, threads, budget, progress);
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
