// As in a subtransaction, which is not to be had here: VACUUM may be in parallel mode. What f takes belongs to a
// resource owner of its own, so that it can be given back as one; content locks, and buffers in the middle of their
// I/O, go the way that AbortSubTransaction() sends them. No transaction state changes: f writes no table and takes no
// xid.

#include "src/maintenance/contain.hpp"

namespace nphd {

static bool is_containable(int sqlstate) {
    const int category = ERRCODE_TO_CATEGORY(sqlstate);
    return category == ERRCODE_INSUFFICIENT_RESOURCES || category == ERRCODE_PROGRAM_LIMIT_EXCEEDED ||
           category == ERRCODE_TO_CATEGORY(ERRCODE_IO_ERROR);
}

static void release(ResourceOwner owner, bool success) {
    ResourceOwnerRelease(owner, RESOURCE_RELEASE_BEFORE_LOCKS, success, false);
    ResourceOwnerRelease(owner, RESOURCE_RELEASE_LOCKS, success, false);
    ResourceOwnerRelease(owner, RESOURCE_RELEASE_AFTER_LOCKS, success, false);
}

bool contain_failure(Relation index, void (*f)(void* arg), void* arg) {
    MemoryContext caller_context = CurrentMemoryContext;
    ResourceOwner caller_owner = CurrentResourceOwner;
    MemoryContext context = AllocSetContextCreate(caller_context, "nphd contained", ALLOCSET_DEFAULT_SIZES);
    ResourceOwner owner = ResourceOwnerCreate(caller_owner, "nphd contained");
    volatile bool success = true;
    CurrentResourceOwner = owner;
    MemoryContextSwitchTo(context);
    PG_TRY();
    { f(arg); }
    PG_CATCH();
    {
        MemoryContextSwitchTo(caller_context);
        CurrentResourceOwner = caller_owner;
        if (!is_containable(geterrcode())) PG_RE_THROW();
        ErrorData* error = CopyErrorData();
        FlushErrorState();
        LWLockReleaseAll();
        ConditionVariableCancelSleep();
        pgstat_report_wait_end();
        release_buffer_io();
        release(owner, false);
        ereport(WARNING,
                (errcode(error->sqlerrcode),
                 errmsg("maintenance of index \"%s\" was put off: %s", RelationGetRelationName(index), error->message),
                 errhint("The index stays whole; the next VACUUM tries again.")));
        FreeErrorData(error);
        success = false;
    }
    PG_END_TRY();
    MemoryContextSwitchTo(caller_context);
    CurrentResourceOwner = caller_owner;
    if (success) release(owner, true);
    ResourceOwnerDelete(owner);
    MemoryContextDelete(context);
    return success;
}

}  // namespace nphd
