#include "engine/graph/layer.hpp"

#include <algorithm>

#include "engine/graph/candidates.hpp"
#include "engine/graph/leaf_search.hpp"
#include "engine/graph/link_selection.hpp"
#include "engine/graph/partition.hpp"
#include "engine/graph/reverse_edges.hpp"
#include "engine/graph/scratch_pool.hpp"

namespace nphd {

namespace {

constexpr std::uint32_t kPerRound = 12;  // candidates that a round is worth, in terms of ef_construction
constexpr NodeId kBlock = 1024;          // nodes per task

class LayerBuilder {
public:
    LayerBuilder(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options, std::uint32_t degree,
                 unsigned threads, MemoryBudget& budget, Progress& progress, bool report)
        : codes_(codes),
          code_bytes_(code_bytes),
          options_(options),
          degree_(degree),
          threads_(threads),
          budget_(budget),
          progress_(progress),
          report_(report),
          links_(budget, std::size_t{codes.count} * degree) {
        std::fill(links_.begin(), links_.end(), kNoNode);
    }

    LargeArray<NodeId> run() {
        const EdgeKind whole = EdgeKind::whole(options_.metric, code_bytes_, codes_.record_bytes);
        const std::uint32_t rounds = std::max(1u, (options_.ef_construction + kPerRound / 2) / kPerRound);
        const std::uint32_t prefix = options_.prefix_bytes;
        if (options_.metric == Metric::jaccard || prefix == 0 || prefix >= code_bytes_ || degree_ < 2) {
            add_links(whole, rounds, degree_);
        } else {
            // A prefix has fewer dimensions, so fewer rounds serve it as well.
            const std::uint32_t prefix_rounds = std::max(1u, rounds * 3 / 8);
            add_links(whole, std::max(1u, rounds - prefix_rounds), degree_ - degree_ / 2);
            add_links(EdgeKind::prefix(prefix, code_bytes_, codes_.record_bytes), prefix_rounds, degree_ / 2);
        }
        return std::move(links_);
    }

private:
    void begin(Progress::Phase phase, std::uint64_t total) {
        if (report_) progress_.begin(phase, total);
    }
    void advance(std::uint64_t nodes) {
        if (report_) progress_.done += nodes;
    }

    /// Candidates by one kind of distance, out of several random partitions.
    CandidateLists collect(const EdgeKind& kind, std::uint32_t rounds) {
        const std::uint32_t capacity = std::min(CandidateLists::kMaxCapacity, 2 * std::max(options_.m, 16u));
        CandidateLists lists(codes_.count, capacity, budget_);
        Partition partition(codes_, threads_, budget_, progress_);
        std::uint32_t nearest = capacity / 2;
        if (codes_.count <= kLeafSize) {  // one leaf: every round would find the same
            rounds = 1;
            nearest = capacity;
        }
        begin(Progress::partition, std::uint64_t{codes_.count} * rounds);
        ScratchPool<LeafSearch> pool;
        for (std::uint32_t round = 0; round < rounds; ++round) {
            partition.draw(kind, options_.seed + (std::uint64_t{round + 1} << 32) + kind.prefix_bits);
            parallel_for(threads_, partition.leaves(), [&](std::size_t i) {
                const auto members = partition.leaf(static_cast<std::uint32_t>(i));
                pool.with([&] { return LeafSearch(kind); },
                          [&](LeafSearch& search) { search.run(codes_, members, nearest, lists, progress_); });
                advance(members.size());
            });
        }
        return lists;
    }

    void add_links(const EdgeKind& kind, std::uint32_t rounds, std::uint32_t limit) {
        CandidateLists lists = collect(kind, rounds);
        begin(Progress::prune, 2 * std::uint64_t{codes_.count});
        const std::uint32_t own = std::max(1u, degree_ / 2);
        for_each_node(kind, [&](LinkSelection& s, NodeId node) { s.prune_list(codes_, node, own, lists); });
        const ReverseEdges reverse(
            codes_.count, [&](NodeId node) { return lists.ids(node); }, budget_, progress_);
        for_each_node(kind, [&](LinkSelection& s, NodeId node) {
            append(node, s.choose(codes_, node, lists, reverse.of(node), limit));
        });
    }

    template <class Task>
    void for_each_node(const EdgeKind& kind, const Task& task) {
        ScratchPool<LinkSelection> pool;
        parallel_for(threads_, (codes_.count + kBlock - 1) / kBlock, [&](std::size_t block) {
            progress_.check();
            const auto begin = static_cast<NodeId>(block * kBlock);
            const NodeId end = begin + std::min(kBlock, codes_.count - begin);
            pool.with([&] { return LinkSelection(kind); },
                      [&](LinkSelection& selection) {
                          for (NodeId node = begin; node < end; ++node) task(selection, node);
                      });
            advance(end - begin);
        });
    }

    /// Adds links that the list does not have yet, as far as there is room.
    void append(NodeId node, std::span<const NodeId> added) noexcept {
        NodeId* const begin = links_.data() + std::size_t{node} * degree_;
        NodeId* const limit = begin + degree_;
        NodeId* end = std::find(begin, limit, kNoNode);
        for (const NodeId link : added)
            if (end != limit && std::find(begin, end, link) == end) *end++ = link;
    }

    const RecordArray& codes_;
    std::uint32_t code_bytes_;
    const GraphOptions& options_;
    std::uint32_t degree_;
    unsigned threads_;
    MemoryBudget& budget_;
    Progress& progress_;
    bool report_;
    LargeArray<NodeId> links_;
};

}  // namespace

LargeArray<NodeId> build_layer(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options,
                               std::uint32_t degree, unsigned threads, MemoryBudget& budget, Progress& progress,
                               bool report) {
    return LayerBuilder(codes, code_bytes, options, degree, threads, budget, progress, report).run();
}

}  // namespace nphd
