// One query against one lane: what is compared, by which kernel, and which nodes count.
#pragma once

#include <span>
#include <vector>

#include "engine/base/types.hpp"
#include "engine/distance/kernels.hpp"
#include "engine/search/posting_filter.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd {

/// Work of one distance over `words` of a code, in units of 32 bytes read. What is read of a record comes in whole
/// cache lines.
constexpr std::uint32_t distance_work(std::uint32_t words, std::uint32_t record_bytes) noexcept {
    const std::uint32_t lines = (8 * words + 127) / 64 * 64;
    return 1 + (lines < record_bytes ? lines : record_bytes) / 32;
}

/// Raw distances (see Kernels) order the nodes of the lane; keys order the nodes of all lanes.
struct LaneQuery {
    const LaneView* view = nullptr;
    std::span<const std::uint8_t> dead;        // by posting of the shard
    std::span<const std::uint8_t> dead_nodes;  // the same by node; empty: not known
    PostingFilter filter;
    const Kernels* kernels = nullptr;
    Probe probe;
    Metric metric = Metric::nphd;
    DistanceKey constant_key = 0;  // of every node, when nothing is compared

    bool compares() const noexcept { return probe.bits != 0; }

    DistanceKey key(std::uint32_t raw) const noexcept {
        if (!compares()) return constant_key;
        // The cut keeps the promise of fraction_key whatever a kernel may say.
        return metric == Metric::jaccard ? raw : fraction_key(raw < probe.bits ? raw : probe.bits, probe.bits);
    }
    std::uint32_t max_raw() const noexcept {
        if (!compares()) return 0;
        return metric == Metric::jaccard ? 0xFFFFFFFFu : probe.bits;
    }
    /// The greatest raw distance whose key is at most `key` (which may lie beyond all keys).
    std::uint64_t raw_limit(std::uint64_t key) const noexcept {
        if (metric == Metric::jaccard || !compares()) return key;
        return ((key + 1) * probe.bits - 1) >> 32;
    }
    /// The greatest raw distance that the SQL distance says is within `radius` (in its units, >= 0), or -1: no node is.
    /// Under Jaccard raw distances are rounded down, so one that equals the limit has to be looked at again.
    std::int64_t raw_within(double radius) const noexcept;
    /// Only where something is compared.
    void gather(const NodeId* ids, std::uint32_t n, std::uint32_t* out) const {
        if (view->out_of_core) announce(ids, n);
        (metric == Metric::jaccard ? kernels->jaccard_gather : kernels->hamming_gather)(probe, view->codes, ids, n,
                                                                                        out);
    }
    void range(NodeId first, std::uint32_t n, std::uint32_t* out) const {
        if (!compares()) {
            for (std::uint32_t i = 0; i < n; ++i) out[i] = 0;
        } else {
            if (view->out_of_core) announce_range(first, n);
            (metric == Metric::jaccard ? kernels->jaccard_range : kernels->hamming_range)(probe, view->codes, first, n,
                                                                                          out);
        }
    }
    std::uint32_t work() const noexcept { return distance_work(probe.n_words, view->codes.record_bytes); }

    /// Whether a node may be none that counts.
    bool selects() const noexcept { return !dead.empty() || !filter.empty(); }
    /// Whether a posting of the node is no tombstone and satisfies the filter: only such nodes count. Adds to `work`
    /// what it took beyond a constant. A node with a malformed range has no posting.
    bool live(NodeId node, std::uint64_t& work) const noexcept {
        if (!filter.empty()) return has_matching_posting(node, work);
        if (!dead_nodes.empty()) return (dead_nodes[node / 8] >> node % 8 & 1) == 0;
        return has_live_posting(node, work);
    }

    /// Fetches what live() reads first.
    void prefetch_live(NodeId node) const noexcept {
        if (filter.empty()) return;
        if (one_posting_each())
            __builtin_prefetch(view->filters[filter.conditions[0].column].values.at(node));
        else
            __builtin_prefetch(view->posting_offsets.at(node));
    }

private:
    /// Of a lane out of core: codes that are read next, and those behind a place that range() gets to.
    void announce(const NodeId* ids, std::uint32_t n) const noexcept;
    void announce_range(NodeId first, std::uint32_t n) const noexcept;
    /// Then the posting of a node has its number.
    bool one_posting_each() const noexcept { return view->postings == view->nodes; }
    bool has_live_posting(NodeId node, std::uint64_t& work) const noexcept;
    bool has_matching_posting(NodeId node, std::uint64_t& work) const noexcept;
};

/// Room for one batch of nodes, shared by all lanes of a search; what it holds ends with the batch.
struct BatchSpace {
    static constexpr std::uint32_t kNodes = 1024;
    NodeId ids[kNodes];
    std::uint32_t entries[kNodes];
    std::uint32_t distances[kNodes];
};

/// Calls near(i) for each of the first n distances of a batch that is at most `limit`. Most are not, so there is no
/// branch for each.
template <class Near>
void each_near(const BatchSpace& space, std::uint32_t n, std::uint32_t limit, Near&& near) {
    constexpr std::uint32_t kGroup = 16;
    static_assert(BatchSpace::kNodes % kGroup == 0);
    for (std::uint32_t g = 0; g < n; g += kGroup) {
        std::uint32_t hits = 0;
        for (std::uint32_t j = 0; j < kGroup; ++j)
            hits |= static_cast<std::uint32_t>(space.distances[g + j] <= limit) << j;
        if (n - g < kGroup) hits &= (1u << (n - g)) - 1;
        for (; hits != 0; hits &= hits - 1) near(g + static_cast<std::uint32_t>(__builtin_ctz(hits)));
    }
}

/// Query bytes as whole words, and the part of them that a lane compares.
class QueryWords {
public:
    void assign(std::span<const std::uint8_t> query);
    std::span<const std::uint8_t> bytes() const noexcept {
        return {reinterpret_cast<const std::uint8_t*>(words_.data()), size_};
    }
    /// Fills q.probe and q.constant_key for codes of `code_bytes`.
    void aim(std::uint32_t code_bytes, LaneQuery& q) const noexcept;

private:
    std::vector<std::uint64_t> words_;
    std::size_t size_ = 0;
};

}  // namespace nphd
