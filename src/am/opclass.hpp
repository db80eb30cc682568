// What an operator class of the access method consists of: one ordering operator and one function that names the
// metric.
#pragma once

#include "src/pg.hpp"

#include "engine/base/types.hpp"

namespace nphd {

inline constexpr StrategyNumber kDistanceStrategy = 1;
inline constexpr StrategyNumber kMetricFunction = 1;

/// The metric of the index's operator class. ERROR when the class was not made for this access method.
Metric index_metric(Relation index);

bool nphdvalidate(Oid opclass);

}  // namespace nphd
