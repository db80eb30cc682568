#include "engine/search/calibration.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "engine/search/lane_query.hpp"
#include "engine/search/nearest.hpp"

namespace nphd {

namespace {

constexpr std::uint32_t kVersion = 1;
constexpr std::uint32_t kLevels = std::size(kEfforts);
constexpr std::uint32_t kFullCurve = 1, kCutCurve = kFullCurve + kLevels;  // first word of each
constexpr std::uint32_t kNearest = 10;
// One query for so many nodes, within these bounds: some 2 % of the time that the graph takes to build.
constexpr std::uint32_t kNodesPerQuery = 2048, kFewestQueries = 32, kMostQueries = 100;
// No higher effort is measured once one found so much, in 1/1000; nor where the next would cost about as much as the
// scan, or a fourth of it while little was found, for then even the next but one would not do.
constexpr std::uint32_t kEnough = 995, kLittle = 600;
constexpr std::uint64_t kScanShare = 2, kScanShareOfLittle = 8;
constexpr std::uint32_t kCutBytes = 8;  // where there are no prefix edges that say what is asked for
// What an effort of one costs where nothing was measured, in units of LaneQuery::work().
constexpr double kWorkOfEffort = 2000;
constexpr std::uint32_t kCostUnit = 32;     // of LaneQuery::work()
constexpr std::uint64_t kStream = 0xCA11B;  // tells the sample from other random choices
constexpr std::uint32_t kRecallShift = 22, kMostCost = (1u << kRecallShift) - 1;

/// A measured recall is that of some queries only, and the effort that is chosen may be one that was lucky. So more is
/// asked for, by about one standard error.
double with_margin(double recall, std::uint32_t queries) noexcept {
    return recall + (1 - recall) * std::min(1.0, 2 / std::sqrt(std::max(1u, queries)));
}

struct Point {
    std::uint32_t permille;
    std::uint64_t work;  // units of 32 bytes; 0: not measured
};

Point decode(std::uint32_t word) noexcept {
    return {word >> kRecallShift, std::uint64_t{word & kMostCost} * kCostUnit};
}

std::uint32_t encode(Point p) noexcept {
    const std::uint64_t cost = std::max<std::uint64_t>(1, (p.work + kCostUnit - 1) / kCostUnit);
    return p.permille << kRecallShift | static_cast<std::uint32_t>(std::min<std::uint64_t>(cost, kMostCost));
}

bool calibrated(const LaneView& lane) noexcept { return (lane.calibration[0] & 0xFF) == kVersion; }

std::uint32_t choose_on_curve(const std::uint32_t* curve, std::uint64_t scan_work, double wanted) noexcept {
    std::uint64_t least = scan_work;
    std::uint32_t effort = kScanLane;
    for (std::uint32_t l = 0; l < kLevels; ++l) {
        const Point p = decode(curve[l]);
        if (p.work == 0 || p.permille < 1000 * wanted || p.work >= least) continue;
        least = p.work;
        effort = kEfforts[l];
    }
    return effort;
}

/// Sampled codes as queries, each with what it has to find. Threads share out the queries, and what is summed up are
/// integers, so the result does not depend on them.
class Meter {
public:
    Meter(const LaneView& lane, Metric metric, std::uint64_t seed, unsigned threads, const Progress& progress)
        : lane_(lane), progress_(progress) {
        options_.metric = metric;
        RandomStream random(seed, lane.code_bytes, kStream);
        const std::uint32_t n = std::clamp(lane.nodes / kNodesPerQuery, kFewestQueries, kMostQueries);
        for (std::uint32_t i = 0; i < std::min(n, lane.nodes / 2); ++i) {
            const NodeId node = sample_node(lane, random);
            if (node == kNoNode) continue;
            queries_.emplace_back().node = node;
        }
        searches_ = std::vector<NearestSearch>(std::clamp<std::size_t>(threads, 1, queries_.size() + 1));
    }
    std::uint32_t queries() const noexcept { return static_cast<std::uint32_t>(queries_.size()); }

    /// One curve, of queries of `bytes`.
    void run(std::uint32_t bytes, std::uint32_t* curve) {
        options_.exact = true;
        for (Query& q : queries_) q.farthest = ~DistanceKey{0};
        const Sums truth = search_all(bytes);
        for (Query& q : queries_) q.farthest = q.last;
        options_.exact = false;
        for (std::uint32_t l = 0; l < kLevels; ++l) {
            options_.ef_search = kEfforts[l];
            const Sums s = search_all(bytes);
            const auto permille = static_cast<std::uint32_t>(s.found * 1000 / std::max<std::uint64_t>(1, truth.found));
            curve[l] = encode({permille, s.work / queries_.size()});
            if (permille >= kEnough || s.work * (permille < kLittle ? kScanShareOfLittle : kScanShare) >= truth.work)
                break;
        }
    }

private:
    struct Query {
        NodeId node = kNoNode;
        DistanceKey farthest = 0;  // of what it has to find
        // Of the latest search: the last hit's distance, the number of hits that are near enough, the cost.
        DistanceKey last = 0;
        std::uint64_t found = 0, work = 0;
    };
    struct Sums {
        std::uint64_t found = 0, work = 0;
    };

    Sums search_all(std::uint32_t bytes) {
        parallel_for(static_cast<unsigned>(searches_.size()), searches_.size(), [&](std::size_t t) {
            for (std::size_t q = t; q < queries_.size(); q += searches_.size())
                search_one(searches_[t], queries_[q], bytes);
        });
        Sums sums;
        for (const Query& q : queries_) {
            sums.found += q.found;
            sums.work += q.work;
        }
        return sums;
    }
    void search_one(NearestSearch& search, Query& q, std::uint32_t bytes) const {
        search.reset(lane_.code(q.node).first(bytes), options_);
        search.add_lane(lane_, {}, {}, q.node);
        q.found = 0;
        NearestHit hit{};
        for (std::uint32_t k = 0; k < kNearest;) {
            progress_.check();
            const auto step = search.step(hit);
            if (step == NearestSearch::Step::end) break;
            if (step != NearestSearch::Step::hit) continue;
            q.found += hit.key <= q.farthest;
            q.last = hit.key;
            ++k;
        }
        q.work = search.work();
    }

    const LaneView& lane_;
    const Progress& progress_;
    NearestOptions options_;
    std::vector<Query> queries_;
    std::vector<NearestSearch> searches_;  // one for each thread
};

}  // namespace

void calibrate(const LaneView& lane, Metric metric, std::uint64_t seed, unsigned threads, const Progress& progress,
               std::uint32_t (&out)[16]) {
    std::fill(std::begin(out), std::end(out), 0u);
    Meter meter(lane, metric, seed, threads, progress);
    if (meter.queries() == 0) return;
    std::uint32_t cut = 0;
    if (metric == Metric::nphd && lane.code_bytes > kCutBytes)
        cut = lane.prefix_bytes != 0 ? lane.prefix_bytes : kCutBytes;
    meter.run(lane.code_bytes, out + kFullCurve);
    if (cut != 0) meter.run(cut, out + kCutCurve);
    out[0] = kVersion | meter.queries() << 8 | cut << 16;
}

std::uint32_t choose_effort(const LaneView& lane, std::uint32_t compared_bits, double recall) noexcept {
    if (recall >= 1) return kScanLane;
    if (!calibrated(lane)) return kUncalibratedEffort;
    const double wanted = with_margin(recall, lane.calibration[0] >> 8 & 0xFF);
    const std::uint64_t scan_work =
        std::uint64_t{lane.nodes} * distance_work((compared_bits + 63) / 64, lane.codes.record_bytes);
    const auto choose = [&](std::uint32_t curve) {
        return choose_on_curve(lane.calibration + curve, scan_work, wanted);
    };
    const std::uint32_t cut_bits = 8 * (lane.calibration[0] >> 16);
    if (cut_bits == 0 || compared_bits >= 8 * lane.code_bytes) return choose(kFullCurve);
    const std::uint32_t cut = choose(kCutCurve);
    if (compared_bits <= cut_bits || cut == kScanLane) return cut;
    // Between the two lengths that were measured, the harder one counts.
    const std::uint32_t full = choose(kFullCurve);
    return full == kScanLane ? kScanLane : std::max(full, cut);
}

double effort_for(const LaneView& lane, std::uint32_t compared_bits, double work) noexcept {
    const bool cut = calibrated(lane) && lane.calibration[0] >> 16 != 0 && compared_bits < 8 * lane.code_bytes;
    const std::uint32_t* const curve = lane.calibration + (cut ? kCutCurve : kFullCurve);
    double effort = 0, reached = 0, slope = kWorkOfEffort;
    for (std::uint32_t l = 0; calibrated(lane) && l < kLevels; ++l) {
        const Point p = decode(curve[l]);
        if (p.work == 0) break;
        slope = std::max(1.0, (static_cast<double>(p.work) - reached) / (kEfforts[l] - effort));
        if (static_cast<double>(p.work) >= work) break;
        effort = kEfforts[l];
        reached = static_cast<double>(p.work);
    }
    return effort + (work - reached) / slope;
}

std::optional<double> measured_recall(const LaneView& lane, std::uint32_t ef_search) noexcept {
    std::optional<double> recall;
    if (!calibrated(lane)) return recall;
    for (std::uint32_t l = 0; l < kLevels && kEfforts[l] <= ef_search; ++l) {
        const Point p = decode(lane.calibration[kFullCurve + l]);
        if (p.work == 0) break;
        recall = std::min(1.0, p.permille / 1000.0);
    }
    return recall;
}

NodeId sample_node(const LaneView& lane, RandomStream& random) noexcept {
    // Entries ascend by node; if a damaged page says otherwise, the sample is a little worse.
    const RecordArray entries = lane.levels == 0 ? RecordArray{} : lane.level[0].entries;
    const auto node_at = [&](std::uint32_t i) { return entries.value<UpperEntry>(i).node; };
    const auto is_entry = [&](NodeId node) {
        std::uint32_t from = 0, to = entries.count;
        while (from < to) {
            const std::uint32_t middle = from + (to - from) / 2;
            if (node_at(middle) < node)
                from = middle + 1;
            else
                to = middle;
        }
        return from < entries.count && node_at(from) == node;
    };
    constexpr int kTries = 16;
    for (int i = 0; i < kTries; ++i) {
        const NodeId node = random.below(lane.nodes);
        if (!is_entry(node)) return node;
    }
    return kNoNode;
}

}  // namespace nphd
