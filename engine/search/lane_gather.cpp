#include "engine/search/lane_gather.hpp"

#include <algorithm>

#include "engine/search/dead_nodes.hpp"
#include "engine/search/search_work.hpp"

namespace nphd {

void FilteredNodes::start(const LaneQuery* query, BatchSpace* space) noexcept {
    query_ = query;
    space_ = space;
    codes_read_ = 0;
    postings_.start(*query->view, query->filter);
    const double most = std::max(1u, postings_.candidates());
    work_ = postings_.work() + static_cast<std::uint64_t>(std::min(most, postings_.estimate()) * kGatherWork);
    work_of_candidate_ = postings_.work() / std::max(1u, postings_.candidates());
}

/// From the first n postings in `entries` to the nodes of those that live, in `ids`.
std::uint32_t FilteredNodes::nodes_of(std::uint32_t postings) const noexcept {
    const LaneView& view = *query_->view;
    if (view.posting_nodes.count != 0)
        for (std::uint32_t i = 0; i < postings; ++i) __builtin_prefetch(view.posting_nodes.at(space_->entries[i]));
    std::uint32_t n = 0;
    for (std::uint32_t i = 0; i < postings; ++i) {
        const std::uint32_t posting = space_->entries[i];
        if (is_dead(query_->dead, view.posting_base + posting)) continue;
        const NodeId node = view.node_of_posting(posting);
        space_->ids[n] = node;
        n += node < view.nodes && (n == 0 || space_->ids[n - 1] != node);
    }
    return n;
}

std::uint32_t FilteredNodes::next(std::uint64_t& budget) noexcept {
    const std::uint32_t postings = postings_.next(BatchSpace::kNodes, space_->entries), n = nodes_of(postings);
    if (query_->compares())
        query_->gather(space_->ids, n, space_->distances);
    else
        std::fill_n(space_->distances, n, 0u);
    codes_read_ += n;
    budget -= std::min(budget, BatchSpace::kNodes * work_of_candidate_ + n * kGatherWork);
    return n;
}

void LaneGather::start(const LaneQuery* query, BatchSpace* space, std::uint32_t most) noexcept {
    space_ = space;
    source_.start(query, space);
    nodes_.clear();
    next_ = sorted_ = 0;
    exhausted_ = started_ = in_pass_ = false;
    watermark_ = 0;
    most_ = ranked(most, kNoNode);
}

void LaneGather::begin_pass() noexcept {
    if (!nodes_.empty()) {
        watermark_ = nodes_.back();
        started_ = true;
    }
    source_.rewind();
    nodes_.clear();
    next_ = sorted_ = 0;
    sort_size_ = kFirstSorted;
    limit_ = most_;
    cut_ = false;
    in_pass_ = true;
}

void LaneGather::shrink() noexcept {
    const std::size_t kept = kMostNodes / 2;
    const auto last = nodes_.begin() + static_cast<std::ptrdiff_t>(kept - 1);
    std::nth_element(nodes_.begin(), last, nodes_.end());
    limit_ = *last;
    nodes_.resize(kept);
    cut_ = true;
}

void LaneGather::sort_more() noexcept {
    const auto from = nodes_.begin() + static_cast<std::ptrdiff_t>(sorted_);
    sorted_ += std::min(sort_size_, nodes_.size() - sorted_);
    sort_size_ *= 8;
    const auto end = nodes_.begin() + static_cast<std::ptrdiff_t>(sorted_);
    if (end != nodes_.end()) std::nth_element(from, end, nodes_.end());
    std::sort(from, end);
}

}  // namespace nphd
