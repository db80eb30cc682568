#include "engine/search/lane_probe.hpp"

#include <algorithm>

#include "engine/base/page_advice.hpp"
#include "engine/search/search_work.hpp"
#include "engine/shard/code_chunks.hpp"

namespace nphd {

namespace {

/// The next greater number with as many bits set (Gosper's hack). Not for 0.
constexpr std::uint64_t next_pattern(std::uint64_t v) noexcept {
    const std::uint64_t low = v & (~v + 1), ripple = v + low;
    return ripple | ((v ^ ripple) >> 2) / low;
}

}  // namespace

void LaneProbe::start(const LaneQuery* query, BatchSpace* space, NodeId first) noexcept {
    query_ = query;
    space_ = space;
    first_ = first;
    const LaneView& view = *query->view;
    chunks_ = view.chunks == 0 ? 0 : std::min(view.chunks, query->probe.bits / view.chunk_bits);
    lists_.clear();
    next_list_ = 0;
    found_.clear();
    codes_read_ = 0;
}

/// Adds the lists of all values with `flips` bits flipped to priced_; returns how many nodes they hold.
std::uint64_t LaneProbe::price(std::uint32_t chunk, std::uint32_t flips) {
    const LaneView& view = *query_->view;
    const std::uint32_t b = view.chunk_bits, value = code_chunk(query_->probe.words, chunk, b);
    const std::uint32_t first = chunk * ((1u << b) + 1), end = 1u << b;
    std::uint64_t nodes = 0;
    for (std::uint64_t pattern = (std::uint64_t{1} << flips) - 1; pattern < end; pattern = next_pattern(pattern)) {
        const std::uint32_t at = first + (value ^ static_cast<std::uint32_t>(pattern));
        const std::uint32_t from = view.chunk_starts.number(at), to = view.chunk_starts.number(at + 1);
        // A damaged table: nothing is found by it.
        if (from < to && to <= view.nodes) {
            priced_.push_back({chunk * view.nodes + from, chunk * view.nodes + to});
            nodes += to - from;
        }
        if (pattern == 0) break;
    }
    return nodes;
}

std::uint64_t LaneProbe::values(std::uint32_t flips) const noexcept {
    std::uint64_t n = 1;
    for (std::uint32_t i = 0; i < flips; ++i) n = n * (query_->view->chunk_bits - i) / (i + 1);
    return n;
}

/// What looking up all values with `flips` bits flipped is unlikely to fall below.
std::uint64_t LaneProbe::least_likely_cost(std::uint32_t flips) const noexcept {
    const LaneView& view = *query_->view;
    return flips > view.chunk_bits ? kNoPlan : values(flips) * (kLookupCost + (view.nodes >> view.chunk_bits) / 4);
}

/// Whether there are so few values with `flips` bits flipped that counting their nodes is worth it.
bool LaneProbe::countable(std::uint32_t flips, std::uint64_t most) const noexcept {
    return flips <= query_->view->chunk_bits && values(flips) * kLookupCost <= most;
}

LaneProbe::Offer LaneProbe::offer_of(std::uint32_t chunk, std::uint32_t flips) {
    const std::size_t first = priced_.size();
    const std::uint64_t nodes = price(chunk, flips);
    return {values(flips) * kLookupCost + nodes, chunk, flips, true, first, priced_.size()};
}

/// Adds the lists of an offer to the plan. They lie anywhere in memory and are read soon.
void LaneProbe::buy(const Offer& offer) {
    const LaneView& view = *query_->view;
    lists_.insert(lists_.end(), priced_.begin() + static_cast<std::ptrdiff_t>(offer.first),
                  priced_.begin() + static_cast<std::ptrdiff_t>(offer.end));
    for (std::size_t i = offer.first; i < offer.end; ++i) {
        if (view.out_of_core) will_need(view.chunk_nodes.at(priced_[i].begin), view.chunk_nodes.record_bytes);
        __builtin_prefetch(view.chunk_nodes.at(priced_[i].begin));
        __builtin_prefetch(view.chunk_nodes.at(priced_[i].end - 1));
    }
}

/// Buys up to `units`, the cheapest first, while their sum is at most `most`; returns how many. If only `all` will do,
/// it gives up when the rest cannot be cheap enough, since each unit costs about as much as the one before it or more.
std::uint32_t LaneProbe::spend(std::uint32_t units, bool all, std::uint64_t most, std::uint64_t& cost) {
    lists_.clear();
    next_list_ = 0;
    offers_.clear();
    priced_.clear();
    cost = 0;
    for (std::uint32_t chunk = 0; chunk < chunks_; ++chunk) offers_.push_back(offer_of(chunk, 0));
    std::make_heap(offers_.begin(), offers_.end(), dearer);
    std::uint32_t bought = 0;
    while (bought < units && !offers_.empty()) {
        std::pop_heap(offers_.begin(), offers_.end(), dearer);
        Offer offer = offers_.back();
        offers_.pop_back();
        if (cost + offer.cost * (all && offer.known ? units - bought : 1) > most) break;
        if (!offer.known) {
            if (!countable(offer.flips, most)) continue;
            offer = offer_of(offer.chunk, offer.flips);
            if (cost + offer.cost > most) priced_.resize(offer.first);  // never bought
        } else {
            buy(offer);
            cost += offer.cost;
            ++bought;
            // One more flip is several times as many values, and so about as many more nodes; what it costs exactly
            // is looked up when it comes to that.
            const std::uint64_t guess = std::max(2 * offer.cost, least_likely_cost(offer.flips + 1));
            offer = {guess, offer.chunk, offer.flips + 1, false, 0, 0};
        }
        offers_.push_back(offer);
        std::push_heap(offers_.begin(), offers_.end(), dearer);
    }
    return bought;
}

std::uint64_t LaneProbe::plan(std::uint32_t radius, std::uint64_t most) {
    if (!possible() || radius >= query_->probe.bits) return kNoPlan;
    std::uint64_t cost = 0;
    if (spend(radius + 1, true, most, cost) == radius + 1) return cost;
    lists_.clear();
    return kNoPlan;
}

std::uint32_t LaneProbe::plan_up_to(std::uint64_t most) {
    std::uint64_t cost = 0;
    return possible() ? spend(query_->probe.bits, false, most, cost) : 0;
}

bool LaneProbe::advance(std::uint32_t limit, std::uint64_t& budget) {
    const LaneView& view = *query_->view;
    std::uint32_t n = 0;
    const auto compare = [&] {
        query_->gather(space_->ids, n, space_->distances);
        codes_read_ += n;
        std::uint64_t work = n * kProbeWork;
        for (std::uint32_t i = 0; i < n; ++i)
            if (space_->distances[i] <= limit && (!query_->selects() || query_->live(space_->ids[i], work)))
                found_.push_back(ranked(space_->distances[i], space_->ids[i]));
        budget -= std::min(budget, work);
        n = 0;
    };
    while (next_list_ < lists_.size()) {
        if (budget == 0) return false;
        List& list = lists_[next_list_];
        for (; list.begin < list.end && n < BatchSpace::kNodes; ++list.begin) {
            const NodeId node = view.chunk_nodes.number(list.begin);
            space_->ids[n] = node;
            n += node >= first_ && node < view.nodes;
        }
        next_list_ += list.begin == list.end;
        if (n == BatchSpace::kNodes) compare();
    }
    if (n > 0) compare();
    std::sort(found_.begin(), found_.end());
    found_.erase(std::unique(found_.begin(), found_.end()), found_.end());
    return true;
}

}  // namespace nphd
