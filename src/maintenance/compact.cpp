// nphd_compact(regclass): folds what is pending now, as VACUUM does.

#include "src/inspect/index_checks.hpp"
#include "src/maintenance/fold.hpp"

NPHD_FUNCTION(nphd_compact) {
    PreventCommandIfReadOnly("nphd_compact()");
    PreventCommandDuringRecovery("nphd_compact()");
    Relation index = nphd::open_nphd_index(PG_GETARG_OID(0), RowExclusiveLock);
    nphd::require_owner(index);
    nphd::maintenance_lock(index);
    const uint64 rows = nphd::fold_pending(index, {1 + max_parallel_maintenance_workers, maintenance_work_mem});
    nphd::maintenance_unlock(index);
    relation_close(index, RowExclusiveLock);
    PG_RETURN_INT64(static_cast<int64>(rows));
}
