// What background workers need of PostgreSQL beside pg.hpp.
#pragma once

#include "src/pg.hpp"

extern "C" {
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/lwlock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/timestamp.h"
}

namespace nphd {

inline bool created_in_this_transaction(Relation rel) {
#if PG_VERSION_NUM >= 160000
    return rel->rd_createSubid != InvalidSubTransactionId ||
           rel->rd_firstRelfilelocatorSubid != InvalidSubTransactionId;
#else
    return rel->rd_createSubid != InvalidSubTransactionId || rel->rd_firstRelfilenodeSubid != InvalidSubTransactionId;
#endif
}

inline bool AmBackgroundWorker() { return MyBgworkerEntry != nullptr && !IsParallelWorker(); }

inline void behave_as_autovacuum() {
    LWLockAcquire(ProcArrayLock, LW_EXCLUSIVE);
    MyProc->statusFlags |= PROC_IS_AUTOVACUUM;
    ProcGlobal->statusFlags[MyProc->pgxactoff] = MyProc->statusFlags;
    LWLockRelease(ProcArrayLock);
}

}  // namespace nphd
