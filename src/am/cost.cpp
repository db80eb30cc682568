// What an ordered scan costs: something before the first row (a graph search, or a scan of all codes), then little for
// each further row.

#include "src/am/am.hpp"
#include "src/settings.hpp"

#include "engine/shard/shard_build.hpp"

namespace nphd {

// Measured relative to a sequential scan's evaluation of the distance operator: a packed code costs about a fiftieth, a
// graph search about as much as 2,000 packed codes per ten-fold of rows beyond the first thousand.
static constexpr double kPackedCodeCost = 0.02;  // of cpu_operator_cost
static constexpr double kGraphCodesPerDecade = 2000;

static double codes_before_first_row(double rows) {
    const bool exact = settings.exact || (settings.recall >= 1 && settings.ef_search == 0);
    if (exact || rows < ShardOptions{}.graph_threshold) return rows;
    return Min(rows, kGraphCodesPerDecade * log10(rows / 1000));
}

void nphdcostestimate(PlannerInfo* root, IndexPath* path, double loop_count, Cost* startup, Cost* total,
                      Selectivity* selectivity, double* correlation, double* pages) {
    GenericCosts costs;
    memset(&costs, 0, sizeof costs);
    genericcostestimate(root, path, loop_count, &costs);

    const double rows = Max(path->indexinfo->tuples, 1.0);
    *startup = codes_before_first_row(rows) * kPackedCodeCost * cpu_operator_cost + costs.spc_random_page_cost;
    *total = *startup + rows * (cpu_index_tuple_cost + cpu_operator_cost);
    // Without one distance to order by, the index has nothing to offer, and it lacks the rows whose code is NULL.
    if (list_length(path->indexorderbys) != 1) forbid_path(&path->path, startup, total);
    *selectivity = costs.indexSelectivity;
    *correlation = 0;
    *pages = path->indexinfo->pages;
}

}  // namespace nphd
