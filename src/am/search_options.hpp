// How graphs are searched: what the settings and the index's options come to.
#pragma once

#include "src/pg.hpp"

#include "engine/search/nearest.hpp"

namespace nphd {

/// nphd.exact comes before nphd.ef_search, that before the index's option ef_search, and that before nphd.recall.
NearestOptions search_options(Relation index, Metric metric);

}  // namespace nphd
