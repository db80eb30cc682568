// A scan: one run after another (scan_run.hpp). Usually there is one. If maintenance took pages away under it,
// the next run starts over and leaves out the rows that were handed out before.
//
// A row id that VACUUM freed and a new row got meanwhile may come back with the old code; the new row is invisible to
// our snapshot, which is why only MVCC snapshots will do. For the same reason leaving out by row id is right.

#include "src/am/am.hpp"
#include "src/am/scan_run.hpp"

#include "engine/shard/format.hpp"

namespace nphd {

namespace {

// Rows handed out since the last rescan, in case of another run; the first `sorted` of them in ascending order.
struct HandedOut {
    PackedRowId* rows;
    Size n, max;
    Size sorted;
};

struct ScanState {
    MemoryContext context;  // of the scan
    ScanRun* run;           // null before the first row
    HandedOut handed_out;
    ScanAccount account;  // of the runs that have ended
    bool incomparable;    // the row returned last
};

int compare_packed(const void* a, const void* b) { return memcmp(a, b, sizeof(PackedRowId)); }

void remember(ScanState* state, RowId row) {
    HandedOut& h = state->handed_out;
    if (h.n == h.max) {
        h.max = Max(Size{64}, h.max * 2);
        const Size bytes = h.max * sizeof(PackedRowId);
        h.rows = static_cast<PackedRowId*>(h.rows ? repalloc_huge(h.rows, bytes)
                                                  : MemoryContextAllocHuge(state->context, bytes));
    }
    h.rows[h.n++] = PackedRowId::pack(row);
}

bool was_handed_out(const HandedOut& h, RowId row) {
    if (h.sorted == 0) return false;
    const PackedRowId packed = PackedRowId::pack(row);
    return bsearch(&packed, h.rows, h.sorted, sizeof(PackedRowId), compare_packed) != nullptr;
}

void end_run(ScanState* state) {
    if (state->run == nullptr) return;
    ScanRun* run = state->run;
    state->run = nullptr;
    scan_run_account(run, &state->account);
    scan_run_end(run);
}

void begin_run(IndexScanDesc scan, ScanState* state) {
    HandedOut& h = state->handed_out;
    if (h.n > h.sorted) {
        qsort(h.rows, h.n, sizeof(PackedRowId), compare_packed);
        h.sorted = h.n;
    }
    MemoryContext caller = MemoryContextSwitchTo(state->context);
    while (state->run == nullptr) {
        CHECK_FOR_INTERRUPTS();
        state->run = scan_run_start(scan);
    }
    MemoryContextSwitchTo(caller);
}

void check_scan(IndexScanDesc scan) {
    if (!IsMVCCSnapshot(scan->xs_snapshot))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("nphd indexes can only be scanned under an MVCC snapshot")));
    if (scan->numberOfOrderBys > 1)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("an nphd index cannot order by more than one distance")));
    pgstat_count_index_scan(scan->indexRelation);
    count_search(scan);
}

// A row that the metric cannot compare passes without a look at its distance: whether it is visible and wanted is for
// the executor to see, and then the operator in the query's output raises the error that a sequential scan would.
void return_row(IndexScanDesc scan, const FoundRow& found) {
    ItemPointerSet(&scan->xs_heaptid, found.row.block, found.row.offset);
    scan->xs_recheck = found.recheck;
    scan->xs_recheckorderby = false;
    for (int i = 0; i < scan->numberOfOrderBys; ++i) {
        const double distance = found.order == FoundRow::by_distance ? found.distance : 0;
        scan->xs_orderbynulls[i] = found.order == FoundRow::any_order;
        scan->xs_orderbyvals[i] = scan->xs_orderbynulls[i] ? Datum{0} : Float8GetDatum(distance);
    }
}

}  // namespace

IndexScanDesc nphdbeginscan(Relation index, int nkeys, int norderbys) {
    IndexScanDesc scan = RelationGetIndexScan(index, nkeys, norderbys);
    auto* state = static_cast<ScanState*>(palloc0(sizeof(ScanState)));
    state->context = CurrentMemoryContext;
    if (norderbys > 0) {
        scan->xs_orderbyvals = static_cast<Datum*>(palloc0(sizeof(Datum) * norderbys));
        scan->xs_orderbynulls = static_cast<bool*>(palloc0(sizeof(bool) * norderbys));
    }
    scan->opaque = state;
    return scan;
}

void nphdrescan(IndexScanDesc scan, ScanKey keys, int nkeys, ScanKey orderbys, int norderbys) {
    auto* state = static_cast<ScanState*>(scan->opaque);
    end_run(state);
    state->handed_out.n = state->handed_out.sorted = 0;
    if (keys != nullptr && nkeys > 0) memmove(scan->keyData, keys, nkeys * sizeof(ScanKeyData));
    if (orderbys != nullptr && norderbys > 0) memmove(scan->orderByData, orderbys, norderbys * sizeof(ScanKeyData));
}

bool nphdgettuple(IndexScanDesc scan, ScanDirection direction) {
    Assert(ScanDirectionIsForward(direction));
    (void)direction;
    auto* state = static_cast<ScanState*>(scan->opaque);
    if (state->run == nullptr) {
        check_scan(scan);
        begin_run(scan, state);
    }
    for (;;) {
        FoundRow found;
        switch (scan_run_next(state->run, &found)) {
            case RunStep::end:
                return false;
            case RunStep::moved:
                end_run(state);
                begin_run(scan, state);
                break;
            case RunStep::row:
                if (was_handed_out(state->handed_out, found.row)) break;
                remember(state, found.row);
                return_row(scan, found);
                state->incomparable = found.order == FoundRow::incomparable;
                return true;
        }
    }
}

// A bitmap takes no harm from rows that come twice, so another run just goes on.
int64 nphdgetbitmap(IndexScanDesc scan, TIDBitmap* bitmap) {
    auto* state = static_cast<ScanState*>(scan->opaque);
    check_scan(scan);
    int64 n = 0;
    for (begin_run(scan, state);;) {
        FoundRow found;
        const RunStep step = scan_run_next(state->run, &found);
        if (step == RunStep::end) break;
        if (step == RunStep::moved) {
            end_run(state);
            begin_run(scan, state);
            continue;
        }
        ItemPointerData row;
        ItemPointerSet(&row, found.row.block, found.row.offset);
        tbm_add_tuples(bitmap, &row, 1, found.recheck);
        ++n;
    }
    end_run(state);
    return n;
}

ScanAccount scan_account(IndexScanDesc scan) {
    const auto* state = static_cast<const ScanState*>(scan->opaque);
    ScanAccount sum = state->account;
    if (state->run != nullptr) scan_run_account(state->run, &sum);
    return sum;
}

bool returned_incomparable(IndexScanDesc scan) { return static_cast<const ScanState*>(scan->opaque)->incomparable; }

void nphdendscan(IndexScanDesc scan) {
    auto* state = static_cast<ScanState*>(scan->opaque);
    end_run(state);
    if (state->handed_out.rows != nullptr) pfree(state->handed_out.rows);
    pfree(state);
    scan->opaque = nullptr;
}

}  // namespace nphd
