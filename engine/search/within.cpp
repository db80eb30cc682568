#include "engine/search/within.hpp"

#include "engine/distance/distance.hpp"
#include "engine/search/lane_gather.hpp"
#include "engine/search/lane_probe.hpp"
#include "engine/search/lane_query.hpp"
#include "engine/search/search_work.hpp"
#include "engine/search/visited_set.hpp"

namespace nphd {

namespace {

struct Lane {
    LaneQuery query;
    std::uint32_t limit;  // raw distance
    LaneAccount account;
};

}  // namespace

struct WithinSearch::State {
    QueryWords query;
    Metric metric = Metric::nphd;
    double radius = 0;
    PostingFilter filter;
    std::vector<Lane> lanes;  // the number of a lane is its place
    BatchSpace space;
    LaneProbe probe;
    FilteredNodes filtered;
    VisitedSet met;  // of what a filter lets pass, the nodes within the radius
    // Where the search is.
    std::size_t lane = 0;
    bool begun = false;   // with this lane
    NodeId position = 0;  // of a scan

    bool begin_lane();
    bool search(std::vector<WithinHit>& hits, std::uint64_t& budget);
    void gather(std::vector<WithinHit>& hits, std::uint64_t& budget);
    void scan(std::vector<WithinHit>& hits, std::uint64_t& budget);
    void next_lane() {
        ++lane;
        begun = false;
    }
    bool is_within(const Lane& l, NodeId node) const {
        return distance(metric, query.bytes(), l.query.view->code(node)) <= radius;
    }
};

WithinSearch::WithinSearch() : state_(std::make_unique<State>()) {}
WithinSearch::~WithinSearch() = default;

void WithinSearch::reset(std::span<const std::uint8_t> query, Metric metric, double radius,
                         const PostingFilter& filter) {
    State& s = *state_;
    s.query.assign(query);
    s.metric = metric;
    s.radius = radius;
    s.filter = filter;
    s.lanes.clear();
    s.lane = 0;
    s.begun = false;
}

std::uint32_t WithinSearch::add_lane(const LaneView& view, std::span<const std::uint8_t> dead) {
    State& s = *state_;
    Lane lane;
    lane.query.view = &view;
    lane.query.dead = dead;
    lane.query.filter = s.filter;
    lane.query.kernels = &kernels();
    lane.query.metric = s.metric;
    s.query.aim(view.code_bytes, lane.query);
    const std::int64_t limit = lane.query.raw_within(s.radius);
    if (limit < 0) lane.query.view = nullptr;  // nothing to be found in it
    lane.limit = static_cast<std::uint32_t>(limit);
    s.lanes.push_back(lane);
    return static_cast<std::uint32_t>(s.lanes.size() - 1);
}

/// False: there is nothing to be done in it.
bool WithinSearch::State::begin_lane() {
    Lane& l = lanes[lane];
    if (l.query.view == nullptr) return false;
    begun = true;
    position = 0;
    l.account.way = LaneAccount::scan;
    std::uint64_t most = scan_work(l.query);
    if (!filter.empty() && FilteredNodes::possible(*l.query.view)) {
        filtered.start(&l.query, &space);
        if (filtered.none()) {
            l.account.way = LaneAccount::nothing;
            return false;
        }
        if (filtered.work() < most) {
            most = filtered.work();
            l.account.way = LaneAccount::gather;
        }
    }
    if (metric != Metric::jaccard && l.query.compares()) {
        probe.start(&l.query, &space);
        if (probe.plan(l.limit, most / kProbeWork) != LaneProbe::kNoPlan) l.account.way = LaneAccount::look_up;
    }
    if (l.account.way == LaneAccount::gather) met.start(l.query.view->nodes);
    return true;
}

/// Goes on in this lane. Returns whether it is done.
bool WithinSearch::State::search(std::vector<WithinHit>& hits, std::uint64_t& budget) {
    Lane& l = lanes[lane];
    if (l.account.way == LaneAccount::gather) {
        gather(hits, budget);
        return filtered.done();
    }
    if (l.account.way == LaneAccount::scan) {
        scan(hits, budget);
        return position == l.query.view->nodes;
    }
    if (!probe.advance(l.limit, budget)) return false;
    for (const RankedNode node : probe.found()) hits.push_back({static_cast<std::uint32_t>(lane), node_of(node)});
    l.account.distances = probe.codes_read();
    return true;
}

void WithinSearch::State::gather(std::vector<WithinHit>& hits, std::uint64_t& budget) {
    Lane& l = lanes[lane];
    while (!filtered.done() && budget > 0) {
        const std::uint32_t n = filtered.next(budget);
        std::uint64_t work = 0;
        each_near(space, n, l.limit, [&](std::uint32_t i) {
            const NodeId node = space.ids[i];
            if (!met.insert(node) || !l.query.live(node, work)) return;
            if (metric == Metric::jaccard && !is_within(l, node)) return;
            hits.push_back({static_cast<std::uint32_t>(lane), node});
        });
        budget -= work < budget ? work : budget;
    }
    l.account.distances = filtered.codes_read();
}

void WithinSearch::State::scan(std::vector<WithinHit>& hits, std::uint64_t& budget) {
    Lane& l = lanes[lane];
    const LaneView& view = *l.query.view;
    while (position < view.nodes && budget > 0) {
        const std::uint32_t left = view.nodes - position, n = left < BatchSpace::kNodes ? left : BatchSpace::kNodes;
        l.query.range(position, n, space.distances);
        std::uint64_t work = std::uint64_t{n} * l.query.work();
        each_near(space, n, l.limit, [&](std::uint32_t i) {
            const NodeId node = position + i;
            if (l.query.selects() && !l.query.live(node, work)) return;
            if (metric == Metric::jaccard && !is_within(l, node)) return;
            hits.push_back({static_cast<std::uint32_t>(lane), node});
        });
        position += n;
        l.account.distances += n;
        budget -= work < budget ? work : budget;
    }
}

bool WithinSearch::step(std::vector<WithinHit>& hits) {
    State& s = *state_;
    std::uint64_t budget = kStepWork;
    hits.clear();
    while (budget > 0 && hits.empty()) {
        if (s.lane == s.lanes.size()) return false;
        if (!s.begun && !s.begin_lane()) {
            s.next_lane();
            continue;
        }
        if (s.search(hits, budget)) s.next_lane();
    }
    return true;
}

LaneAccount WithinSearch::account(std::uint32_t lane) const noexcept { return state_->lanes[lane].account; }

std::size_t WithinSearch::bytes_kept() const noexcept {
    return state_->probe.bytes() + state_->lanes.capacity() * sizeof(Lane);
}

}  // namespace nphd
