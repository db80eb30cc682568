// How the work of a search is counted: in units of 32 bytes read in sequence.
#pragma once

#include "engine/search/lane_query.hpp"

namespace nphd {

/// What one step of a search may do: at most a few milliseconds.
inline constexpr std::uint64_t kStepWork = 500'000;

/// A node that is compared through the radius tables, wherever it stands.
inline constexpr std::uint64_t kProbeWork = 20;

/// A node that is compared because its posting satisfies a filter, wherever it stands.
inline constexpr std::uint64_t kGatherWork = 16;

/// Asking a node that comes in sequence whether it satisfies a filter.
inline constexpr std::uint64_t kAskWork = 2;

/// Reading all codes of a lane. Under a filter, at worst all are asked.
inline std::uint64_t scan_work(const LaneQuery& query) noexcept {
    return std::uint64_t{query.view->nodes} * (query.work() + (query.filter.empty() ? 0 : kAskWork));
}

/// The cost of a plan (LaneProbe::plan) from which on reading the whole lane is cheaper.
inline std::uint64_t probe_limit(const LaneQuery& query) noexcept { return scan_work(query) / kProbeWork; }

}  // namespace nphd
