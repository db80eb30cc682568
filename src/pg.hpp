// The one place that includes PostgreSQL from C++, and the one place that knows how its versions 15 to 18 differ.
//
// A file of src/ includes it before everything else: postgres.h sets up the C library for itself, and it replaces
// printf and its relatives by macros, which the C++ standard headers take back only if they come later.
#pragma once

extern "C" {
#include "postgres.h"

// Before 16 PGDLLEXPORT is empty on ELF, so a module built with hidden visibility would export nothing.
#if PG_VERSION_NUM < 160000
#undef PGDLLEXPORT
#define PGDLLEXPORT __attribute__((visibility("default")))
#endif

#include "access/amapi.h"
#include "access/amvalidate.h"
#include "access/detoast.h"
#include "access/genam.h"
#include "access/generic_xlog.h"
#include "access/relation.h"
#include "access/reloptions.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "access/xlog_internal.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "catalog/pg_am.h"
#include "catalog/pg_amop.h"
#include "catalog/pg_amproc.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "catalog/pg_enum.h"
#include "catalog/pg_opclass.h"
#include "catalog/pg_operator.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_statistic.h"
#include "catalog/pg_type.h"
#include "catalog/storage.h"
#include "commands/progress.h"
#include "commands/tablespace.h"
#include "commands/vacuum.h"
#include "common/hashfn.h"
#include "fmgr.h"
#include "funcapi.h"
#include "lib/stringinfo.h"
#include "libpq/pqformat.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/execnodes.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "nodes/pathnodes.h"
#include "nodes/supportnodes.h"
#include "optimizer/cost.h"
#include "optimizer/optimizer.h"
#include "optimizer/pathnode.h"
#include "optimizer/paths.h"
#include "optimizer/restrictinfo.h"
#include "pgstat.h"
#include "port/pg_bitutils.h"
#include "port/pg_bswap.h"
#include "port/pg_crc32c.h"
#include "postmaster/autovacuum.h"
#include "storage/bufmgr.h"
#include "storage/condition_variable.h"
#include "storage/fd.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lwlock.h"
#include "storage/predicate.h"
#include "storage/proc.h"
#include "storage/smgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/backend_progress.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/float.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inet.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/resowner.h"
#include "utils/rls.h"
#include "utils/selfuncs.h"
#include "utils/snapmgr.h"
#include "utils/sortsupport.h"
#include "utils/spccache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/tuplesort.h"
#include "utils/tuplestore.h"
#include "utils/typcache.h"
#include "utils/uuid.h"
#include "utils/varbit.h"
#include "utils/wait_event.h"

#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "varatt.h"
#endif
#if PG_VERSION_NUM >= 180000
#include "commands/explain.h"
#include "commands/explain_format.h"
#include "commands/explain_state.h"
#include "storage/aio_subsys.h"
#endif
}

// From 18 on an extension may add lines to the nodes of EXPLAIN.
#if PG_VERSION_NUM >= 180000
#define NPHD_HAS_EXPLAIN_HOOK 1
#else
#define NPHD_HAS_EXPLAIN_HOOK 0
#endif

// Up to 16 the planner leaves conditions out of ordered index scans (src/am/ordered_paths.hpp).
#if PG_VERSION_NUM < 170000
#define NPHD_COMPLETES_ORDERED_PATHS 1
#else
#define NPHD_COMPLETES_ORDERED_PATHS 0
#endif

/// Defines a function that SQL can call: its registration, and the start of its definition with C linkage.
#define NPHD_FUNCTION(name)    \
    extern "C" {               \
    PG_FUNCTION_INFO_V1(name); \
    }                          \
    extern "C" PGDLLEXPORT Datum name(PG_FUNCTION_ARGS)

/// Raises an error of an input function. From 16 on it is a soft one if the caller asked for that: the error goes to
/// its context and the *calling function returns* a null Datum; otherwise, and before 16, it is an ordinary ERROR.
#if PG_VERSION_NUM >= 160000
#define NPHD_INPUT_ERROR(fcinfo, ...) ereturn((fcinfo)->context, Datum{0}, __VA_ARGS__)
#else
#define NPHD_INPUT_ERROR(fcinfo, ...) ereport(ERROR, __VA_ARGS__)
#endif

namespace nphd {

/// Pins `buffer` if it still holds the block.
inline bool read_recent_buffer(Relation rel, ForkNumber fork, BlockNumber block, Buffer buffer) {
#if PG_VERSION_NUM >= 160000
    return ReadRecentBuffer(rel->rd_locator, fork, block, buffer);
#else
    return ReadRecentBuffer(rel->rd_node, fork, block, buffer);
#endif
}

/// About how many elements an array has, for the planner.
inline double array_length(PlannerInfo* root, Node* array) {
#if PG_VERSION_NUM >= 170000
    return estimate_array_length(root, array);
#else
    (void)root;
    return estimate_array_length(array);
#endif
}

/// What names the files of a relation.
inline void relation_locator(Relation rel, Oid* tablespace, Oid* database, uint32* number) {
#if PG_VERSION_NUM >= 160000
    *tablespace = rel->rd_locator.spcOid;
    *database = rel->rd_locator.dbOid;
    *number = rel->rd_locator.relNumber;
#else
    *tablespace = rel->rd_node.spcNode;
    *database = rel->rd_node.dbNode;
    *number = rel->rd_node.relNode;
#endif
}

/// Path of the first segment file of the main fork.
inline void relation_path(Relation rel, char* out, Size size) {
#if PG_VERSION_NUM >= 180000
    strlcpy(out, relpathbackend(rel->rd_locator, rel->rd_backend, MAIN_FORKNUM).str, size);
#elif PG_VERSION_NUM >= 160000
    strlcpy(out, relpathbackend(rel->rd_locator, rel->rd_backend, MAIN_FORKNUM), size);
#else
    strlcpy(out, relpathbackend(rel->rd_node, rel->rd_backend, MAIN_FORKNUM), size);
#endif
}

/// Data files written around the page cache cannot be read through a mapping.
inline bool direct_io_in_use() {
#if PG_VERSION_NUM >= 160000
    return (io_direct_flags & IO_DIRECT_DATA) != 0;
#else
    return false;
#endif
}

/// Up to 16, rows that a snapshot still needs may be pruned early (old_snapshot_threshold); index pages tell.
inline void test_for_old_snapshot(Snapshot snapshot, Relation rel, Page page) {
#if PG_VERSION_NUM >= 170000
    (void)snapshot, (void)rel, (void)page;
#else
    TestForOldSnapshot(snapshot, rel, page);
#endif
}

/// Whether the checksum and header of a page copy are good.
inline bool page_is_verified(Page page, BlockNumber block) {
#if PG_VERSION_NUM >= 180000
    bool checksum_failed = false;
    return PageIsVerified(page, block, 0, &checksum_failed);
#else
    return PageIsVerifiedExtended(page, block, 0);
#endif
}

/// What an error left of a buffer's content lock and I/O. From 16 on, I/O in progress goes with the resource owner; 18
/// may have some that is staged and not yet begun.
inline void release_buffer_io() {
#if PG_VERSION_NUM >= 180000
    pgaio_error_cleanup();
#elif PG_VERSION_NUM < 160000
    AbortBufferIO();
#endif
    UnlockBuffers();
}

/// For the line "Index Searches" of EXPLAIN ANALYZE, which comes with 18.
inline void count_search(IndexScanDesc scan) {
#if PG_VERSION_NUM >= 180000
    if (scan->instrument != nullptr) scan->instrument->nsearches++;
#else
    (void)scan;
#endif
}

/// For a function that scans an index by itself.
inline IndexScanDesc begin_index_scan(Relation table, Relation index, Snapshot snapshot, int keys, int order_bys) {
#if PG_VERSION_NUM >= 180000
    return index_beginscan(table, index, snapshot, nullptr, keys, order_bys);
#else
    return index_beginscan(table, index, snapshot, keys, order_bys);
#endif
}

/// A path that is not to be taken even if all others are switched off. From 18 on one with fewer disabled nodes wins
/// whatever it costs, so one switched-off node must not be enough. A bitmap scan does not heed those of the path that
/// it is made from, so the index is then to have none in this plan: the planner looks whether it can after asking its
/// cost.
inline void forbid_path(IndexPath* path, Cost* startup, Cost* total) {
    *startup = *total = get_float8_infinity();
#if PG_VERSION_NUM >= 180000
    path->path.disabled_nodes = 2;
    path->indexinfo->amhasgetbitmap = false;
#else
    (void)path;
#endif
}

inline void vacuum_pause() {
#if PG_VERSION_NUM >= 180000
    vacuum_delay_point(false);
#else
    vacuum_delay_point();
#endif
}

inline bool in_autovacuum() {
#if PG_VERSION_NUM >= 170000
    return AmAutoVacuumWorkerProcess();
#else
    return IsAutoVacuumWorkerProcess();
#endif
}

/// A VACUUM that must come to its end to keep transaction ids from running out.
inline bool vacuum_is_urgent() { return (MyProc->statusFlags & PROC_VACUUM_FOR_WRAPAROUND) != 0; }

/// For code that a table's owner wrote: it finds core's objects only. Until the end of the GUC nesting level.
inline void restrict_search_path() {
#if PG_VERSION_NUM >= 170000
    RestrictSearchPath();
#else
    set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0,
                      false);
#endif
}

/// The next value in the order of a sort of one, palloc'd if it is no value by itself.
inline bool tuplesort_next_datum(Tuplesortstate* sort, Datum* value, bool* isnull) {
#if PG_VERSION_NUM >= 160000
    return tuplesort_getdatum(sort, true, true, value, isnull, nullptr);
#else
    return tuplesort_getdatum(sort, true, value, isnull, nullptr);
#endif
}

inline bool owns_relation(Oid relation, Oid role) {
#if PG_VERSION_NUM >= 160000
    return object_ownercheck(RelationRelationId, relation, role);
#else
    return pg_class_ownercheck(relation, role);
#endif
}

}  // namespace nphd
