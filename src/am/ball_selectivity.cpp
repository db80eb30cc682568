#include "src/am/ball_selectivity.hpp"

#include <optional>

#include "src/am/opclass.hpp"
#include "src/type/ball.hpp"

namespace nphd {

// Of unrelated codes almost none is near; what is near are copies and variants, a few for each code, however many codes
// there are.
static constexpr double kFewRows = 10;
static constexpr Selectivity kMostFew = 0.0005;

static Selectivity share_of_few(const RelOptInfo* rel) {
    return rel == nullptr || rel->tuples < 1 ? kMostFew : Min(kMostFew, kFewRows / rel->tuples);
}

// A histogram of fewer entries than this is mixed with the guess, as core's generic_restriction_selectivity() does.
static constexpr int kTrustedHistogram = 100;

static std::optional<double> radius_value(const Const* radius) {
    if (radius->consttype == FLOAT8OID) return DatumGetFloat8(radius->constvalue);
    if (radius->consttype == INT4OID) return DatumGetInt32(radius->constvalue);
    return std::nullopt;
}

/// The ball, if the planner knows center and radius. The center points into the constants or a copy.
static std::optional<Ball> known_ball(PlannerInfo* root, const BallCondition& condition, Node* center) {
    center = estimate_expression_value(root, center);
    if (!IsA(center, Const) || castNode(Const, center)->constisnull) return std::nullopt;
    const Datum value = castNode(Const, center)->constvalue;
    Ball ball;
    if (condition.radius == nullptr) {
        if (!ball_of(value, &ball)) return std::nullopt;
    } else {
        Node* radius = estimate_expression_value(root, condition.radius);
        if (!IsA(radius, Const) || castNode(Const, radius)->constisnull) return std::nullopt;
        const std::optional<double> number = radius_value(castNode(Const, radius));
        if (!number.has_value()) return std::nullopt;
        ball = {bytes_of(bitvec_of(value)), *number};
    }
    if (!valid_radius(condition.metric, ball.radius)) return std::nullopt;
    return ball;
}

/// Entries of another length are not within, where comparing them would be an error.
static bool entry_within(Metric metric, Datum entry, const Ball& ball) {
    Bitvec* code = bitvec_of(entry);
    const CodeBytes bytes = bytes_of(code);
    const bool result = (metric == Metric::nphd || bytes.size() == ball.center.size()) && within(metric, bytes, ball);
    free_if_copy(code, entry);
    return result;
}

/// The share of rows whose value is a common one and within; `common` becomes the share of all that have a common one.
static Selectivity share_of_common(HeapTuple statistics, Metric metric, const Ball& ball, Selectivity* common) {
    AttStatsSlot slot;
    *common = 0;
    if (!get_attstatsslot(&slot, statistics, STATISTIC_KIND_MCV, InvalidOid,
                          ATTSTATSSLOT_VALUES | ATTSTATSSLOT_NUMBERS))
        return 0;
    Selectivity share = 0;
    for (int i = 0; i < slot.nvalues; ++i) {
        *common += slot.numbers[i];
        if (entry_within(metric, slot.values[i], ball)) share += slot.numbers[i];
    }
    free_attstatsslot(&slot);
    return share;
}

/// The share of the other values that is within. The bounds of a histogram are a sample of them.
static Selectivity share_of_others(HeapTuple statistics, Metric metric, const Ball& ball, Selectivity guess) {
    AttStatsSlot slot;
    if (!get_attstatsslot(&slot, statistics, STATISTIC_KIND_HISTOGRAM, InvalidOid, ATTSTATSSLOT_VALUES)) return guess;
    int hits = 0;
    for (int i = 0; i < slot.nvalues; ++i) hits += entry_within(metric, slot.values[i], ball);
    const double trust = Min(1.0, slot.nvalues / static_cast<double>(kTrustedHistogram));
    const Selectivity sampled = slot.nvalues == 0 ? guess : hits / static_cast<double>(slot.nvalues);
    free_attstatsslot(&slot);
    return Max(guess, trust * sampled + (1 - trust) * guess);
}

static Selectivity share_within(VariableStatData* column, const BallCondition& condition, const Ball& ball) {
    bool is_default;
    const double distinct = get_variable_numdistinct(column, &is_default);
    const Selectivity few = share_of_few(column->rel);
    const Selectivity guess = ball.radius == 0 && !is_default ? Min(few, 1 / distinct) : few;
    if (!HeapTupleIsValid(column->statsTuple)) return guess;
    const Selectivity nulls = reinterpret_cast<Form_pg_statistic>(GETSTRUCT(column->statsTuple))->stanullfrac;
    if (!statistic_proc_security_check(column, condition.function)) return guess * (1 - nulls);
    Selectivity common;
    const Selectivity of_common = share_of_common(column->statsTuple, condition.metric, ball, &common);
    const Selectivity others = Max(0.0, 1 - nulls - common);
    return of_common + others * share_of_others(column->statsTuple, condition.metric, ball, guess);
}

Selectivity ball_selectivity(PlannerInfo* root, const BallCondition& condition, int varRelid) {
    VariableStatData column;
    Node* center;
    bool column_is_left;
    if (!get_restriction_variable(root, list_make2(condition.code, condition.center), varRelid, &column, &center,
                                  &column_is_left))
        return kMostFew;
    Selectivity result = share_of_few(column.rel);
    const std::optional<Ball> ball = known_ball(root, condition, center);
    if (ball.has_value()) result = share_within(&column, condition, *ball);
    ReleaseVariableStats(column);
    CLAMP_PROBABILITY(result);
    return result;
}

// The estimator of the ball operators.
NPHD_FUNCTION(bitvec_ballsel) {
    auto* root = reinterpret_cast<PlannerInfo*>(PG_GETARG_POINTER(0));
    const Oid op = PG_GETARG_OID(1);
    auto* args = reinterpret_cast<List*>(PG_GETARG_POINTER(2));
    const int varRelid = PG_GETARG_INT32(3);
    const std::optional<Metric> metric = within_metric(op);
    if (!metric.has_value() || list_length(args) != 2) PG_RETURN_FLOAT8(kMostFew);
    const BallCondition condition{*metric, get_opcode(op), static_cast<Node*>(linitial(args)),
                                  static_cast<Node*>(lsecond(args)), nullptr};
    PG_RETURN_FLOAT8(ball_selectivity(root, condition, varRelid));
}

}  // namespace nphd
