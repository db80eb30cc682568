// Random partitions of a lane's codes into small leaves of near codes.
#pragma once

#include <span>
#include <vector>

#include "engine/base/memory_budget.hpp"
#include "engine/base/worker_pool.hpp"
#include "engine/graph/edge_distance.hpp"

namespace nphd {

inline constexpr std::uint32_t kLeafSize = 1024;    // members of a leaf at most
inline constexpr std::uint32_t kMaxLeaders = 1000;  // of one split at most

/// Splits the nodes again and again, each time by the nearest of some sampled leaders, until no part has more than
/// kLeafSize members (after PiPNN, arXiv 2602.21247, without overlaps). Parts that do not shrink, as when all distances
/// are equal, are cut at random, so that the recursion always ends. Memory: 10 bytes per node.
class Partition {
public:
    Partition(const RecordArray& codes, unsigned threads, MemoryBudget&, const Progress&);

    /// Draws a partition; the same one for the same kind and seed. Throws Cancelled and std::bad_alloc.
    void draw(const EdgeKind& kind, std::uint64_t seed);

    std::uint32_t leaves() const noexcept { return static_cast<std::uint32_t>(leaf_begin_.size()) - 1; }
    /// Neighbouring leaves are near each other. Members of a leaf are ascending.
    std::span<const NodeId> leaf(std::uint32_t i) const noexcept {
        return {ids_.data() + leaf_begin_[i], leaf_begin_[i + 1] - leaf_begin_[i]};
    }
    /// All leaves, one after the other.
    std::span<const NodeId> order() const noexcept { return {ids_.data(), ids_.size()}; }

private:
    struct Part {
        std::uint32_t begin, end, depth;
        std::uint32_t size() const noexcept { return end - begin; }
    };

    void split_level(const EdgeKind&, std::uint64_t seed, std::vector<Part>& parts);
    void sample_leaders(const Part&, std::uint64_t seed, LocalCodes& leaders) const;
    void assign(const LocalCodes& leaders, std::uint32_t begin, std::uint32_t end);
    void scatter(const Part&, std::uint32_t n_leaders, std::vector<Part>& parts);
    void cut_at_random(const Part&, std::uint64_t seed, std::vector<Part>& parts);

    const RecordArray& codes_;
    unsigned threads_;
    const Progress& progress_;
    LargeArray<NodeId> ids_, other_;
    LargeArray<std::uint16_t> label_;  // by position: number of the nearest leader
    std::vector<std::uint32_t> leaf_begin_;
};

}  // namespace nphd
