#include "engine/search/lane_walk.hpp"

#include <algorithm>
#include <functional>
#include <utility>

#include "engine/base/page_advice.hpp"
#include "engine/shard/packed_numbers.hpp"

namespace nphd {

namespace {

static_assert(BatchSpace::kNodes >= kMaxDegree, "a batch holds all links of a node");

constexpr std::uint32_t kHopsPerLevel = 256;  // a descent takes a few; damaged links must not make it long

}  // namespace

void LaneWalk::start(const LaneQuery* query, BatchSpace* space, std::uint32_t ef, NodeId hidden) {
    query_ = query;
    space_ = space;
    visited_.start(query->view->nodes);
    if (hidden < query->view->nodes) visited_.insert(hidden);  // met already, so never noted nor expanded
    candidates_.start(query->max_raw());
    best_.start(candidates_.bucket_of(query->max_raw()), kSettledNodes, std::max(ef, kSettledNodes));
    opened_.clear();
    opened_bucket_ = 0;
    asked_ = live_ = 0;
    expanded_ = work_ = 0;
}

[[gnu::always_inline]] inline void LaneWalk::prefetch_links(NodeId node) const noexcept {
    const std::byte* const links = query_->view->links.at(node);
    if (query_->view->out_of_core) will_need(links, query_->view->links.record_bytes);
    __builtin_prefetch(links);
    __builtin_prefetch(links + 64);
}

bool LaneWalk::is_live(NodeId node) noexcept {
    const bool live = query_->live(node, work_);
    live_ += live;
    if (++asked_ == 4 * kFewestAsked) {
        asked_ /= 2;
        live_ /= 2;
    }
    return live;
}

/// A node that is met: part of the frontier, and counted if it is live and near enough; found, unless it is not live.
void LaneWalk::note(std::uint32_t raw, NodeId node) noexcept {
    const std::uint32_t bucket = candidates_.bucket_of(raw);
    bool counts = true;  // or not looked at
    if (best_.matters(bucket)) {
        counts = !query_->selects() || is_live(node);
        if (counts) best_.add(bucket);
    }
    candidates_.push(raw, node, counts);
}

/// Distances of the first n ids, which are new; all are noted.
void LaneWalk::measure(std::uint32_t n) noexcept {
    query_->gather(space_->ids, n, space_->distances);
    work_ += std::uint64_t{n} * query_->work();
    for (std::uint32_t i = 0; i < n; ++i)
        if (best_.matters(candidates_.bucket_of(space_->distances[i]))) query_->prefetch_live(space_->ids[i]);
    for (std::uint32_t i = 0; i < n; ++i) {
        // What is nearer than all of the frontier is expanded next, unless something still nearer turns up.
        if (space_->distances[i] < candidates_.frontier_raw()) prefetch_links(space_->ids[i]);
        note(space_->distances[i], space_->ids[i]);
    }
}

/// The same for the first n entries, of an upper level.
void LaneWalk::measure_entries(const LevelView& level, std::uint32_t n, Best& best) noexcept {
    std::uint32_t fresh = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
        const NodeId node = level.entries.value<UpperEntry>(space_->entries[i]).node;
        if (node >= query_->view->nodes || !visited_.insert(node)) continue;
        space_->ids[fresh] = node;
        space_->entries[fresh++] = space_->entries[i];
    }
    measure(fresh);
    for (std::uint32_t i = 0; i < fresh; ++i)
        if (space_->distances[i] < best.raw) best = {space_->distances[i], space_->entries[i]};
}

/// Greedy: a node met earlier, here or above, was not nearer than the best, so it need not be looked at again.
void LaneWalk::climb_down(const LevelView& level, std::uint32_t degree, Best& best) noexcept {
    for (std::uint32_t hop = 0; hop < kHopsPerLevel; ++hop) {
        const Best before = best;
        const LinkList links(level.links, best.entry);
        std::uint32_t n = 0;
        for (std::uint32_t i = 0; i < degree; ++i) {
            const std::uint32_t entry = links[i];
            if (entry == links.none()) break;
            if (entry < level.entries.count) space_->entries[n++] = entry;
        }
        candidates_.reserve(n);
        measure_entries(level, n, best);
        if (best.raw >= before.raw) return;
    }
}

void LaneWalk::seed(const RankedNode* nodes, std::size_t n) {
    candidates_.reserve(n);
    for (std::size_t i = 0; i < n; ++i)
        if (visited_.insert(node_of(nodes[i]))) note(raw_of(nodes[i]), node_of(nodes[i]));
}

void LaneWalk::descend() {
    const LaneView& view = *query_->view;
    candidates_.reserve(BatchSpace::kNodes);
    if (view.levels == 0) {
        std::uint32_t n = 0;
        for (NodeId i = 0; i < std::min(view.nodes, kUnlevelledStarts); ++i) {
            space_->ids[n] = i;
            n += visited_.insert(i);
        }
        measure(n);
        return;
    }
    const LevelView& top = view.level[view.levels - 1];
    const std::uint32_t n = std::min(top.entries.count, BatchSpace::kNodes);
    for (std::uint32_t i = 0; i < n; ++i) space_->entries[i] = i;
    Best best{~0u, 0};
    measure_entries(top, n, best);
    for (std::uint32_t l = view.levels - 1; l > 0; --l) {
        best.entry = view.level[l].entries.value<UpperEntry>(best.entry).below;
        const LevelView& level = view.level[l - 1];
        if (best.entry >= level.entries.count) best.entry = 0;
        climb_down(level, view.upper_degree, best);
    }
}

void LaneWalk::expand() {
    const LaneView& view = *query_->view;
    candidates_.reserve(view.degree);
    const LinkList links(view.links, candidates_.pop_frontier());
    if (!dry()) prefetch_links(candidates_.peek_frontier());
    std::uint32_t n = 0;
    for (std::uint32_t i = 0; i < view.degree; ++i) {
        const NodeId id = links[i];
        if (id >= view.nodes) {
            if (id == links.none()) break;
            continue;
        }
        space_->ids[n] = id;
        n += visited_.insert(id);
    }
    measure(n);
    ++expanded_;
    work_ += 1 + view.degree / 8;
}

std::uint64_t LaneWalk::found_raw() const noexcept {
    std::uint64_t raw = ~std::uint64_t{0};
    if (candidates_.found() != BucketBitmap::kNone) raw = candidates_.least_raw(candidates_.found());
    if (!opened_.empty()) raw = std::min<std::uint64_t>(raw, raw_of(opened_.front()));
    return raw;
}

bool LaneWalk::front(RankedNode& out) {
    // A bucket below or at the one that was opened last may have got nodes since.
    while (candidates_.found() != BucketBitmap::kNone && (opened_.empty() || candidates_.found() <= opened_bucket_)) {
        opened_bucket_ = opened_.empty() ? candidates_.found() : std::max(opened_bucket_, candidates_.found());
        candidates_.open_found([&](RankedNode r) {
            opened_.push_back(r);
            std::push_heap(opened_.begin(), opened_.end(), std::greater<>());
        });
    }
    if (opened_.empty()) return false;
    out = opened_.front();
    return true;
}

void LaneWalk::pop() {
    std::pop_heap(opened_.begin(), opened_.end(), std::greater<>());
    opened_.pop_back();
}

std::uint64_t LaneWalk::take_work() noexcept { return std::exchange(work_, 0); }

}  // namespace nphd
