// From edge candidates to the links of a layer.
#pragma once

#include <span>
#include <vector>

#include "engine/graph/candidates.hpp"

namespace nphd {

/// Chooses links with HNSW's heuristic (Malkov and Yashunin, arXiv 1603.09320, algorithm 4): from the nearest on, a
/// candidate is taken unless one taken before is nearer to it than the node itself.
class LinkSelection {
public:
    explicit LinkSelection(const EdgeKind& kind) : local_(kind) {}

    /// Reduces the node's candidate list to at most `limit` links.
    void prune_list(const RecordArray& codes, NodeId node, std::uint32_t limit, CandidateLists& lists);

    /// At most `limit` links out of the node's list and the nodes that chose it; nearest first. When `fill` is above the number of
    /// links taken, the nearest of the others follow, up to `fill` in all.
    std::span<const NodeId> choose(const RecordArray& codes, NodeId node, const CandidateLists& lists,
                                   std::span<const NodeId> chosen_by, std::uint32_t limit, std::uint32_t fill);

private:
    void measure(const RecordArray& codes, NodeId node, std::span<const NodeId> targets);
    void select(std::uint32_t limit);

    LocalCodes local_;
    std::vector<std::uint32_t> distance_, row_, occluded_, taken_;
    std::vector<PackedEdge> edges_;
    std::vector<NodeId> ids_, links_;
};

}  // namespace nphd
