// From edge candidates to the links of a node.
#pragma once

#include <span>
#include <vector>

#include "engine/graph/candidates.hpp"
#include "engine/graph/link_heuristic.hpp"

namespace nphd {

/// Chooses a node's links, from its own candidates and from the nodes that chose it.
class LinkSelection {
public:
    explicit LinkSelection(const EdgeKind& kind) : local_(kind) {}

    /// Reduces the node's candidate list to at most `limit` links.
    void prune_list(const RecordArray& codes, NodeId node, std::uint32_t limit, CandidateLists& lists);

    /// At most `limit` links out of the node's list and the nodes that chose it, nearest first; all of these if they
    /// are not more than that. Of very many the nearest few hundred are considered. Valid until the next call.
    std::span<const NodeId> choose(const RecordArray& codes, NodeId node, const CandidateLists& lists,
                                   std::span<const NodeId> chosen_by, std::uint32_t limit);

private:
    void measure(const RecordArray& codes, NodeId node, std::span<const NodeId> targets);

    LocalCodes local_;
    LinkHeuristic heuristic_;
    std::vector<PackedEdge> edges_;
    std::vector<std::uint32_t> distances_, row_;
    std::vector<NodeId> ids_, links_;
};

}  // namespace nphd
