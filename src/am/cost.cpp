// What a scan costs: something before the first row (look-ups, a graph search, or a scan of all codes, whichever the
// conditions and the order call for), then little for each further row.

#include "src/am/am.hpp"
#include "src/am/opclass.hpp"
#include "src/settings.hpp"
#include "src/type/ball.hpp"

#include "engine/shard/shard_build.hpp"

namespace nphd {

// Measured relative to a sequential scan's evaluation of the distance operator: a packed code costs about a fiftieth, a
// graph search about as much as 2,000 packed codes per ten-fold of rows beyond the first thousand.
static constexpr double kPackedCodeCost = 0.02;  // of cpu_operator_cost
static constexpr double kGraphCodesPerDecade = 2000;

// A look-up of one code asks each shard's filter, and few shards' directories.
static constexpr double kShards = 4;
static constexpr double kLookUpCodes = 1000;  // packed codes that cost as much, in one shard

// Radius tables: which lanes have them, and what is compared through them. A code that is found through a table lies
// anywhere in memory, and some values of a chunk are more frequent than others.
static constexpr double kRowsWithTables = 65536;
static constexpr double kTabledBits = 256;
static constexpr double kCandidateCodes = 10;
static constexpr double kSkew = 4;
static constexpr double kUsualShare = 0.06;  // of the bits, that a radius of which nothing is known takes in

// A code that is gathered, for a row that a filter lets pass, lies anywhere in memory.
static constexpr double kGatheredCodes = 10;

// What a scan without a condition on the code reads, in pages, beside the rows of a B-tree on the same column: the
// table's rows by a B-tree come in the order of the table, if values are the same, and its leaves hold values and row
// ids together.
static constexpr double kRowsPerPage = 200;
static constexpr double kFilterPages = 1.5;

// Between codes that are near each other and rows that are: variants often come together. Above all it decides against
// the detour of a bitmap where the rows are few, which costs more than it saves.
static constexpr double kCorrelation = 0.2;

static double codes_before_first_row(double rows) {
    const bool exact = settings.exact || (settings.recall >= 1 && settings.ef_search == 0);
    if (exact || rows < ShardOptions{}.graph_threshold) return rows;
    return Min(rows, kGraphCodesPerDecade * log10(rows / 1000));
}

/// Ways to change fewer than `changes` of `bits` bits, 0 for none.
static double neighbours(int bits, int changes) {
    double sum = 0, ways = 1;
    for (int k = 0; k < changes && k <= bits; ++k) {
        sum += ways;
        ways = ways * (bits - k) / (k + 1);
    }
    return sum;
}

/// Packed codes that cost as much as a search through radius tables. Codes that differ in r bits differ in less than
/// their share of r + 1 bits in one of the chunks at least (multi-index hashing, Norouzi et al. 2012), so each chunk is
/// probed at all values that near.
static double codes_through_tables(double rows, double bits, double radius_bits) {
    const int chunk_bits = static_cast<int>(Min(Max(floor(log2(rows)) - 3, 8.0), 20.0));
    const int chunks = static_cast<int>(Min(kTabledBits, bits)) / chunk_bits;
    if (chunks == 0) return rows;
    const double units = floor(Min(radius_bits, bits)) + 1;
    const int each = static_cast<int>(Min(floor(units / chunks), static_cast<double>(chunk_bits + 1)));
    const double wider = units - floor(units / chunks) * chunks;
    const double probes = (chunks - wider) * neighbours(chunk_bits, each) + wider * neighbours(chunk_bits, each + 1);
    return kCandidateCodes * kSkew * probes * rows / exp2(chunk_bits);
}

namespace {
struct BallSize {
    double bits;    // of the center
    double radius;  // in units of the distance
};
}  // namespace

/// What the planner knows of a ball. A center that comes with the execution is taken for one as long as the tables are
/// wide, and a radius too for a small one: a generic plan then costs as much as one for the values that are usual.
static std::optional<BallSize> ball_size(const Node* expression, Metric metric) {
    BallSize size{kTabledBits, metric == Metric::nphd ? kUsualShare : kUsualShare * kTabledBits};
    if (IsA(expression, RowExpr)) {
        const List* fields = reinterpret_cast<const RowExpr*>(expression)->args;
        const Node* radius = list_length(fields) == 2 ? static_cast<const Node*>(lsecond(fields)) : nullptr;
        if (radius != nullptr && IsA(radius, Const) && !reinterpret_cast<const Const*>(radius)->constisnull)
            size.radius = DatumGetFloat8(reinterpret_cast<const Const*>(radius)->constvalue);
    } else if (IsA(expression, Const)) {
        const auto* constant = reinterpret_cast<const Const*>(expression);
        Ball ball;
        if (constant->constisnull || !ball_of(constant->constvalue, &ball)) return std::nullopt;
        size = {8.0 * static_cast<double>(ball.center.size()), ball.radius};
    }
    return valid_radius(metric, size.radius) ? std::optional(size) : std::nullopt;
}

/// Packed codes that cost as much as finding all within a ball; all of them, unless the tables help.
static double codes_within(double rows, Metric metric, const Node* expression) {
    if (rows < kRowsWithTables || metric == Metric::jaccard) return rows;
    const std::optional<BallSize> ball = ball_size(expression, metric);
    if (!ball.has_value()) return rows;
    const double radius_bits = metric == Metric::nphd ? ball->radius * ball->bits : ball->radius;
    return Min(rows, codes_through_tables(rows, ball->bits, radius_bits));
}

/// Packed codes that cost as much as finding what one condition is about, `searches` times.
static double codes_for_condition(Expr* condition, double rows, double searches) {
    if (IsA(condition, ScalarArrayOpExpr) &&
        within_metric(reinterpret_cast<ScalarArrayOpExpr*>(condition)->opno).has_value())
        return rows;  // each row is asked about each ball
    if (IsA(condition, OpExpr)) {
        const auto* within = reinterpret_cast<const OpExpr*>(condition);
        const std::optional<Metric> metric = within_metric(within->opno);
        if (metric.has_value()) return codes_within(rows, *metric, static_cast<const Node*>(lsecond(within->args)));
    }
    return kShards * kLookUpCodes * searches;
}

/// A scan starts from one condition on the code and looks at the others of each row that it finds, so the cheapest
/// counts.
static double codes_for_conditions(List* conditions, double rows, double searches) {
    double cheapest = rows;
    ListCell* cell;
    foreach (cell, conditions)
        cheapest = Min(cheapest, codes_for_condition(lfirst_node(RestrictInfo, cell)->clause, rows, searches));
    return cheapest;
}

namespace {
struct ScanConditionLists {
    List* on_code;     // of RestrictInfo
    List* on_filters;  // the same; and whether the code is NULL
};
}  // namespace

static ScanConditionLists conditions_of(const IndexPath* path) {
    ScanConditionLists lists{NIL, NIL};
    ListCell* cell;
    foreach (cell, path->indexclauses) {
        const auto* clause = lfirst_node(IndexClause, cell);
        // Whether there is a code says nothing about it: what a scan by such a condition does, one by a filter does.
        const bool null_test = IsA(linitial_node(RestrictInfo, clause->indexquals)->clause, NullTest);
        List** list = clause->indexcol == 0 && !null_test ? &lists.on_code : &lists.on_filters;
        *list = list_concat(*list, clause->indexquals);
    }
    return lists;
}

namespace {
/// What a scan does before and beside handing rows out.
struct ScanEffort {
    double codes;  // packed ones that are compared before the first row
    double met;    // rows that are met on the way to the last one
    double pages;  // read beyond what every scan reads
};
}  // namespace

/// Of a scan by filters alone, which finds `found` rows in all.
static ScanEffort effort_of_filters(double found, double searches) {
    return {kShards * kLookUpCodes * searches, found, kFilterPages * ceil(found / searches / kRowsPerPage) * searches};
}

/// Of one that is ordered or has conditions on the code, of which `codes` are compared without a filter, when filters
/// let pass the share `passing` of the rows. The codes of those are gathered, or the search goes on as without a
/// filter, past the rows that do not pass.
static ScanEffort effort_under_filters(double codes, double rows, double found, double passing, double searches) {
    const double gathered = kShards * kLookUpCodes * searches + kGatheredCodes * passing * rows;
    if (gathered < codes) return {gathered, found, 0};
    return {codes, found / Max(passing, 1 / rows), 0};
}

/// Elements of the longest list among the path's conditions; 1 without a list. As many look-ups does a scan make: it
/// goes by one list, and asks what it finds about the others.
static double longest_list(PlannerInfo* root, const IndexPath* path) {
    double longest = 1;
    ListCell *cell, *condition;
    foreach (cell, path->indexclauses) {
        foreach (condition, lfirst_node(IndexClause, cell)->indexquals) {
            const auto* list = reinterpret_cast<const ScalarArrayOpExpr*>(lfirst_node(RestrictInfo, condition)->clause);
            if (IsA(list, ScalarArrayOpExpr))
                longest = Max(longest, array_length(root, static_cast<Node*>(lsecond(list->args))));
        }
    }
    return longest;
}

static ScanEffort effort_of(PlannerInfo* root, const IndexPath* path, double found, double searches) {
    const ScanConditionLists conditions = conditions_of(path);
    const double rows = Max(path->indexinfo->tuples, 1.0);
    const bool by_filters_alone = conditions.on_code == NIL && path->indexorderbys == NIL;
    if (by_filters_alone && conditions.on_filters != NIL) return effort_of_filters(found, searches);
    const double codes = conditions.on_code == NIL ? codes_before_first_row(rows)
                                                   : codes_for_conditions(conditions.on_code, rows, searches);
    if (conditions.on_filters == NIL) return {codes, found, 0};
    const double passing = clauselist_selectivity(root, conditions.on_filters,
                                                  static_cast<int>(path->indexinfo->rel->relid), JOIN_INNER, nullptr);
    return effort_under_filters(codes, rows, found, passing, searches);
}

void nphdcostestimate(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                      Selectivity* selectivity, double* correlation, double* pages) {
    GenericCosts costs;
    memset(&costs, 0, sizeof costs);
    genericcostestimate(root, path, loop_count, &costs);

    const int orders = list_length(path->indexorderbys);
    const bool any_condition = path->indexclauses != NIL;
    const double rows = Max(path->indexinfo->tuples, 1.0);
    const double searches = longest_list(root, path);
    const double found =
        any_condition ? Min(rows, Max(costs.indexSelectivity * path->indexinfo->rel->tuples, 1.0)) : rows;
    const ScanEffort effort = effort_of(root, path, found, searches);
    const double pages_read =
        index_pages_fetched(loop_count, path->indexinfo->pages, path->indexinfo->pages, root) / loop_count +
        effort.pages;

    *startup = effort.codes * kPackedCodeCost * cpu_operator_cost + pages_read * costs.spc_random_page_cost;
    *total = *startup + effort.met * (cpu_index_tuple_cost + cpu_operator_cost);
    // With neither a condition nor one distance to order by, the index has nothing to offer.
    if (orders > 1 || (orders == 0 && !any_condition)) forbid_path(path, startup, total);
    *selectivity = costs.indexSelectivity;
    *correlation = kCorrelation;
    *pages = path->indexinfo->pages;
}

}  // namespace nphd
