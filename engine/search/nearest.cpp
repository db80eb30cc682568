#include "engine/search/nearest.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/distance/distance.hpp"
#include "engine/search/calibration.hpp"
#include "engine/search/code_lookup.hpp"
#include "engine/search/lane_gather.hpp"
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

// Under a filter a walk has to promise to be so many times as fast as reading: where the rows that pass are far from
// the query, it meets fewer of them than it is reckoned by, and what it took is lost when it gives way.
constexpr std::uint64_t kFilteredWalkAdvantage = 4;

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
        nothing,     // is to be found in it
        by_reading,  // its codes
        by_walk,     // and then by reading what the walk left
        by_tables    // alone
    };
    LaneQuery query;
    LaneScan scan;
    LaneGather gather;
    LaneWalk walk;
    LaneProbe probe;
    Way way = nothing;
    bool planned = false;         // `way` is decided
    bool gathers = false;         // what is read is what the filter lets pass, not everything
    std::uint64_t read_work = 0;  // about what reading takes
    double share = 1;             // of the postings that the filter is thought to let pass
    double least_share = 0;       // of the nodes a walk meets that have to count, else reading is better
    bool walking = false;         // the walk goes on; reading waits
    bool seeded = false;          // the walk has what look-ups found
    bool descended = false;       // the walk has begun
    bool probing = false;         // the tables were not read to the end
    std::size_t next_probed = 0;
    std::int64_t covered = 0;  // every live node within this raw distance was met by the walk
    double slack = 0;
    NodeId hidden = kNoNode;

    bool has_read() const { return gathers ? !gather.empty() : !scan.empty(); }
    RankedNode front_read() const { return gathers ? gather.front() : scan.front(); }
    void pop_read() {
        if (gathers)
            gather.pop([this](NodeId node) { return is_met(node); });
        else
            scan.pop();
    }
    /// Not to be found by reading.
    bool is_met(NodeId node) const { return node == hidden || (way == by_walk && walk.was_visited(node)); }
    std::uint64_t codes_read() const { return gathers ? gather.codes_read() : scan.codes_read(); }

    bool front(RankedNode& out) {
        if (way == nothing) return false;  // the scan is one of an earlier search
        if (way == by_tables) {
            if (probing || next_probed == probe.found().size()) return false;
            out = probe.found()[next_probed];
            return true;
        }
        bool any = way == by_walk && walk.front(out);
        if (has_read() && (!any || raw_of(front_read()) < raw_of(out))) {
            out = front_read();
            any = true;
        }
        return any;
    }
    void pop(RankedNode node) {
        if (way == by_tables)
            ++next_probed;
        else if (has_read() && front_read() == node)
            pop_read();
        else
            walk.pop();
    }
    /// Codes must be read before a node at distance `key` may be handed out.
    bool must_read(std::uint64_t key) const {
        if (way == by_tables) return probing;
        if (way == nothing || walking || has_read()) return false;
        if (gathers ? gather.exhausted() : scan.exhausted()) return false;
        return query.key(gathers ? gather.bound() : scan.bound()) < key;
    }
    void read(std::uint64_t& budget) {
        const auto skip = [this](NodeId node) { return is_met(node); };
        gathers ? gather.advance(budget, skip) : scan.advance(budget, skip);
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
    double slack(const LaneSearch& lane) const;
    bool wants_more(const LaneSearch& lane, std::uint64_t key) const;
    bool walked_enough(const LaneSearch& lane) const;
    void plan(LaneSearch& lane);
    bool plan_reading(LaneSearch& lane, std::uint32_t most);
    bool plan_tables(LaneSearch& lane, std::uint32_t most);
    bool plan_walk(LaneSearch& lane);
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
    lane.query.filter = s.options.filter;
    lane.way = LaneSearch::nothing;
    lane.planned = lane.gathers = lane.walking = lane.seeded = lane.descended = lane.probing = false;
    lane.hidden = hidden;
    lane.slack = s.options.slack * slack_factor(lane.query);
    return static_cast<std::uint32_t>(s.used++);
}

/// Reads value orders and radius tables, so it has to wait for the first step: only those may come upon pages that
/// cannot be read.
void NearestSearch::State::plan(LaneSearch& lane) {
    lane.planned = true;
    std::int64_t most = lane.query.max_raw();
    if (within()) most = lane.query.raw_within(options.radius);
    if (most < 0 || !plan_reading(lane, static_cast<std::uint32_t>(most))) return;
    if (within() ? plan_tables(lane, static_cast<std::uint32_t>(most)) : plan_walk(lane)) return;
    lane.way = LaneSearch::by_reading;
}

/// What is to be read unless there is a better way. False: there is nothing in the lane.
bool NearestSearch::State::plan_reading(LaneSearch& lane, std::uint32_t most) {
    lane.share = 1;
    lane.least_share = 0;
    lane.read_work = scan_work(lane.query);
    if (!options.filter.empty() && FilteredNodes::possible(*lane.query.view)) {
        lane.gather.start(&lane.query, &space, most);
        const FilteredNodes& nodes = lane.gather.source();
        if (nodes.none()) return false;
        lane.share = nodes.share();
        lane.gathers = nodes.work() < lane.read_work;
        if (lane.gathers) lane.read_work = nodes.work();
    }
    if (!lane.gathers) lane.scan.start(&lane.query, &space, most, within() ? kFirstBatchWithin : LaneScan::kFirstBatch);
    return true;
}

bool NearestSearch::State::plan_tables(LaneSearch& lane, std::uint32_t most) {
    if (options.metric == Metric::jaccard || !lane.query.compares()) return false;
    lane.probe.start(&lane.query, &space);
    if (lane.probe.plan(most, lane.read_work / kProbeWork) == LaneProbe::kNoPlan) return false;
    lane.way = LaneSearch::by_tables;
    lane.probing = true;
    lane.next_probed = 0;
    return true;
}

bool NearestSearch::State::plan_walk(LaneSearch& lane) {
    const LaneView& view = *lane.query.view;
    if (!view.has_graph() || options.exact || !lane.query.compares()) return false;
    std::uint32_t effort = options.ef_search;
    if (options.recall > 0) effort = choose_effort(view, lane.query.probe.bits, options.recall);
    if (options.recall > 0 && effort == kScanLane) return false;
    if (lane.share < 1) {
        // Of the nodes that are met, only a share counts, so it takes as many more to find as many.
        const auto most = static_cast<double>(lane.read_work / kFilteredWalkAdvantage);
        lane.least_share = effort / effort_for(view, lane.query.probe.bits, most);
        if (lane.share < lane.least_share) return false;
    }
    lane.way = LaneSearch::by_walk;
    lane.walking = true;
    lane.walk.start(&lane.query, &space, effort, lane.hidden);
    return true;
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

/// A walk that has to go past many nodes that do not count is more thorough about the first ones that do.
double NearestSearch::State::slack(const LaneSearch& lane) const {
    return options.filter.empty() ? lane.slack : lane.slack * std::sqrt(lane.walk.live_share());
}

/// Whether a node that would have to come before one at `key` may still hide behind the lane's frontier. Each lane has
/// to converge on what is nearest in it, however near the nodes of other lanes are: a walk begins far from everything,
/// and if it were stopped by what others found, the lane's own near nodes would never be seen.
bool NearestSearch::State::wants_more(const LaneSearch& lane, std::uint64_t key) const {
    if (key == 0 || static_cast<std::int64_t>(lane.query.raw_limit(key)) <= lane.covered) return false;
    if (!lane.descended) return true;
    const double factor = lane.walk.visited() < allowance() ? 1 + slack(lane) : 1;
    if (!lane.walk.settled(factor)) return true;
    const auto reach = static_cast<std::uint64_t>(static_cast<double>(key) * factor);
    return lane.walk.frontier_raw() <= lane.query.raw_limit(reach);
}

/// Whether reading the rest is the better way to go on: it costs no more than the walk did so far; or the walk found
/// this query hard and reading, which certainly helps, costs a few times as much; or the walk meets so few live nodes
/// that it will not settle before.
bool NearestSearch::State::walked_enough(const LaneSearch& lane) const {
    const std::uint64_t nodes = lane.query.view->nodes, visited = lane.walk.visited();
    const std::uint64_t read_visits = lane.read_work / kVisitWork;
    if (visited > std::min({read_visits, nodes / kLargestShare, kLargestWalk})) return true;
    if (visited >= allowance() && visited * kCapPatience >= read_visits) return true;
    return lane.walk.live_share() < lane.least_share;
}

/// A lane that must be searched further before a node at `key` can be handed out; null when there is none. Reading
/// first: what it finds is final.
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
    lane.read(budget);
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
        if (!lane.planned) s.plan(lane);
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
    for (const auto& lane : state_->lanes)
        bytes += lane->walk.bytes() + lane->scan.bytes() + lane->gather.bytes() + lane->probe.bytes();
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
    if (lane.way == LaneSearch::by_reading && lane.codes_read() > 0)
        out.way = lane.gathers ? LaneAccount::gather : LaneAccount::scan;
    if (lane.way == LaneSearch::by_reading || lane.way == LaneSearch::by_walk) out.distances += lane.codes_read();
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
        if (lane.way == LaneSearch::by_reading || lane.way == LaneSearch::by_walk)
            sum += lane.codes_read() * (lane.gathers ? kGatherWork : lane.query.work());
    }
    return sum;
}

std::uint64_t NearestSearch::distances() const noexcept {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < state_->used; ++i) sum += account(i).distances;
    return sum;
}

}  // namespace nphd
