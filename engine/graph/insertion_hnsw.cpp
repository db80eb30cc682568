#include "engine/graph/insertion_hnsw.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "engine/graph/beam_search.hpp"
#include "engine/graph/random_stream.hpp"

namespace nphd {

namespace {

constexpr std::uint32_t kScanned = 64;

class InsertionBuilder {
public:
    InsertionBuilder(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options,
                     MemoryBudget& budget)
        : codes_(codes), options_(options), code_bits_(8 * code_bytes), visited_(budget, codes.count) {
        draw_levels();
        for (std::size_t l = 0; l < members_.size(); ++l) links_.emplace_back(budget, members_[l].size() * slots(l));
        for (auto& level : links_) std::fill(level.begin(), level.end(), kNoNode);
        entry_of_.resize(members_.size());
        for (std::size_t l = 1; l < members_.size(); ++l) {
            entry_of_[l].assign(codes.count, kNoNode);
            for (std::uint32_t e = 0; e < members_[l].size(); ++e) entry_of_[l][members_[l][e]] = e;
        }
    }

    Graph run(Progress& progress) {
        progress.begin(Progress::partition, codes_.count);
        for (NodeId node = 0; node < codes_.count; ++node) {
            progress.check();
            insert(node);
            ++progress.done;
        }
        return graph();
    }

private:
    std::uint32_t slots(std::size_t level) const { return level == 0 ? 2 * options_.m : options_.m; }

    /// Level of each node: geometric with the ratio m, as in the paper.
    void draw_levels() {
        RandomStream random(options_.seed);
        const double scale = 1 / std::log(std::max(2.0, static_cast<double>(options_.m)));
        members_.resize(1);
        level_of_.resize(codes_.count);
        for (NodeId node = 0; node < codes_.count; ++node) {
            const double u = (static_cast<double>(random.next() >> 11) + 1) * 0x1p-53;
            level_of_[node] = static_cast<std::uint8_t>(std::min(30.0, -std::log(u) * scale));
            if (members_.size() <= level_of_[node]) members_.resize(level_of_[node] + 1u);
            for (std::size_t l = 0; l <= level_of_[node]; ++l) members_[l].push_back(node);
        }
    }

    NodeId* list(std::size_t level, NodeId node) {
        const std::size_t entry = level == 0 ? node : entry_of_[level][node];
        return links_[level].data() + entry * slots(level);
    }
    std::uint32_t list_size(std::size_t level, const NodeId* list) const {
        return static_cast<std::uint32_t>(std::find(list, list + slots(level), kNoNode) - list);
    }

    void measure(NodeId from, const std::vector<NodeId>& to) {
        distance_.resize(to.size());
        Probe probe;
        probe.words = reinterpret_cast<const std::uint64_t*>(codes_.at(from));
        probe.n_words = codes_.record_bytes / 8;
        probe.bits = code_bits_;
        const Kernels& k = kernels();
        (options_.metric == Metric::jaccard ? k.jaccard_gather : k.hamming_gather)(
            probe, codes_, to.data(), static_cast<std::uint32_t>(to.size()), distance_.data());
    }

    void insert(NodeId node) {
        const std::size_t top = level_of_[node];
        if (node == 0) {
            entry_ = node;
            return;
        }
        batch_.assign(1, entry_);
        measure(node, batch_);
        found_.assign(1, {distance_[0], entry_});
        for (std::size_t l = level_of_[entry_]; l > top; --l) search_level(l, node, 1);
        for (std::size_t l = std::min<std::size_t>(top, level_of_[entry_]) + 1; l-- > 0;) {
            search_level(l, node, options_.ef_construction);
            chosen_ = found_;
            select(chosen_, options_.m);
            NodeId* const own = list(l, node);
            for (std::size_t i = 0; i < chosen_.size(); ++i) own[i] = chosen_[i].node;
            for (const Neighbour& n : chosen_) add_link(l, n.node, {n.distance, node});
        }
        if (top > level_of_[entry_]) entry_ = node;
    }

    /// From the nodes in found_ to the `ef` nearest ones of the level, ascending, in found_.
    void search_level(std::size_t level, NodeId node, std::uint32_t ef) {
        ++epoch_;
        for (const Neighbour& n : found_) visited_[n.node] = epoch_;
        frontier_ = found_;
        std::make_heap(frontier_.begin(), frontier_.end(), std::greater<>());
        if (found_.size() > ef) found_.resize(ef);
        std::make_heap(found_.begin(), found_.end());
        while (!frontier_.empty()) {
            std::pop_heap(frontier_.begin(), frontier_.end(), std::greater<>());
            const Neighbour at = frontier_.back();
            frontier_.pop_back();
            if (found_.size() >= ef && at.distance > found_.front().distance) break;
            batch_.clear();
            const NodeId* const links = list(level, at.node);
            for (std::uint32_t i = 0; i < slots(level) && links[i] != kNoNode; ++i) {
                if (visited_[links[i]] == epoch_) continue;
                visited_[links[i]] = epoch_;
                batch_.push_back(links[i]);
            }
            measure(node, batch_);
            for (std::size_t i = 0; i < batch_.size(); ++i) {
                const Neighbour next{distance_[i], batch_[i]};
                if (found_.size() >= ef) {
                    if (next.distance >= found_.front().distance) continue;
                    std::pop_heap(found_.begin(), found_.end());
                    found_.pop_back();
                }
                found_.push_back(next);
                std::push_heap(found_.begin(), found_.end());
                frontier_.push_back(next);
                std::push_heap(frontier_.begin(), frontier_.end(), std::greater<>());
            }
        }
        std::sort_heap(found_.begin(), found_.end());
    }

    /// Keeps of ascending candidates at most `limit`, none of them nearer to one before it than to the node.
    void select(std::vector<Neighbour>& candidates, std::size_t limit) {
        std::vector<NodeId>& taken = taken_;
        taken.clear();
        std::size_t kept = 0;
        for (const Neighbour& c : candidates) {
            if (kept == limit) break;
            measure(c.node, taken);
            if (std::any_of(distance_.begin(), distance_.end(), [&](std::uint32_t d) { return d < c.distance; }))
                continue;
            taken.push_back(c.node);
            candidates[kept++] = c;
        }
        candidates.resize(kept);
    }

    void add_link(std::size_t level, NodeId node, Neighbour added) {
        NodeId* const links = list(level, node);
        const std::uint32_t n = list_size(level, links);
        if (n < slots(level)) {
            links[n] = added.node;
            return;
        }
        batch_.assign(links, links + n);
        measure(node, batch_);
        std::vector<Neighbour>& all = pruned_;
        all.assign(1, added);
        for (std::uint32_t i = 0; i < n; ++i) all.push_back({distance_[i], batch_[i]});
        std::sort(all.begin(), all.end());
        select(all, slots(level));
        std::fill(links, links + slots(level), kNoNode);
        for (std::size_t i = 0; i < all.size(); ++i) links[i] = all[i].node;
    }

    Graph graph() {
        Graph g;
        g.nodes = codes_.count;
        g.degree = slots(0);
        g.upper_degree = slots(1);
        g.links = std::move(links_[0]);
        for (std::size_t l = 1; l < members_.size() && members_[l - 1].size() > kScanned; ++l) {
            GraphLevel level;
            level.node = members_[l];
            for (const NodeId node : level.node) level.below.push_back(l == 1 ? node : entry_of_[l - 1][node]);
            for (const NodeId to : links_[l]) level.links.push_back(to == kNoNode ? kNoNode : entry_of_[l][to]);
            g.levels.push_back(std::move(level));
        }
        return g;
    }

    const RecordArray& codes_;
    const GraphOptions& options_;
    std::uint32_t code_bits_;
    std::vector<std::uint8_t> level_of_;
    std::vector<std::vector<NodeId>> members_;   // of each level, ascending
    std::vector<std::vector<NodeId>> entry_of_;  // by level above 0: node to its place in members_
    std::vector<LargeArray<NodeId>> links_;      // by level: lists of node ids
    NodeId entry_ = 0;

    std::uint32_t epoch_ = 0;
    LargeArray<std::uint32_t> visited_;
    std::vector<NodeId> batch_, taken_;
    std::vector<std::uint32_t> distance_;
    std::vector<Neighbour> found_, frontier_, chosen_, pruned_;
};

}  // namespace

Graph build_insertion_hnsw(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions& options,
                           MemoryBudget& budget, Progress& progress) {
    if (codes.count == 0) return {0, 2 * options.m, options.m, {}, {}};
    return InsertionBuilder(codes, code_bytes, options, budget).run(progress);
}

}  // namespace nphd
