// What an operator class of the access method consists of: one distance operator of bitvec to order by, and for the
// asking equality and "within a ball" of that distance.
#pragma once

#include "src/pg.hpp"

#include <optional>

#include "engine/base/types.hpp"

namespace nphd {

inline constexpr StrategyNumber kDistanceStrategy = 1;  // (bitvec, bitvec), to order by
inline constexpr StrategyNumber kEqualStrategy = 2;     // (bitvec, bitvec)
inline constexpr StrategyNumber kWithinStrategy = 3;    // (bitvec, bitvec_ball)
inline constexpr StrategyNumber kStrategies = 3;

/// What the operator class of the index measures. ERROR 42P17 when it was not made of a distance of bitvec, or has an
/// operator that is not what its strategy stands for.
Metric index_metric(Relation index);

/// What an operator family of any access method measures for its input type; nothing if it has no distance of ours.
std::optional<Metric> family_metric(Oid opfamily, Oid opcintype);

/// Whether the function of a scan key is what its strategy stands for; families may be altered behind an index's back.
bool is_condition(const ScanKeyData& key, Metric metric);

/// What an operator of strategy kWithinStrategy measures; nothing for any other operator.
std::optional<Metric> within_metric(Oid op);

/// The family's operator of strategy kWithinStrategy for its input type, and the type of balls on its right.
struct WithinOperator {
    Oid op;
    Oid ball_type;
};
std::optional<WithinOperator> within_operator(Oid opfamily, Oid opcintype);

bool nphdvalidate(Oid opclass);

}  // namespace nphd
