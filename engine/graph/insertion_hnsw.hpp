// HNSW built by insertion, one code after the other: the reference that the bulk builder is compared with.
#pragma once

#include "engine/graph/graph.hpp"

namespace nphd {

/// The graph of Malkov and Yashunin (arXiv 1603.09320) over `codes`: m links per inserted node and level, 2 m slots on
/// level 0, the neighbour heuristic of their algorithm 4 without filling up. Single-threaded, deterministic for a seed;
/// prefix_bytes is ignored. The highest levels are left out as long as the one below has at most 64 entries. For tests
/// and benchmarks. Throws Cancelled and std::bad_alloc.
Graph build_insertion_hnsw(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions&, MemoryBudget&,
                           Progress&);

}  // namespace nphd
