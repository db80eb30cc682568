#include "src/am/am.hpp"
#include "src/am/opclass.hpp"
#include "src/am/options.hpp"

NPHD_FUNCTION(nphd_handler) {
    (void)fcinfo;
    IndexAmRoutine* am = makeNode(IndexAmRoutine);
    am->amstrategies = nphd::kStrategies;
    am->amsupport = 0;
    am->amcanorderbyop = true;
    am->amcanmulticol = true;
    am->amoptionalkey = true;
    am->amsearcharray = true;
    am->amsearchnulls = true;
    am->amparallelvacuumoptions = VACUUM_OPTION_PARALLEL_BULKDEL;
    am->amkeytype = InvalidOid;

    am->ambuild = nphd::nphdbuild;
    am->ambuildempty = nphd::nphdbuildempty;
    am->ambuildphasename = nphd::nphdbuildphasename;
    am->aminsert = nphd::nphdinsert;
    am->ambulkdelete = nphd::nphdbulkdelete;
    am->amvacuumcleanup = nphd::nphdvacuumcleanup;
    am->amcostestimate = nphd::nphdcostestimate;
    am->amoptions = nphd::nphdoptions;
    am->amvalidate = nphd::nphdvalidate;
    am->ambeginscan = nphd::nphdbeginscan;
    am->amrescan = nphd::nphdrescan;
    am->amgettuple = nphd::nphdgettuple;
    am->amgetbitmap = nphd::nphdgetbitmap;
    am->amendscan = nphd::nphdendscan;
    PG_RETURN_POINTER(am);
}
