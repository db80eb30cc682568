// One level of a graph, built in bulk.
#pragma once

#include "engine/graph/graph.hpp"

namespace nphd {

/// Links of `degree` slots per code: random partitions into leaves, the nearest members of each leaf as candidates,
/// pruning, reverse edges, pruning again (after PiPNN, arXiv 2602.21247). With prefix edges, half of the slots hold
/// links chosen by the prefix. Lists are nearest first, per kind of link, and ended by kNoNode or full; not all codes
/// need be reachable. Deterministic whatever `threads` is; advances progress only if `report`. Throws Cancelled and
/// std::bad_alloc.
///
/// Memory per node with the default options, besides the codes: links 128 bytes; candidates 194; while partitioning 10;
/// while pruning about 60 for the reverse of some 13 edges. So 382 at most.
LargeArray<NodeId> build_layer(const RecordArray& codes, std::uint32_t code_bytes, const GraphOptions&,
                               std::uint32_t degree, unsigned threads, MemoryBudget&, Progress&, bool report);

}  // namespace nphd
