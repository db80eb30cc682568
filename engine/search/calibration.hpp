// How much of the truth a lane's graph finds, by effort: measured when the lane is sealed, kept in its record
// (LaneRecord::calibration), read by every search that is asked for a recall.
//
// Word 0: bits 0..7 version (0: not calibrated), 8..15 number of queries, 16..31 length in bytes that the queries of
// words 8..14 were cut to, 0: there are none. Words 1..7: queries as long as the codes, one for each effort of
// kEfforts; words 8..14: the same for the cut queries. Bits 0..21 mean cost of a search in units of 1,024 bytes read in
// sequence, rounded up; bits 22..31 recall@10 in 1/1000, rounded down; 0: not measured, since a smaller effort found
// nearly everything, or higher ones would cost about as much as the scan. Word 15: 0. Damaged words make a search find
// less, or take longer.
#pragma once

#include <optional>
#include <span>

#include "engine/base/worker_pool.hpp"
#include "engine/graph/random_stream.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd {

/// Values of ef_search that are measured, at the default slack and visit_cap.
inline constexpr std::uint32_t kEfforts[] = {10, 20, 40, 80, 160, 320, 640};
/// Stands where an ef_search could: the lane is to be scanned.
inline constexpr std::uint32_t kScanLane = 0;
/// For graphs that were not calibrated.
inline constexpr std::uint32_t kUncalibratedEffort = 40;

/// Measures the lane, which has a graph and posting offsets, and fills `out`; leaves it zero where there is nothing to
/// measure. The queries are codes of the lane, each hidden from the search and from the truth. Deterministic for a
/// seed, whatever `threads` is. Throws Cancelled and std::bad_alloc.
void calibrate(const LaneView&, Metric, std::uint64_t seed, unsigned threads, const Progress&,
               std::uint32_t (&out)[16]);

/// The cheapest ef_search that reaches the wanted recall, 0 < recall <= 1, when `compared_bits` of each code are
/// compared; kScanLane where no effort does, or the scan is cheaper.
std::uint32_t choose_effort(const LaneView&, std::uint32_t compared_bits, double recall) noexcept;

/// The effort, which may be beyond kEfforts, of a walk that costs about `work` units of 32 bytes read in sequence.
double effort_for(const LaneView&, std::uint32_t compared_bits, double work) noexcept;

/// What was measured at the greatest effort that is at most `ef_search`, of queries as long as the codes. Nothing where
/// there is none, or the lane was not calibrated.
std::optional<double> measured_recall(const LaneView&, std::uint32_t ef_search) noexcept;

/// A random node that is no entry of an upper level, so that the graph without it is as good as with it; kNoNode when
/// none turned up.
NodeId sample_node(const LaneView&, RandomStream&) noexcept;

}  // namespace nphd
