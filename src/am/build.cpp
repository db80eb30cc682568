// CREATE INDEX: reads the table once into the engine, builds one shard, publishes it. The index is visible to nobody
// else yet: a crash leaves files that no catalogue entry names.

#include "src/am/am.hpp"
#include "src/am/index_row.hpp"
#include "src/am/options.hpp"
#include "src/faults.hpp"
#include "src/maintenance/rebuild.hpp"

namespace nphd {

// What pg_stat_progress_create_index shows as the phase, after PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE.
static constexpr int64 kPhaseLoad = PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE + 1;
static constexpr int64 kPhaseEngine = kPhaseLoad + 1;  // + Progress::Phase
static constexpr int64 kPhaseWrite = kPhaseEngine + int64{Progress::done_building} + 1;

char* nphdbuildphasename(int64 phase) {
    const auto name = [](const char* text) { return const_cast<char*>(text); };
    if (phase == PROGRESS_CREATEIDX_SUBPHASE_INITIALIZE) return name("initializing");
    if (phase == kPhaseLoad) return name("loading codes");
    if (phase == kPhaseWrite) return name("writing the shard");
    switch (phase - kPhaseEngine) {
        case Progress::idle:
        case Progress::deduplicate:
            return name("removing duplicates");
        case Progress::order:
            return name("ordering codes");
        case Progress::partition:
            return name("comparing neighbours");
        case Progress::prune:
            return name("choosing links");
        case Progress::connect:
            return name("connecting the graph");
        case Progress::upper_levels:
            return name("building upper levels");
        case Progress::look_up:
            return name("building look-up tables");
        case Progress::done_building:
            return name("laying out the shard");
        default:
            return nullptr;
    }
}

static void report_progress(const Progress& progress) {
    const int parameters[] = {PROGRESS_CREATEIDX_SUBPHASE, PROGRESS_CREATEIDX_TUPLES_DONE,
                              PROGRESS_CREATEIDX_TUPLES_TOTAL};
    const int64 values[] = {kPhaseEngine + progress.phase.load(), static_cast<int64>(progress.done.load()),
                            static_cast<int64>(progress.total.load())};
    pgstat_progress_update_multi_param(3, parameters, values);
}

struct LoadState {
    ShardJob* job;
    FilterLayout layout;
    double rows;
};

static void load_row(Relation index, ItemPointer tid, Datum* values, bool* isnull, bool, void* arg) {
    auto* load = static_cast<LoadState*>(arg);
    with_index_row(index, load->layout, tid, values, isnull,
                   [&](const IndexRow& row) { shard_job_add(load->job, row); });
    load->rows++;
    pgstat_progress_update_param(PROGRESS_CREATEIDX_TUPLES_DONE, static_cast<int64>(load->rows));
}

IndexBuildResult* nphdbuild(Relation heap, Relation index, IndexInfo* info) {
    // Core takes any access method with amgettuple for one that can see rows of transactions in progress; ours cannot.
    if (info->ii_ExclusionOps != nullptr)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("access method \"%s\" does not support exclusion constraints", "nphd")));
    if (RelationGetNumberOfBlocks(index) != 0)
        elog(ERROR, "index \"%s\" already contains data", RelationGetRelationName(index));
    const IndexOptions options = index_options(index);
    meta_create(index, MAIN_FORKNUM, options);

    NPHD_FAULT("build.begin");
    pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseLoad);
    LoadState load{shard_job_create(maintenance_work_mem, options.filters), options.filters, 0};
    const double heap_rows = table_index_build_scan(heap, index, info, true, true, load_row, &load, nullptr);
    NPHD_FAULT("build.loaded");
    if (load.rows > 0) {
        shard_job_run(load.job, options, maintenance_threads(heap), report_progress);
        pgstat_progress_update_param(PROGRESS_CREATEIDX_SUBPHASE, kPhaseWrite);
        publish_first_shard(index, load.job);
    }
    shard_job_free(load.job);

    auto* result = static_cast<IndexBuildResult*>(palloc(sizeof(IndexBuildResult)));
    result->heap_tuples = heap_rows;
    result->index_tuples = load.rows;
    return result;
}

void nphdbuildempty(Relation index) { meta_create(index, INIT_FORKNUM, index_options(index)); }

}  // namespace nphd
