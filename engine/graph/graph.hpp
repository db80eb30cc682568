// A proximity graph over the distinct codes of one lane, in memory, as builders make it and shards store it.
#pragma once

#include <vector>

#include "engine/base/memory_budget.hpp"
#include "engine/base/record_array.hpp"
#include "engine/base/worker_pool.hpp"
#include "engine/distance/kernels.hpp"

namespace nphd {

struct GraphOptions {
    Metric metric = Metric::nphd;
    std::uint32_t m = 16;                // links per entry on upper levels; twice as many on level 0
    std::uint32_t ef_construction = 96;  // candidates considered per node
    std::uint32_t prefix_bytes = 0;      // > 0: half of the links by the distance of this prefix (NPHD, mixed lengths)
    std::uint64_t seed = 1;
};

/// Upper level l (1-based) keeps a sample of the level below; see shard/format.hpp for the meaning of the arrays.
struct GraphLevel {
    std::vector<NodeId> node;          // level-0 node of each entry, ascending
    std::vector<std::uint32_t> below;  // entry number on the level below
    std::vector<std::uint32_t> links;  // node.size() * upper_degree entry numbers of this level, kNoNode-ended
};

struct Graph {
    std::uint32_t nodes = 0;
    std::uint32_t degree = 0;        // 2 m
    std::uint32_t upper_degree = 0;  // m
    LargeArray<NodeId> links;        // nodes * degree, each list ended by kNoNode or full, no self, no duplicate
    std::vector<GraphLevel> levels;  // [0] is level 1; the last one is small enough to be scanned for an entry
};

/// A permutation of the codes that puts near codes near each other (leaf order of one random partition):
/// result[i] = the old number of the code that becomes node i. Deterministic for a seed, whatever `threads` is.
LargeArray<NodeId> locality_order(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions&,
                                  unsigned threads, MemoryBudget&, Progress&);

/// The graph over `codes` (distinct, zero-padded whole words): random partitions into leaves, all-pairs distances
/// inside each, pruning with the HNSW heuristic, reverse edges, a pass that links what cannot be reached, upper levels
/// from a sample by the same builder (after PiPNN, arXiv 2602.21247). Deterministic for a seed, whatever `threads` is.
/// Throws Cancelled and std::bad_alloc.
Graph build_graph(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions&, unsigned threads,
                  MemoryBudget&, Progress&);

}  // namespace nphd
