// Plain best-first search over a graph in memory: for the builders' own needs, tests and benchmarks.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "engine/graph/graph.hpp"

namespace nphd {

struct Neighbour {
    std::uint32_t distance;  // raw (kernels.hpp)
    NodeId node;
    friend auto operator<=>(const Neighbour&, const Neighbour&) = default;
};

/// HNSW's search: the whole top level is scanned, every upper level is descended with a beam of one, and level 0 is
/// searched with a beam of `ef`. The codes and the graph outlive the object; the graph may change its links, but not
/// its size. Not thread-safe; counts the distances it computes.
class BeamSearch {
public:
    BeamSearch(const RecordArray& codes, const Graph& graph, Metric metric, MemoryBudget&);

    /// At most `ef` nodes, ascending by distance, then by number. Valid until the next call.
    std::span<const Neighbour> search(const Probe& probe, std::uint32_t ef);

    /// The same on level 0 alone, from the given node on.
    std::span<const Neighbour> search_from(NodeId start, const Probe& probe, std::uint32_t ef);

    std::uint64_t distances() const noexcept { return distances_; }

private:
    /// Links of one level: entry numbers, `degree` per entry.
    struct Level {
        std::span<const NodeId> links;
        std::uint32_t degree;
        const NodeId* node;  // code of an entry; null: the entry's own number
        std::uint32_t entries;
    };
    Level level(std::size_t l) const;
    void measure(const Level&, const Probe&);
    void search_level(const Level&, const Probe&, Neighbour start, std::uint32_t ef);
    Neighbour scan(const Level&, const Probe&);

    const RecordArray& codes_;
    const Graph& graph_;
    Metric metric_;
    std::uint64_t distances_ = 0;
    std::uint32_t epoch_ = 0;
    LargeArray<std::uint32_t> visited_;  // epoch of the last visit, by entry number
    std::vector<std::uint32_t> batch_, batch_distance_;
    std::vector<NodeId> batch_node_;
    std::vector<Neighbour> frontier_, found_;
};

}  // namespace nphd
