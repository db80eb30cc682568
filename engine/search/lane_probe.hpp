// All nodes of a lane within a Hamming distance, by its radius tables.
#pragma once

#include <vector>

#include "engine/search/lane_query.hpp"
#include "engine/search/ranked_node.hpp"

namespace nphd {

/// Multi-index hashing (Norouzi, Punjani and Fleet 2012). A code is cut into chunks, and a table per chunk holds the
/// nodes by the chunk's value. If chunk c is looked up with all values that differ in fewer than u_c bits from the
/// query's, then a node that no look-up finds differs in at least sum(u_c) bits. So radius + 1 units have to be spent
/// on chunks; each goes where the fewest nodes have to be compared (allocation by cost as in GPH, Qin et al. 2018),
/// which is what keeps chunks that are the same in many codes from being looked at.
class LaneProbe {
public:
    /// More than any plan costs.
    static constexpr std::uint64_t kNoPlan = ~std::uint64_t{0};
    // What a plan costs, in nodes to be compared: a value that is looked up counts as much as so many.
    static constexpr std::uint64_t kLookupCost = 2;

    /// The query must want a Hamming distance, not Jaccard, and stay as it is. Nodes below `first` are passed by.
    void start(const LaneQuery* query, BatchSpace* space, NodeId first = 0) noexcept;

    /// Whether there is a table of bits that are compared.
    bool possible() const noexcept { return chunks_ > 0; }
    /// Plans to find every node within `radius` bits. Returns the cost, or kNoPlan when it is more than `most`.
    std::uint64_t plan(std::uint32_t radius, std::uint64_t most);
    /// Plans what is to be had for `most`: returns r + 1 if all nodes within r bits will be found, 0: nothing at all.
    std::uint32_t plan_up_to(std::uint64_t most);

    /// Compares further planned nodes, adds the living ones within `limit` bits to found(), and returns whether that
    /// was all. Stops when `budget` (units of 32 bytes) is used up.
    bool advance(std::uint32_t limit, std::uint64_t& budget);
    /// Ascending, each node once, after advance() returned true.
    const std::vector<RankedNode>& found() const noexcept { return found_; }

    std::uint64_t codes_read() const noexcept { return codes_read_; }
    std::size_t bytes() const noexcept {
        return found_.capacity() * sizeof(RankedNode) + (priced_.capacity() + lists_.capacity()) * sizeof(List);
    }

private:
    struct List {
        std::uint32_t begin, end;  // of view->chunk_nodes
    };
    /// What the next unit for a chunk costs. Before it is looked at it stands with an estimate.
    struct Offer {
        std::uint64_t cost;
        std::uint32_t chunk;
        std::uint32_t flips;
        bool known;
        std::size_t first, end;  // its lists in priced_, if known
    };
    static bool dearer(const Offer& a, const Offer& b) noexcept { return a.cost > b.cost; }

    std::uint32_t spend(std::uint32_t units, bool all, std::uint64_t most, std::uint64_t& cost);
    std::uint64_t price(std::uint32_t chunk, std::uint32_t flips);
    Offer offer_of(std::uint32_t chunk, std::uint32_t flips);
    void buy(const Offer& offer);
    std::uint64_t values(std::uint32_t flips) const noexcept;
    std::uint64_t least_likely_cost(std::uint32_t flips) const noexcept;
    bool countable(std::uint32_t flips, std::uint64_t most) const noexcept;

    const LaneQuery* query_ = nullptr;
    BatchSpace* space_ = nullptr;
    NodeId first_ = 0;
    std::uint32_t chunks_ = 0;
    std::vector<Offer> offers_;  // a heap, cheapest first
    std::vector<List> priced_;   // of all offers that were looked at
    std::vector<List> lists_;    // the plan
    std::size_t next_list_ = 0;
    std::vector<RankedNode> found_;
    std::uint64_t codes_read_ = 0;
};

}  // namespace nphd
