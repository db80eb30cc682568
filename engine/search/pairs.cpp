#include "engine/search/pairs.hpp"

#include <algorithm>
#include <utility>

#include "engine/distance/distance.hpp"
#include "engine/search/lane_probe.hpp"
#include "engine/search/lane_query.hpp"
#include "engine/search/search_work.hpp"

namespace nphd {

namespace {

/// Pairs after which a step ends; what one batch of nodes adds may come on top.
constexpr std::size_t kEnoughPairs = 1024;
/// Queries that share a pass over the inner lane: a block of BatchSpace::kNodes codes is read from memory once for all.
constexpr std::uint32_t kPile = 64;
/// After a query that was better scanned, so many are piled without asking for a plan, doubled each time.
constexpr std::uint32_t kMostUnplanned = 31;
/// A unit of a plan's cost while it is made, in units of work: a random read.
constexpr std::uint64_t kPlanWork = 4;

/// A code of the outer lane as a query of the inner one.
struct Query {
    NodeId node = 0;
    QueryWords words;
    LaneQuery query;
};

}  // namespace

struct PairSearch::State {
    Metric metric = Metric::nphd;
    double radius = 0;
    std::vector<LaneQuery> lanes;  // view and tombstones only
    std::uint32_t end = 0;         // of the lanes that are a pair's first

    // The two lanes at the moment; outer may be either.
    std::uint32_t lane_a = 0, lane_b = 0;
    bool begun = false;
    std::uint32_t outer = 0, inner = 0;
    NodeId next_node = 0;  // of the outer lane
    std::uint32_t limit = 0;
    std::uint32_t unplanned = 0, backoff = 0;

    enum class Phase { collect, probe, emit, scan } phase = Phase::collect;
    BatchSpace space;
    LaneProbe probe;
    std::size_t next_found = 0;
    Query pile[kPile];
    std::uint32_t piled = 0;       // pile[piled] is the one that is probed
    NodeId position = 0;           // of the scan
    std::uint32_t next_query = 0;  // of the scan at this position

    bool same() const noexcept { return outer == inner; }
    const LaneView& view(std::uint32_t lane) const noexcept { return *lanes[lane].view; }
    bool begin_lanes() noexcept;
    void next_lanes() noexcept;
    bool collect(std::vector<NodePair>& pairs, std::uint64_t& budget);
    void emit(std::vector<NodePair>& pairs);
    void scan(std::vector<NodePair>& pairs, std::uint64_t& budget);
    void compare(Query& q, NodeId first, std::uint32_t n, std::vector<NodePair>& pairs, std::uint64_t& budget);
    void add(NodeId outer_node, NodeId inner_node, std::vector<NodePair>& pairs) const;
};

PairSearch::PairSearch() : state_(std::make_unique<State>()) {}
PairSearch::~PairSearch() = default;

void PairSearch::reset(Metric metric, double radius) {
    State& s = *state_;
    s.metric = metric;
    s.radius = radius;
    s.lanes.clear();
    s.end = 0;
    s.lane_a = s.lane_b = 0;
    s.begun = false;
}

std::uint32_t PairSearch::add_lane(const LaneView& view, std::span<const std::uint8_t> dead) {
    LaneQuery lane;
    lane.view = &view;
    lane.dead = dead;
    lane.metric = state_->metric;
    lane.kernels = &kernels();
    state_->lanes.push_back(lane);
    return state_->end++;
}

void PairSearch::restrict_to(std::uint32_t begin, std::uint32_t end) noexcept {
    state_->lane_a = begin;
    state_->end = end;
}

/// False: there is nothing to be done with them.
bool PairSearch::State::begin_lanes() noexcept {
    const LaneView &a = view(lane_a), &b = view(lane_b);
    if (metric != Metric::nphd && a.code_bytes != b.code_bytes) return false;
    outer = lane_a;
    inner = lane_b;
    if (a.nodes > b.nodes) std::swap(outer, inner);
    begun = true;
    next_node = 0;
    unplanned = backoff = 0;
    piled = 0;
    phase = Phase::collect;
    return true;
}

void PairSearch::State::next_lanes() noexcept {
    begun = false;
    if (lane_b++ == lane_a) {
        lane_b = 0;
        ++lane_a;
    }
}

void PairSearch::State::add(NodeId outer_node, NodeId inner_node, std::vector<NodePair>& pairs) const {
    const double d = distance(metric, view(outer).code(outer_node), view(inner).code(inner_node));
    // Jaccard's raw distances are rounded.
    if (metric == Metric::jaccard && !(d <= radius)) return;
    if (outer == lane_a)
        pairs.push_back({lane_a, outer_node, lane_b, inner_node, d});
    else
        pairs.push_back({lane_a, inner_node, lane_b, outer_node, d});
}

/// Takes the next node of the outer lane. False: the lanes are done.
bool PairSearch::State::collect(std::vector<NodePair>& pairs, std::uint64_t& budget) {
    const auto start_scan = [&] {
        // No node of the pile has a partner before itself in its own lane.
        position = same() ? pile[0].node + 1 : 0;
        next_query = 0;
        phase = Phase::scan;
    };
    if (next_node == view(outer).nodes) {
        if (piled == 0) return false;
        start_scan();
        return true;
    }
    const NodeId node = next_node++;
    std::uint64_t work = kProbeWork;
    const bool live = lanes[outer].live(node, work);
    budget -= std::min(budget, work);
    if (!live) return true;
    if (same()) {
        LaneView::PostingRange range;
        if (view(outer).posting_range(node, range) && range.end - range.begin > 1)
            pairs.push_back({lane_a, node, lane_b, node, 0});
    }

    Query& q = pile[piled];
    q.node = node;
    q.words.assign(view(outer).code(node));
    q.query = lanes[inner];
    q.words.aim(view(inner).code_bytes, q.query);
    const std::int64_t raw = q.query.raw_within(radius);
    if (raw < 0) return false;  // nor for any other: it depends on the lengths alone
    limit = static_cast<std::uint32_t>(raw);
    if (metric != Metric::jaccard && q.query.compares()) {
        if (unplanned > 0) {
            --unplanned;
        } else {
            probe.start(&q.query, &space, same() ? node + 1 : 0);
            if (probe.possible()) {
                const std::uint64_t most = probe_limit(q.query), cost = probe.plan(limit, most);
                budget -= std::min(budget, kPlanWork * std::min(cost, most));
                if (cost != LaneProbe::kNoPlan) {
                    backoff = 0;
                    phase = Phase::probe;
                    return true;
                }
                unplanned = backoff = std::min(2 * backoff + 1, kMostUnplanned);
            }
        }
    }
    if (++piled == kPile) start_scan();
    return true;
}

void PairSearch::State::emit(std::vector<NodePair>& pairs) {
    const std::vector<RankedNode>& found = probe.found();
    const NodeId node = pile[piled].node;
    while (next_found < found.size() && pairs.size() < kEnoughPairs) add(node, node_of(found[next_found++]), pairs);
    if (next_found == found.size()) phase = Phase::collect;
}

void PairSearch::State::compare(Query& q, NodeId first, std::uint32_t n, std::vector<NodePair>& pairs,
                                std::uint64_t& budget) {
    q.query.range(first, n, space.distances);
    std::uint64_t work = std::uint64_t{n} * q.query.work();
    each_near(space, n, limit, [&](std::uint32_t i) {
        if (!q.query.selects() || q.query.live(first + i, work)) add(q.node, first + i, pairs);
    });
    budget -= std::min(budget, work);
}

void PairSearch::State::scan(std::vector<NodePair>& pairs, std::uint64_t& budget) {
    const NodeId nodes = view(inner).nodes;
    while (position < nodes) {
        const NodeId block_end = position + std::min(nodes - position, BatchSpace::kNodes);
        while (next_query < piled) {
            if (budget == 0 || pairs.size() >= kEnoughPairs) return;
            Query& q = pile[next_query++];
            const NodeId first = same() ? std::max(position, q.node + 1) : position;
            if (first < block_end) compare(q, first, block_end - first, pairs, budget);
        }
        next_query = 0;
        position = block_end;
    }
    piled = 0;
    phase = Phase::collect;
}

bool PairSearch::step(std::vector<NodePair>& pairs) {
    State& s = *state_;
    std::uint64_t budget = kStepWork;
    pairs.clear();
    while (budget > 0 && pairs.size() < kEnoughPairs) {
        if (s.lane_a >= s.end) return false;
        if (!s.begun) {
            --budget;
            if (!s.begin_lanes()) s.next_lanes();
            continue;
        }
        switch (s.phase) {
            case State::Phase::collect:
                if (!s.collect(pairs, budget)) s.next_lanes();
                break;
            case State::Phase::probe:
                if (!s.probe.advance(s.limit, budget)) break;
                s.next_found = 0;
                s.phase = State::Phase::emit;
                [[fallthrough]];
            case State::Phase::emit:
                s.emit(pairs);
                break;
            case State::Phase::scan:
                s.scan(pairs, budget);
                break;
        }
    }
    return true;
}

}  // namespace nphd
