// Makes sure that no node of a layer is out of reach.
#pragma once

#include "engine/graph/graph.hpp"

namespace nphd {

/// Adds links to level 0, or replaces far ones, until every node can be reached from every other: wherever the descent
/// from the upper levels ends, there is a way to all nodes. Links go between nodes that are near each other where there
/// are such. Deterministic; single-threaded, and of little work, since few nodes are out of reach. Uses `degree` and
/// `links` of the graph only; degree > 0. Memory: 9 bytes per node and the reverse of the links.
void connect_level_0(Graph&, const RecordArray& codes, std::uint32_t code_bytes, Metric, MemoryBudget&,
                     const Progress&);

}  // namespace nphd
