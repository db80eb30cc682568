#include "engine/search/lane_query.hpp"

#include <algorithm>
#include <cstring>

#include "engine/search/dead_nodes.hpp"

namespace nphd {

void QueryWords::assign(std::span<const std::uint8_t> query) {
    words_.assign(query.size() / 8 + 1, 0);
    if (!query.empty()) std::memcpy(words_.data(), query.data(), query.size());
    size_ = query.size();
}

void QueryWords::aim(std::uint32_t code_bytes, LaneQuery& q) const noexcept {
    const auto compared = static_cast<std::uint32_t>(std::min<std::size_t>(code_bytes, size_));
    q.probe = {};
    q.probe.words = words_.data();
    q.probe.n_words = (compared + 7) / 8;
    q.probe.bits = compared * 8;
    // Both sides are padded with zeros; only where the lane's codes go on beyond the query must they be cut.
    if (compared % 8 != 0) q.probe.last_mask = (1ull << (compared % 8 * 8)) - 1;
    q.constant_key = code_bytes == size_ ? 0 : 0xFFFFFFFFu;
}

bool LaneQuery::has_live_posting(NodeId node, std::uint64_t& work) const noexcept {
    LaneView::PostingRange range;
    return view->posting_range(node, range) && range.begin != range.end &&
           !all_dead(dead, view->posting_base + range.begin, view->posting_base + range.end, work);
}

}  // namespace nphd
