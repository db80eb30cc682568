// nphd_compact(regclass, full): maintenance now, in this session.

#include "src/inspect/index_checks.hpp"
#include "src/maintenance/maintain.hpp"

NPHD_FUNCTION(nphd_compact) {
    PreventCommandIfReadOnly("nphd_compact()");
    PreventCommandDuringRecovery("nphd_compact()");
    const bool full = PG_GETARG_BOOL(1);
    Relation index = nphd::open_nphd_index(PG_GETARG_OID(0), RowExclusiveLock);
    nphd::require_owner(index);
    nphd::maintenance_lock(index);
    const nphd::MaintenanceResources resources{1 + max_parallel_maintenance_workers, maintenance_work_mem};
    uint64 rows = nphd::maintain(index, full ? nphd::Goal::full : nphd::Goal::pending, resources);
    if (!full) rows += nphd::maintain(index, nphd::Goal::due, resources);
    nphd::maintenance_unlock(index);
    relation_close(index, RowExclusiveLock);
    PG_RETURN_INT64(static_cast<int64>(rows));
}
