#include "engine/graph/connect.hpp"

#include <algorithm>
#include <optional>

#include "engine/graph/beam_search.hpp"
#include "engine/graph/random_stream.hpp"
#include "engine/graph/reverse_edges.hpp"

namespace nphd {

namespace {

constexpr NodeId kRoot = 0;
constexpr std::uint32_t kStartSample = 512;  // nodes of which the nearest starts a search
constexpr std::uint32_t kBeam = 32;

/// First everything becomes reachable from the root, then the root from everything. The way from the root
/// is a tree whose edges are never replaced afterwards, so a link once set stays of use and one pass over the nodes is
/// enough.
class Connector {
public:
    Connector(Graph& graph, const RecordArray& codes, std::uint32_t code_bytes, Metric metric, MemoryBudget& budget,
              const Progress& progress)
        : graph_(graph),
          codes_(codes),
          code_bits_(8 * code_bytes),
          budget_(budget),
          progress_(progress),
          search_(codes, graph, metric, budget),
          metric_(metric),
          parent_(budget, graph.nodes),
          queue_(budget, graph.nodes) {
        std::fill(parent_.begin(), parent_.end(), kNoNode);
    }

    void run() {
        reach_from_root();
        reach_root();
    }

private:
    std::span<NodeId> slots(NodeId node) noexcept {
        return {graph_.links.data() + std::size_t{node} * graph_.degree, graph_.degree};
    }
    std::span<const NodeId> links(NodeId node) noexcept {
        const auto all = slots(node);
        return all.first(static_cast<std::size_t>(std::find(all.begin(), all.end(), kNoNode) - all.begin()));
    }
    bool in_tree(NodeId node) const noexcept { return parent_[node] != kNoNode; }

    /// A slot of the node that is free, or else the last one that is no edge of the tree; null if there is none.
    NodeId* replaceable(NodeId node) noexcept {
        const auto all = slots(node);
        NodeId* last = nullptr;
        for (NodeId& link : all) {
            if (link == kNoNode) return &link;
            if (parent_[link] != node) last = &link;
        }
        return last;
    }

    void poll() {
        if (++steps_ % 4096 == 0) progress_.check();
    }

    void enqueue(NodeId node) noexcept { queue_[queued_++] = node; }

    void reach_from_root() {
        parent_[kRoot] = kRoot;
        enqueue(kRoot);
        grow_tree();
        for (NodeId node = 0; node < graph_.nodes; ++node) {
            if (in_tree(node)) continue;
            const NodeId from = tree_node_near(node);
            *replaceable(from) = node;
            parent_[node] = from;
            enqueue(node);
            grow_tree();
        }
    }

    void grow_tree() {
        for (; handled_ < queued_; ++handled_) {
            poll();
            const NodeId node = queue_[handled_];
            for (const NodeId next : links(node)) {
                if (in_tree(next)) continue;
                parent_[next] = node;
                enqueue(next);
            }
        }
    }

    /// A node of the tree that can take one more link. The latest leaf of the tree always can: none of its links is
    /// an edge of the tree.
    NodeId tree_node_near(NodeId node) {
        for (const NodeId next : links(node))
            if (in_tree(next) && replaceable(next)) return next;
        for (const Neighbour& n : search_near(node))
            if (in_tree(n.node) && replaceable(n.node)) return n.node;
        return queue_[queued_ - 1];
    }

    void reach_root() {
        const ReverseEdges reverse(
            graph_.nodes, [&](NodeId node) { return links(node); }, budget_, progress_);
        // An edge that is replaced below left a node that could not reach the root, and now can: taking it for still
        // there does no harm.
        LargeArray<std::uint8_t> reaches(budget_, graph_.nodes);
        const auto add = [&](NodeId node) {
            reaches[node] = 1;
            enqueue(node);
        };
        const auto grow = [&] {
            for (; handled_ < queued_; ++handled_) {
                poll();
                for (const NodeId source : reverse.of(queue_[handled_]))
                    if (!reaches[source]) add(source);
            }
        };
        queued_ = handled_ = 0;
        add(kRoot);
        grow();
        for (NodeId node = 0; node < graph_.nodes; ++node) {
            while (!reaches[node]) {
                const NodeId from = with_room_below(node);
                *replaceable(from) = reaching_node_near(from, reverse, reaches);
                add(from);
                grow();
            }
        }
    }

    /// The node, or one further down the tree, that can take one more link. What a node leads to cannot reach the root
    /// if the node cannot.
    NodeId with_room_below(NodeId node) {
        while (!replaceable(node)) node = slots(node)[0];
        return node;
    }

    NodeId reaching_node_near(NodeId node, const ReverseEdges& reverse, const LargeArray<std::uint8_t>& reaches) {
        for (const NodeId source : reverse.of(node))
            if (reaches[source]) return source;
        for (const Neighbour& n : search_near(node))
            if (reaches[n.node]) return n.node;
        return kRoot;
    }

    /// Nodes near the given one, found from the nearest of a sample of the queue.
    std::span<const Neighbour> search_near(NodeId node) {
        poll();
        RandomStream random(node);
        sample_.resize(std::min(kStartSample, queued_));
        sample_distance_.resize(sample_.size());
        for (NodeId& s : sample_) s = queue_[random.below(queued_)];
        Probe probe;
        probe.words = reinterpret_cast<const std::uint64_t*>(codes_.at(node));
        probe.n_words = codes_.record_bytes / 8;
        probe.bits = code_bits_;
        const Kernels& k = kernels();
        (metric_ == Metric::jaccard ? k.jaccard_gather : k.hamming_gather)(
            probe, codes_, sample_.data(), static_cast<std::uint32_t>(sample_.size()), sample_distance_.data());
        const auto least =
            std::min_element(sample_distance_.begin(), sample_distance_.end()) - sample_distance_.begin();
        return search_.search_from(sample_[static_cast<std::size_t>(least)], probe, kBeam);
    }

    Graph& graph_;
    const RecordArray& codes_;
    std::uint32_t code_bits_;
    MemoryBudget& budget_;
    const Progress& progress_;
    BeamSearch search_;
    Metric metric_;
    LargeArray<NodeId> parent_;  // in the tree of ways from the root; kNoNode: not reached yet
    LargeArray<NodeId> queue_;   // nodes reached, in that order
    std::uint32_t queued_ = 0, handled_ = 0;
    std::uint64_t steps_ = 0;
    std::vector<NodeId> sample_;
    std::vector<std::uint32_t> sample_distance_;
};

}  // namespace

void connect_level_0(Graph& graph, const RecordArray& codes, std::uint32_t code_bytes, Metric metric,
                     MemoryBudget& budget, const Progress& progress) {
    if (graph.nodes > 1) Connector(graph, codes, code_bytes, metric, budget, progress).run();
}

}  // namespace nphd
