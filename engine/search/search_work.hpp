// How the work of a search is counted: in units of 32 bytes read in sequence.
#pragma once

#include "engine/search/lane_query.hpp"

namespace nphd {

/// What one step of a search may do: at most a few milliseconds.
inline constexpr std::uint64_t kStepWork = 500'000;

/// A node that is compared through the radius tables, wherever it stands.
inline constexpr std::uint64_t kProbeWork = 20;

/// The cost of a plan (LaneProbe::plan) from which on reading the whole lane is cheaper.
inline std::uint64_t probe_limit(const LaneQuery& query) noexcept {
    return std::uint64_t{query.view->nodes} * query.work() / kProbeWork;
}

}  // namespace nphd
