#include "engine/search/lane_query.hpp"

#include <algorithm>

#include "engine/base/page_advice.hpp"

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

std::int64_t LaneQuery::raw_within(double radius) const noexcept {
    if (!compares()) return (constant_key == 0 ? 0.0 : 1.0) <= radius ? 0 : -1;
    if (metric == Metric::jaccard) return radius >= 1 ? 0xFFFFFFFF : static_cast<std::int64_t>(radius * 4294967296.0);
    if (metric == Metric::hamming) return static_cast<std::int64_t>(std::min<double>(radius, probe.bits));
    // The quotient is rounded, in SQL too; one more is tried so that the comparison of quotients decides.
    auto raw = static_cast<std::int64_t>(std::min(radius, 1.0) * probe.bits) + 1;
    while (raw > probe.bits || static_cast<double>(raw) / probe.bits > radius) --raw;
    return raw;
}

bool LaneQuery::has_live_posting(NodeId node, std::uint64_t& work) const noexcept {
    LaneView::PostingRange range;
    return view->posting_range(node, range) && range.begin != range.end &&
           !all_dead(dead, view->posting_base + range.begin, view->posting_base + range.end, work);
}

bool LaneQuery::has_matching_posting(NodeId node, std::uint64_t& work) const noexcept {
    if (!dead_nodes.empty() && is_dead(dead_nodes, node)) return false;
    // Most nodes are turned away by their value alone.
    if (one_posting_each() && !filter.matches(*view, node)) return false;
    LaneView::PostingRange range;
    if (!view->posting_range(node, range)) return false;
    for (std::uint32_t p = range.begin; p < range.end; ++p) {
        ++work;
        if (!is_dead(dead, view->posting_base + p) && filter.matches(*view, p)) return true;
    }
    return false;
}

void LaneQuery::announce(const NodeId* ids, std::uint32_t n) const noexcept {
    for (std::uint32_t i = 0; i < n; ++i) will_need(view->codes.at(ids[i]), 8 * probe.n_words);
}

void LaneQuery::announce_range(NodeId first, std::uint32_t n) const noexcept {
    constexpr std::uint32_t kAhead = 1u << 14;  // codes; a megabyte or so at a time
    const auto announced = [&](NodeId from) {
        if (from >= view->nodes) return;
        const NodeId last = std::min(from + kAhead, view->nodes) - 1;
        const std::byte* const begin = view->codes.at(from);
        will_need(begin, static_cast<std::size_t>(view->codes.at(last) - begin) + view->codes.record_bytes);
    };
    if (first == 0) announced(0);
    // One stretch further on, when the range gets to a new one.
    const NodeId stretch = (first + kAhead - 1) / kAhead * kAhead;
    if (stretch < first + n) announced(stretch + kAhead);
}

}  // namespace nphd
