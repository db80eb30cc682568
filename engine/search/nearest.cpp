#include "engine/search/nearest.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/distance/distance.hpp"
#include "engine/search/calibration.hpp"
#include "engine/search/code_lookup.hpp"
#include "engine/search/lane_probe.hpp"
#include "engine/search/lane_query.hpp"
#include "engine/search/lane_scan.hpp"
#include "engine/search/lane_walk.hpp"
#include "engine/search/search_work.hpp"

namespace nphd {

namespace {

constexpr std::uint64_t kBeyondAllKeys = std::uint64_t{1} << 32;

// What costs how much, see search_work.hpp.
constexpr std::uint64_t kWalkFactor = 8;    // a unit that a walk reads
constexpr std::uint64_t kDiscardWork = 50;  // a node that turns out to be dead

// When a walk gives way to the scan of the rest, which is complete. A visit takes as long as kVisitWork units of a
// scan.
constexpr std::uint64_t kVisitWork = 48;
constexpr std::uint64_t kCapPatience = 4;         // past visit_cap: when the scan takes at most so many times the walk
constexpr std::uint64_t kLargestShare = 8;        // at the latest with nodes / 8 visited,
constexpr std::uint64_t kLargestWalk = 1u << 20;  // or 16 MB of candidates

constexpr std::uint32_t kBurst = 16;     // expansions between two looks at the budget
constexpr std::uint32_t kCapShare = 32;  // each hit allows for a further visit_cap / 32 nodes

// What the look-up in the radius tables before a walk may cost (LaneProbe::plan_up_to).
constexpr std::uint64_t kSeedCost = 1024;

constexpr std::size_t kFirstBatchWithin = 4096;  // of a scan for all nodes within a radius

/// Unrelated codes of b bits spread around b / 2 with a deviation of sqrt(b) / 2, so the same relative slack is
/// generous for long codes and less than a bit for short ones. The option is meant for 256 bits.
double slack_factor(const LaneQuery& query) {
    if (query.metric == Metric::jaccard || !query.compares()) return 1;
    return std::clamp(std::sqrt(256.0 / query.probe.bits), 0.5, 2.0);
}

/// One lane's part in the search.
struct LaneSearch {
    enum Way {
        nothing,  // is to be found in it
        by_scan,
        by_walk,   // and then by a scan of what the walk left
        by_tables  // alone
    };
    LaneQuery query;
    LaneScan scan;
    LaneWalk walk;
    LaneProbe probe;
    Way way = nothing;
    bool planned = false;    // `way` is decided
    bool walking = false;    // the walk goes on; the scan waits
    bool seeded = false;     // the walk has what look-ups found
    bool descended = false;  // the walk has begun
    bool probing = false;    // the tables were not read to the end
    std::size_t next_probed = 0;
    std::int64_t covered = 0;  // every node within this raw distance was met by the walk
    double slack = 0;
    NodeId hidden = kNoNode;

    bool front(RankedNode& out) {
        if (way == nothing) return false;  // the scan is one of an earlier search
        if (way == by_tables) {
            if (probing || next_probed == probe.found().size()) return false;
            out = probe.found()[next_probed];
            return true;
        }
        bool any = way == by_walk && walk.front(out);
        if (!scan.empty() && (!any || raw_of(scan.front()) < raw_of(out))) {
            out = scan.front();
            any = true;
        }
        return any;
    }
    void pop(RankedNode node) {
        if (way == by_tables)
            ++next_probed;
        else if (!scan.empty() && scan.front() == node)
            scan.pop();
        else
            walk.pop();
    }
    /// Codes must be read before a node at distance `key` may be handed out.
    bool must_read(std::uint64_t key) const {
        if (way == by_tables) return probing;
        return way != nothing && !walking && scan.empty() && !scan.exhausted() && query.key(scan.bound()) < key;
    }
};

/// The nearest node that could be handed out.
struct Front {
    std::uint64_t key = kBeyondAllKeys;
    RankedNode node = 0;
    std::size_t lane = 0;
};

}  // namespace

struct NearestSearch::State {
    QueryWords query;
    NearestOptions options;
    std::vector<std::unique_ptr<LaneSearch>> lanes;  // the first `used` belong to this query, the others wait
    std::size_t used = 0;
    BatchSpace space;
    std::uint64_t handed_out = 0;
    DistanceKey last_key = 0;      // of the last hit
    std::vector<NearestHit> late;  // nearer than a hit that was handed out before they were found
    std::size_t next_late = 0;
    std::uint64_t budget = 0;  // what is left of the step

    bool within() const { return options.radius < std::numeric_limits<double>::infinity(); }
    void spend(std::uint64_t work) { budget -= std::min(budget, work); }
    Front front();
    std::uint64_t allowance() const;
    bool wants_more(const LaneSearch& lane, std::uint64_t key) const;
    bool walked_enough(const LaneSearch& lane) const;
    void start_within(LaneSearch& lane);
    void seed(LaneSearch& lane);
    void read(LaneSearch& lane);
    void walk(LaneSearch& lane, std::uint64_t key);
    void give_way(LaneSearch& lane);
    LaneSearch* in_doubt(std::uint64_t key);
    Step hand_out_late(NearestHit& out);
};

NearestSearch::NearestSearch() : state_(std::make_unique<State>()) {}
NearestSearch::~NearestSearch() = default;

void NearestSearch::reset(std::span<const std::uint8_t> query, const NearestOptions& options) {
    State& s = *state_;
    s.query.assign(query);
    s.options = options;
    s.used = 0;
    s.handed_out = 0;
    s.last_key = 0;
    s.late.clear();
    s.next_late = 0;
}

std::uint32_t NearestSearch::add_lane(const LaneView& view, std::span<const std::uint8_t> dead,
                                      std::span<const std::uint8_t> dead_nodes, NodeId hidden) {
    State& s = *state_;
    if (s.used == s.lanes.size()) s.lanes.push_back(std::make_unique<LaneSearch>());
    LaneSearch& lane = *s.lanes[s.used];
    lane.query.view = &view;
    lane.query.dead = dead;
    lane.query.dead_nodes = dead_nodes;
    lane.query.kernels = &kernels();
    lane.query.metric = s.options.metric;
    s.query.aim(view.code_bytes, lane.query);
    lane.walking = lane.seeded = lane.descended = lane.probing = false;
    lane.hidden = hidden;
    lane.slack = s.options.slack * slack_factor(lane.query);
    lane.planned = !s.within();
    if (s.within()) {
        lane.way = LaneSearch::nothing;
    } else {
        lane.scan.start(&lane.query, &s.space);
        lane.walking = view.has_graph() && !s.options.exact && lane.query.compares();
        std::uint32_t effort = s.options.ef_search;
        if (lane.walking && s.options.recall > 0) {
            effort = choose_effort(view, lane.query.probe.bits, s.options.recall);
            lane.walking = effort != kScanLane;
        }
        lane.way = lane.walking ? LaneSearch::by_walk : LaneSearch::by_scan;
        if (lane.walking) lane.walk.start(&lane.query, &s.space, effort, hidden);
    }
    return static_cast<std::uint32_t>(s.used++);
}

/// Reads radius tables, so it has to wait for the first step: only those may come upon pages that cannot be read.
void NearestSearch::State::start_within(LaneSearch& lane) {
    lane.planned = true;
    const std::int64_t most = lane.query.raw_within(options.radius);
    if (most < 0) return;
    const auto limit = static_cast<std::uint32_t>(most);
    if (options.metric != Metric::jaccard && lane.query.compares()) {
        lane.probe.start(&lane.query, &space);
        if (lane.probe.plan(limit, probe_limit(lane.query)) != LaneProbe::kNoPlan) {
            lane.way = LaneSearch::by_tables;
            lane.probing = true;
            lane.next_probed = 0;
            return;
        }
    }
    lane.way = LaneSearch::by_scan;
    lane.scan.start(&lane.query, &space, limit, kFirstBatchWithin);
}

/// What look-ups find at once.
void NearestSearch::State::seed(LaneSearch& lane) {
    lane.seeded = true;
    lane.covered = -1;
    const LaneView& view = *lane.query.view;
    if (options.metric != Metric::jaccard) {
        lane.probe.start(&lane.query, &space);
        const std::uint32_t beyond = lane.probe.plan_up_to(kSeedCost);
        std::uint64_t unlimited = ~std::uint64_t{0};
        if (beyond > 0 && lane.probe.advance(beyond - 1, unlimited)) {
            lane.walk.seed(lane.probe.found().data(), lane.probe.found().size());
            lane.covered = std::int64_t{beyond} - 1;
        }
    }
    if (lane.covered < 0 && view.code_bytes == query.bytes().size() && view.has_directory()) {
        const NodeId node = find_code(view, query.bytes());
        if (node != kNoNode && node != lane.hidden) {
            const RankedNode itself = ranked(0, node);
            lane.walk.seed(&itself, 1);
        }
        lane.covered = 0;
    }
}

Front NearestSearch::State::front() {
    Front nearest;
    for (std::size_t i = 0; i < used; ++i) {
        RankedNode node;
        if (!lanes[i]->front(node)) continue;
        const DistanceKey key = lanes[i]->query.key(raw_of(node));
        if (key < nearest.key) nearest = {key, node, i};
    }
    return nearest;
}

/// Nodes that the lane's walk may visit in all before only ef_search counts.
std::uint64_t NearestSearch::State::allowance() const {
    return options.visit_cap + handed_out * (options.visit_cap / kCapShare);
}

/// Whether a node that would have to come before one at `key` may still hide behind the lane's frontier. Each lane has
/// to converge on what is nearest in it, however near the nodes of other lanes are: a walk begins far from everything,
/// and if it were stopped by what others found, the lane's own near nodes would never be seen.
bool NearestSearch::State::wants_more(const LaneSearch& lane, std::uint64_t key) const {
    if (key == 0 || static_cast<std::int64_t>(lane.query.raw_limit(key)) <= lane.covered) return false;
    if (!lane.descended) return true;
    const double factor = lane.walk.visited() < allowance() ? 1 + lane.slack : 1;
    if (!lane.walk.settled(factor)) return true;
    const auto reach = static_cast<std::uint64_t>(static_cast<double>(key) * factor);
    return lane.walk.frontier_raw() <= lane.query.raw_limit(reach);
}

/// Whether the scan of the rest is the better way to go on: it costs no more than the walk did so far; or the walk
/// found this query hard and the scan, which certainly helps, costs a few times as much.
bool NearestSearch::State::walked_enough(const LaneSearch& lane) const {
    const std::uint64_t nodes = lane.query.view->nodes, visited = lane.walk.visited();
    const std::uint64_t scan_visits = nodes * lane.query.work() / kVisitWork;
    if (visited > std::min({scan_visits, nodes / kLargestShare, kLargestWalk})) return true;
    return visited >= allowance() && visited * kCapPatience >= scan_visits;
}

/// A lane that must be searched further before a node at `key` can be handed out; null when there is none. Scans first:
/// what they find is final.
LaneSearch* NearestSearch::State::in_doubt(std::uint64_t key) {
    LaneSearch* found = nullptr;
    for (std::size_t i = 0; i < used; ++i) {
        LaneSearch& lane = *lanes[i];
        if (lane.must_read(key)) return &lane;
        if (!found && lane.walking && wants_more(lane, key)) found = &lane;
    }
    return found;
}

void NearestSearch::State::read(LaneSearch& lane) {
    if (lane.way == LaneSearch::by_tables) {
        lane.probing = !lane.probe.advance(static_cast<std::uint32_t>(lane.query.raw_within(options.radius)), budget);
        return;
    }
    lane.scan.advance(budget, [&](NodeId node) {
        return node == lane.hidden || (lane.way == LaneSearch::by_walk && lane.walk.was_visited(node));
    });
}

void NearestSearch::State::give_way(LaneSearch& lane) { lane.walking = false; }

/// Expands some nodes of the lane, at most as many as wants_more() asks for.
void NearestSearch::State::walk(LaneSearch& lane, std::uint64_t key) {
    const std::uint64_t raw = lane.query.raw_limit(key);
    if (!lane.descended) {
        lane.descended = true;
        lane.walk.descend();
        if (lane.walk.dry()) return give_way(lane);
    }
    for (std::uint32_t i = 0; i < kBurst; ++i) {
        lane.walk.expand();
        if (lane.walk.dry() || walked_enough(lane)) {
            give_way(lane);
            break;
        }
        // A nearer node came up; it will be handed out first, and then less is wanted.
        if (lane.walk.found_raw() < raw) key = lane.query.key(static_cast<std::uint32_t>(lane.walk.found_raw()));
        if (!wants_more(lane, key)) break;
    }
    spend(lane.walk.take_work() * kWalkFactor);
}

/// All else was handed out.
NearestSearch::Step NearestSearch::State::hand_out_late(NearestHit& out) {
    if (next_late == 0)
        std::sort(late.begin(), late.end(), [](const NearestHit& a, const NearestHit& b) { return a.key < b.key; });
    if (next_late == late.size()) return Step::end;
    out = late[next_late++];
    return Step::hit;
}

NearestSearch::Step NearestSearch::step(NearestHit& out) {
    State& s = *state_;
    s.budget = kStepWork;
    for (std::size_t i = 0; i < s.used; ++i) {
        LaneSearch& lane = *s.lanes[i];
        if (!lane.planned) s.start_within(lane);
        if (lane.walking && !lane.seeded) s.seed(lane);
    }
    for (;;) {
        const Front front = s.front();
        LaneSearch* const doubtful = s.in_doubt(front.key);
        if (!doubtful && front.key == kBeyondAllKeys) return s.hand_out_late(out);
        if (s.budget == 0) return Step::more;
        if (doubtful) {
            if (doubtful->walking)
                s.walk(*doubtful, front.key);
            else
                s.read(*doubtful);
            continue;
        }
        LaneSearch& lane = *s.lanes[front.lane];
        lane.pop(front.node);
        std::uint64_t work = kDiscardWork;
        const bool live = lane.query.live(node_of(front.node), work);
        s.spend(work);
        if (!live) continue;
        out = {static_cast<DistanceKey>(front.key), static_cast<std::uint32_t>(front.lane), node_of(front.node), false};
        // Keys are rounded down; the distance is what counts.
        if (s.options.metric == Metric::jaccard && s.within() && distance(out) > s.options.radius) continue;
        if (out.key < s.last_key) {
            out.late = true;
            s.late.push_back(out);
            continue;
        }
        s.last_key = out.key;
        ++s.handed_out;
        return Step::hit;
    }
}

double NearestSearch::distance(const NearestHit& hit) const noexcept {
    const LaneView& view = *state_->lanes[hit.lane]->query.view;
    return nphd::distance(state_->options.metric, state_->query.bytes(), view.code(hit.node));
}

std::size_t NearestSearch::bytes_kept() const noexcept {
    std::size_t bytes = state_->late.capacity() * sizeof(NearestHit);
    for (const auto& lane : state_->lanes) bytes += lane->walk.bytes() + lane->scan.bytes() + lane->probe.bytes();
    return bytes;
}

LaneAccount NearestSearch::account(std::uint32_t number) const noexcept {
    const LaneSearch& lane = *state_->lanes[number];
    LaneAccount out;
    if (lane.way == LaneSearch::by_tables || lane.seeded) {
        out.way = LaneAccount::look_up;
        out.distances += lane.probe.codes_read();
    }
    if (lane.descended) {
        out.way = lane.walking ? LaneAccount::graph : LaneAccount::graph_scan;
        out.distances += lane.walk.visited();
        out.expanded = lane.walk.expanded();
    }
    if (lane.way == LaneSearch::by_scan && lane.scan.codes_read() > 0) out.way = LaneAccount::scan;
    if (lane.way == LaneSearch::by_scan || lane.way == LaneSearch::by_walk) out.distances += lane.scan.codes_read();
    return out;
}

bool NearestSearch::walked() const noexcept {
    return std::any_of(state_->lanes.begin(), state_->lanes.begin() + static_cast<std::ptrdiff_t>(state_->used),
                       [](const auto& lane) { return lane->descended; });
}

std::uint64_t NearestSearch::work() const noexcept {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < state_->used; ++i) {
        const LaneSearch& lane = *state_->lanes[i];
        if (lane.way == LaneSearch::by_tables || lane.seeded) sum += lane.probe.codes_read() * kProbeWork;
        if (lane.descended) sum += lane.walk.visited() * kVisitWork;
        if (lane.way == LaneSearch::by_scan || lane.way == LaneSearch::by_walk)
            sum += lane.scan.codes_read() * lane.query.work();
    }
    return sum;
}

std::uint64_t NearestSearch::distances() const noexcept {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < state_->used; ++i) sum += account(i).distances;
    return sum;
}

}  // namespace nphd
