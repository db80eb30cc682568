// nphd_check(regclass, heapallindexed). On a primary the maintenance lock keeps the manifest as it is, while inserts
// and VACUUM go on; on a standby nothing does. So what was found counts only if neither the manifest nor the tombstone
// epoch moved meanwhile. That covers all ways in which a sound index could look damaged:
//
//  - Pages get another use only after a manifest that calls them free or reserved came into force.
//  - A row id may be met twice: in an entry that VACUUM marks dead only later, and in that of the new row that got it.
//    VACUUM moves the epoch between the mark and the reuse.

#include "src/inspect/check.hpp"

#include "src/inspect/index_checks.hpp"
#include "src/maintenance/maintain.hpp"

namespace nphd {

static constexpr uint64 kMostFindings = 1000;

static void put_row(Check* check, const char* severity, BlockNumber block, uint64 shard, const char* what) {
    const Datum values[] = {CStringGetTextDatum(severity), Int64GetDatum(block),
                            Int64GetDatum(static_cast<int64>(shard)), CStringGetTextDatum(what)};
    const bool nulls[] = {false, block == InvalidBlockNumber, shard == kNoShard, false};
    tuplestore_putvalues(check->result->setResult, check->result->setDesc, const_cast<Datum*>(values),
                         const_cast<bool*>(nulls));
}

// The first `kMostFindings` are listed.
pg_attribute_printf(5, 0) static void add_finding(Check* check, const char* severity, BlockNumber block, uint64 shard,
                                                  const char* format, va_list args) {
    char what[512];
    vsnprintf(what, sizeof what, format, args);
    if (++check->findings <= kMostFindings)
        put_row(check, severity, block, shard, what);
    else if (check->findings == kMostFindings + 1)
        put_row(check, "error", InvalidBlockNumber, kNoShard, "there is more, which is not listed");
}

void add_error(Check* check, BlockNumber block, uint64 shard, const char* format, ...) {
    va_list args;
    va_start(args, format);
    check->errors++;
    add_finding(check, "error", block, shard, format, args);
    va_end(args);
}

void add_warning(Check* check, BlockNumber block, uint64 shard, const char* format, ...) {
    va_list args;
    va_start(args, format);
    add_finding(check, "warning", block, shard, format, args);
    va_end(args);
}

static void add_caught(Check* check, uint64 shard, const ErrorData* error) {
    if (error->detail != nullptr)
        add_error(check, InvalidBlockNumber, shard, "%s: %s", error->message, error->detail);
    else
        add_error(check, InvalidBlockNumber, shard, "%s", error->message);
}

bool run_part(Check* check, uint64 shard, void (*part)(Check* check, const void* arg), const void* arg) {
    MemoryContext caller = CurrentMemoryContext;
    ResourceOwner owner = CurrentResourceOwner;
    MemoryContext context = AllocSetContextCreate(caller, "nphd check part", ALLOCSET_DEFAULT_SIZES);
    ErrorData* volatile error = nullptr;
    BeginInternalSubTransaction(nullptr);
    MemoryContextSwitchTo(context);
    PG_TRY();
    {
        part(check, arg);
        ReleaseCurrentSubTransaction();
    }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller);
        error = CopyErrorData();
        FlushErrorState();
        RollbackAndReleaseCurrentSubTransaction();
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller);
    CurrentResourceOwner = owner;
    MemoryContextDelete(context);
    if (error == nullptr) return true;
    // Not before the subtransaction is gone: whoever catches the error rolls back one of his own.
    if (error->sqlerrcode != ERRCODE_DATA_CORRUPTED && error->sqlerrcode != ERRCODE_INDEX_CORRUPTED)
        ReThrowError(error);
    add_caught(check, shard, error);
    return false;
}

static void read_root(Check* check, const void*) {
    MemoryContextSwitchTo(check->context);
    meta_read(check->index, &check->meta);
    check->manifest = manifest_draft(check->index, &check->meta);
}

// False: what was found may come of changes meanwhile.
static bool try_check(Check* check) {
    check->findings = check->errors = 0;
    check->moved = false;
    tuplestore_clear(check->result->setResult);
    // Without a root there is nothing else to look at, and the next look would find the same.
    if (!run_part(check, kNoShard, read_root, nullptr)) return true;
    rows_begin(check);
    check_space(check);
    rows_compare(check);
    if (check->findings == 0 && !check->moved) return true;
    MetaPage now;
    meta_read(check->index, &now);
    return !check->moved && now.incarnation == check->meta.incarnation &&
           now.manifest_version == check->meta.manifest_version && now.tombstone_epoch == check->meta.tombstone_epoch;
}

static void run_check(Check* check) {
    static constexpr int kMostTries = 20;
    for (int tries = 0;; ++tries) {
        CHECK_FOR_INTERRUPTS();
        if (tries == kMostTries)
            ereport(ERROR, (errcode(ERRCODE_LOCK_NOT_AVAILABLE),
                            errmsg("index \"%s\" changes faster than it can be checked",
                                   RelationGetRelationName(check->index)),
                            errhint("Try again when less maintenance is going on.")));
        check->context = AllocSetContextCreate(CurrentMemoryContext, "nphd check", ALLOCSET_DEFAULT_SIZES);
        MemoryContext caller = MemoryContextSwitchTo(check->context);
        const bool done = try_check(check);
        MemoryContextSwitchTo(caller);
        MemoryContextDelete(check->context);
        if (done) return;
    }
}

static Relation open_index(Oid oid) {
    Relation index = open_nphd_index(oid, AccessShareLock);
    require_stats_reader(index);
    return index;
}

// The table, locked so that nobody writes to it. Its lock comes before the index's, so that one goes and comes back.
static Relation open_table(Relation* index) {
    const Oid index_oid = RelationGetRelid(*index), table_oid = (*index)->rd_index->indrelid;
    if (RecoveryInProgress())
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("an index cannot be compared with its table during recovery"),
                        errhint("Without heapallindexed the index is checked alone.")));
    if (pg_class_aclcheck(table_oid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
        aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(table_oid));
    relation_close(*index, AccessShareLock);
    Relation table = table_open(table_oid, ShareLock);
    *index = open_index(index_oid);
    if ((*index)->rd_index->indrelid != table_oid)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("index \"%s\" was replaced meanwhile", RelationGetRelationName(*index))));
    return table;
}

}  // namespace nphd

NPHD_FUNCTION(nphd_check) {
    nphd::Check check{};
    check.index = nphd::open_index(PG_GETARG_OID(0));
    if (PG_GETARG_BOOL(1)) check.table = nphd::open_table(&check.index);
    check.standby = RecoveryInProgress();
    InitMaterializedSRF(fcinfo, 0);
    check.result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    if (!check.standby) nphd::maintenance_lock(check.index);
    nphd::run_check(&check);
    if (!check.standby) nphd::maintenance_unlock(check.index);
    relation_close(check.index, AccessShareLock);
    if (check.table != nullptr) table_close(check.table, ShareLock);
    PG_RETURN_NULL();
}
