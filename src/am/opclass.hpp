// What an operator class of the access method consists of: one distance operator of bitvec to order by.
#pragma once

#include "src/pg.hpp"

#include "engine/base/types.hpp"

namespace nphd {

inline constexpr StrategyNumber kDistanceStrategy = 1;

/// What the operator class of the index measures. ERROR 42P17 when it was not made of a distance of bitvec.
Metric index_metric(Relation index);

bool nphdvalidate(Oid opclass);

}  // namespace nphd
