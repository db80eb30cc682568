// What an operator class of the access method consists of. For the code, the first column: one distance operator of
// bitvec to order by, and for the asking equality and "within a ball" of that distance. For filter columns: comparisons
// of the type's B-tree operator family.
#pragma once

#include "src/pg.hpp"

#include <optional>

#include "engine/base/types.hpp"

namespace nphd {

inline constexpr StrategyNumber kDistanceStrategy = 1;  // (bitvec, bitvec), to order by
inline constexpr StrategyNumber kEqualStrategy = 2;     // (bitvec, bitvec)
inline constexpr StrategyNumber kWithinStrategy = 3;    // (bitvec, bitvec_ball)
// Of the operator classes of filter columns, which know kEqualStrategy too.
inline constexpr StrategyNumber kLessStrategy = 4;
inline constexpr StrategyNumber kLessEqualStrategy = 5;
inline constexpr StrategyNumber kGreaterEqualStrategy = 6;
inline constexpr StrategyNumber kGreaterStrategy = 7;
inline constexpr StrategyNumber kStrategies = 7;

/// What the operator class of the index measures. ERROR 42P17 when it was not made of a distance of bitvec, or has an
/// operator that is not what its strategy stands for.
Metric index_metric(Relation index);

/// ERROR 42P17 when an operator class of a further column has an operator that is not what its strategy stands for.
void check_filter_classes(Relation index);

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
