#include "engine/search/nearest.hpp"

#include <algorithm>
#include <vector>

#include "engine/distance/distance.hpp"
#include "engine/search/best_keys.hpp"
#include "engine/search/lane_query.hpp"
#include "engine/search/lane_scan.hpp"
#include "engine/search/lane_walk.hpp"

namespace nphd {

namespace {

constexpr std::uint64_t kBeyondAllKeys = std::uint64_t{1} << 32;
// A step may do this much, in units of 32 bytes read in sequence; a unit that a walk reads costs this many.
constexpr std::uint64_t kStepWork = 500'000;
constexpr std::uint64_t kWalkFactor = 8;
// A walk that met this share of its lane, or so many nodes, gives way to the scan of the rest.
constexpr std::uint32_t kWalkedShare = 8;
constexpr std::uint32_t kWalkedNodes = 1u << 20;
constexpr std::uint32_t kBurst = 16;  // expansions of one lane before the lanes are compared again

struct LaneSearch {
    LaneQuery query;
    LaneScan scan;
    LaneWalk walk;
    bool walked = false;   // there is a walk, perhaps over
    bool walking = false;  // the walk goes on; the scan waits
    bool descended = false;

    bool front(RankedNode& out) {
        bool any = walked && walk.front(out);
        if (!scan.empty() && (!any || raw_of(scan.front()) < raw_of(out))) {
            out = scan.front();
            any = true;
        }
        return any;
    }
    void pop(RankedNode node) {
        if (!scan.empty() && scan.front() == node)
            scan.pop();
        else
            walk.pop();
    }
    DistanceKey frontier_key() const { return query.key(walk.frontier_raw()); }
    /// Codes must be read before a node at distance `key` may be handed out.
    bool must_scan(std::uint64_t key) const {
        return !walking && scan.empty() && !scan.exhausted() && query.key(scan.bound()) < key;
    }
};

struct Front {
    std::uint64_t key = kBeyondAllKeys;
    RankedNode node = 0;
    std::size_t lane = 0;
};

}  // namespace

struct NearestSearch::State {
    QueryWords query;
    NearestOptions options;
    NearestCounters counters;
    std::vector<std::unique_ptr<LaneSearch>> lanes;  // the first `used` belong to this query, the others wait
    std::size_t used = 0;
    std::uint64_t handed_out = 0;
    std::uint64_t scanned = 0;  // distances computed by scans
    BestKeys best;

    Front nearest_found();
    bool scan(std::uint64_t key, std::uint64_t& budget, bool& done);
    bool wants_more(const LaneSearch& lane, std::uint64_t target) const;
    void walk(LaneSearch& lane, std::uint64_t target, std::uint64_t rival, std::uint64_t& budget);
    void give_way(LaneSearch& lane);
};

NearestSearch::NearestSearch() : state_(std::make_unique<State>()) {}
NearestSearch::~NearestSearch() = default;

void NearestSearch::reset(std::span<const std::uint8_t> query, const NearestOptions& options) {
    State& s = *state_;
    s.query.assign(query);
    s.options = options;
    s.counters = {};
    s.used = 0;
    s.handed_out = s.scanned = 0;
    s.best.clear();
}

std::uint32_t NearestSearch::add_lane(const LaneView& view, std::span<const std::uint8_t> dead) {
    State& s = *state_;
    if (s.used == s.lanes.size()) s.lanes.push_back(std::make_unique<LaneSearch>());
    LaneSearch& lane = *s.lanes[s.used];
    lane.query.view = &view;
    lane.query.dead = dead;
    lane.query.kernels = &kernels();
    lane.query.metric = s.options.metric;
    s.query.aim(view.code_bytes, lane.query);
    lane.scan.start(&lane.query);
    lane.walked = lane.walking = view.has_graph() && !s.options.exact && lane.query.compares();
    lane.descended = false;
    if (lane.walked) lane.walk.start(&lane.query, std::max(1u, s.options.ef_search), &s.best);
    ++(lane.walked ? s.counters.graph_lanes : s.counters.scanned_lanes);
    return static_cast<std::uint32_t>(s.used++);
}

Front NearestSearch::State::nearest_found() {
    Front nearest;
    for (std::size_t i = 0; i < used; ++i) {
        RankedNode node;
        if (!lanes[i]->front(node)) continue;
        const DistanceKey key = lanes[i]->query.key(raw_of(node));
        if (key < nearest.key) nearest = {key, node, i};
    }
    return nearest;
}

/// One lane's next batch, if a lane needs one before a node at `key` can be handed out. False: the budget is used up.
bool NearestSearch::State::scan(std::uint64_t key, std::uint64_t& budget, bool& done) {
    for (std::size_t i = 0; i < used; ++i) {
        LaneSearch& lane = *lanes[i];
        if (!lane.must_scan(key)) continue;
        done = true;
        const std::uint64_t before = budget;
        const bool first = handed_out == 0;
        const bool complete =
            lane.scan.advance(budget, [&](NodeId node) { return lane.walked && lane.walk.was_visited(node); });
        scanned += (before - budget) / lane.query.work();
        if (complete && first)
            lane.scan.for_first(BestKeys::kCount, [&](RankedNode r) { best.add(lane.query.key(raw_of(r))); });
        return complete;
    }
    return true;
}

/// Whether a node that would have to come before `target` may still hide behind the lane's frontier.
bool NearestSearch::State::wants_more(const LaneSearch& lane, std::uint64_t target) const {
    if (!lane.walk.settled()) return true;
    const std::uint64_t allowance = options.visit_cap + handed_out * (options.visit_cap / 32);
    const double slack = lane.walk.visited() < allowance ? options.slack : 0;
    const auto limit = static_cast<std::uint64_t>(static_cast<double>(target) * (1 + slack));
    return lane.walk.frontier_raw() <= lane.query.raw_limit(limit);
}

void NearestSearch::State::walk(LaneSearch& lane, std::uint64_t target, std::uint64_t rival, std::uint64_t& budget) {
    const std::uint64_t rival_raw = lane.query.raw_limit(rival);
    for (std::uint32_t i = 0; i < kBurst; ++i) {
        lane.walk.expand();
        if (lane.walk.dry() || lane.walk.visited() > kWalkedNodes ||
            lane.walk.visited() > lane.query.view->nodes / kWalkedShare)
            return give_way(lane);
        if (handed_out == 0)
            target = best.worst();
        else if (lane.walk.found_raw() < lane.query.raw_limit(target))
            break;
        if (!wants_more(lane, target) || lane.walk.frontier_raw() > rival_raw) break;
    }
    const std::uint64_t work = lane.walk.take_work() * kWalkFactor;
    budget -= std::min(budget, work);
}

void NearestSearch::State::give_way(LaneSearch& lane) {
    lane.walking = false;
    ++counters.scanned_lanes;
}

NearestSearch::Step NearestSearch::step(NearestHit& out) {
    State& s = *state_;
    std::uint64_t budget = kStepWork;
    for (std::size_t i = 0; i < s.used; ++i) {
        LaneSearch& lane = *s.lanes[i];
        if (!lane.walking || lane.descended) continue;
        lane.descended = true;
        lane.walk.descend();
        if (lane.walk.dry()) s.give_way(lane);
    }
    for (;;) {
        const Front front = s.nearest_found();
        bool scanned = false;
        if (!s.scan(front.key, budget, scanned)) return Step::more;
        if (scanned) continue;

        const std::uint64_t target = s.handed_out == 0 ? s.best.worst() : front.key;
        LaneSearch* nearest = nullptr;
        std::uint64_t nearest_key = kBeyondAllKeys, rival = kBeyondAllKeys;
        for (std::size_t i = 0; i < s.used; ++i) {
            LaneSearch& lane = *s.lanes[i];
            if (!lane.walking || !s.wants_more(lane, target)) continue;
            const std::uint64_t key = lane.frontier_key();
            if (key < nearest_key || !nearest) {
                rival = nearest_key;
                nearest_key = key;
                nearest = &lane;
            } else {
                rival = std::min(rival, key);
            }
        }
        if (nearest) {
            if (budget == 0) return Step::more;
            s.walk(*nearest, target, rival, budget);
            continue;
        }
        if (front.key == kBeyondAllKeys) return Step::end;
        s.lanes[front.lane]->pop(front.node);
        ++s.handed_out;
        out = {static_cast<DistanceKey>(front.key), static_cast<std::uint32_t>(front.lane), node_of(front.node)};
        return Step::hit;
    }
}

double NearestSearch::distance(const NearestHit& hit) const noexcept {
    const LaneView& view = *state_->lanes[hit.lane]->query.view;
    return nphd::distance(state_->options.metric, state_->query.bytes(), view.code(hit.node));
}

const NearestCounters& NearestSearch::counters() const noexcept {
    State& s = *state_;
    s.counters.distances = s.scanned;
    s.counters.expanded = 0;
    for (std::size_t i = 0; i < s.used; ++i) {
        if (!s.lanes[i]->walked) continue;
        s.counters.distances += s.lanes[i]->walk.visited();
        s.counters.expanded += s.lanes[i]->walk.expanded();
    }
    return s.counters;
}

}  // namespace nphd
