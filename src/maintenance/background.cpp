// One worker for each index: the maintenance lock lets only one work, and a second one ends at once. It behaves towards
// other sessions as an autovacuum worker does, and carries its flag for that: whoever waits for a lock that it holds
// (DROP, REINDEX, TRUNCATE) has it cancelled after deadlock_timeout, and DROP DATABASE ends it. Those who wait for the
// maintenance lock do so outside of the lock manager (maintain.cpp), so that they do not cancel it. However it ends,
// the manifest in force stays whole.

#include "src/maintenance/background.hpp"

#include "src/faults.hpp"
#include "src/inspect/index_checks.hpp"
#include "src/maintenance/maintain.hpp"
#include "src/settings.hpp"

#include "src/pg_worker.hpp"

namespace nphd {

namespace {
// In bgw_extra.
struct WorkerTask {
    Oid database;
    Oid index;
};
static_assert(sizeof(WorkerTask) <= BGW_EXTRALEN);

// One attempt in a while for each backend and index.
struct LastAttempt {
    Oid index;
    TimestampTz at;
};
}  // namespace

static constexpr int kPauseMs = 200;

static bool is_for_workers(Relation index) {
    // A worker sees neither the temporary tables of others nor what is not committed.
    return settings.background && !RelationUsesLocalBuffers(index) && !created_in_this_transaction(index) &&
           IsUnderPostmaster && !RecoveryInProgress();
}

bool background_available(Relation index) { return is_for_workers(index) && max_worker_processes > 0; }

bool background_start(Relation index) {
    if (!background_available(index)) return false;
    const WorkerTask task{MyDatabaseId, RelationGetRelid(index)};
    BackgroundWorker worker;
    memset(&worker, 0, sizeof worker);
    snprintf(worker.bgw_name, BGW_MAXLEN, "nphd maintenance of index %u", task.index);
    snprintf(worker.bgw_type, BGW_MAXLEN, "nphd maintenance");
    worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
    worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
    worker.bgw_restart_time = BGW_NEVER_RESTART;
    snprintf(worker.bgw_library_name, sizeof worker.bgw_library_name, "nphd");
    snprintf(worker.bgw_function_name, BGW_MAXLEN, "nphd_maintenance_main");
    memcpy(worker.bgw_extra, &task, sizeof task);
    return RegisterDynamicBackgroundWorker(&worker, nullptr);
}

void background_start_if_due(Relation index, uint32 segment_pages) {
    static LastAttempt last;
    if (static_cast<int64>(segment_pages) * BLCKSZ < pending_limit_bytes() || !is_for_workers(index)) return;
    const TimestampTz now = GetCurrentTimestamp();
    if (last.index == RelationGetRelid(index) && !TimestampDifferenceExceeds(last.at, now, kPauseMs)) return;
    last = {RelationGetRelid(index), now};
    // Somebody is at it already.
    if (!maintenance_try_lock(index)) return;
    maintenance_unlock(index);
    (void)background_start(index);
}

void show_activity(Relation index, uint64 rows, int shards) {
    if (!AmBackgroundWorker()) return;
    const char* schema = get_namespace_name(RelationGetNamespace(index));
    char text[NAMEDATALEN * 2 + 100];
    char what[60];
    if (rows > 0 && shards > 0)
        snprintf(what, sizeof what, "folding " UINT64_FORMAT " rows with %d shards", rows, shards);
    else if (rows > 0)
        snprintf(what, sizeof what, "folding " UINT64_FORMAT " rows", rows);
    else
        snprintf(what, sizeof what, shards == 1 ? "rewriting %d shard" : "merging %d shards", shards);
    snprintf(text, sizeof text, "nphd: %s of index %s.%s", what, schema != nullptr ? schema : "?",
             RelationGetRelationName(index));
    pgstat_report_activity(STATE_RUNNING, text);
    // What looked up names, here and before, has left a catalogue snapshot behind. Its xmin would keep VACUUM from
    // every row that dies while we work.
    InvalidateCatalogSnapshot();
}

static void work(const WorkerTask& task) {
    StartTransactionCommand();
    // No waiting for one that is being dropped or rebuilt.
    if (ConditionalLockRelationOid(task.index, RowExclusiveLock)) {
        Relation index = try_relation_open(task.index, NoLock);
        if (index != nullptr && is_nphd_index(index) && maintenance_try_lock(index)) {
            NPHD_FAULT("worker.locked");
            // What the owner may cancel is what runs for the owner's index.
            MyProc->roleId = index->rd_rel->relowner;
            const int memory_kb = autovacuum_work_mem != -1 ? autovacuum_work_mem : maintenance_work_mem;
            maintain(index, Goal::due, {1, memory_kb});
            maintenance_unlock(index);
        }
        if (index != nullptr) relation_close(index, NoLock);
    }
    CommitTransactionCommand();
    NPHD_FAULT("worker.end");
}

}  // namespace nphd

extern "C" PGDLLEXPORT void nphd_maintenance_main(Datum);

extern "C" void nphd_maintenance_main(Datum) {
    nphd::WorkerTask task;
    memcpy(&task, MyBgworkerEntry->bgw_extra, sizeof task);
    pqsignal(SIGTERM, die);
    pqsignal(SIGHUP, SignalHandlerForConfigReload);
    BackgroundWorkerUnblockSignals();
    BackgroundWorkerInitializeConnectionByOid(task.database, InvalidOid, 0);
    nphd::behave_as_autovacuum();
    NPHD_FAULT("worker.start");
    nphd::work(task);
}
