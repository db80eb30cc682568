#include "engine/search/dead_nodes.hpp"

#include <cstring>

namespace nphd {

bool all_dead(std::span<const std::uint8_t> dead, std::uint64_t bit, std::uint64_t end, std::uint64_t& work) noexcept {
    if (end > std::uint64_t{dead.size()} * 8) return false;
    while (bit < end) {
        if (bit % 8 == 0 && end - bit >= 64) {
            std::uint64_t word;
            std::memcpy(&word, dead.data() + bit / 8, 8);
            if (~word != 0) return false;
            bit += 64;
            ++work;
        } else {
            if ((dead[bit / 8] >> bit % 8 & 1) == 0) return false;
            ++bit;
        }
    }
    return true;
}

void mark_dead_nodes(const LaneView& lane, std::span<const std::uint8_t> dead, NodeId first, NodeId end,
                     std::uint8_t* out) noexcept {
    if (first == end) return;
    const std::uint64_t known = std::uint64_t{dead.size()} * 8;
    std::uint64_t ignored = 0;
    std::uint32_t begin = lane.posting_offsets.number(first);
    for (NodeId node = first; node < end; ++node) {
        const std::uint32_t next = lane.posting_offsets.number(node + 1);
        const bool any = begin < next && next <= lane.postings;
        const std::uint64_t bit = lane.posting_base + begin;
        // Most nodes have one posting, and whether it is dead no branch predictor knows.
        const bool none = any && next - begin == 1 && bit < known
                              ? dead[bit / 8] >> bit % 8 & 1
                              : !any || all_dead(dead, bit, lane.posting_base + next, ignored);
        out[node / 8] = static_cast<std::uint8_t>(out[node / 8] | unsigned{none} << node % 8);
        begin = next;
    }
}

}  // namespace nphd
