// nphd_search(regclass, bitvec[], integer): the nearest rows of many codes in one call. It is what as many statements
// `ORDER BY code <-> query LIMIT k` find, without what a statement costs beside its search.

#include "src/am/opclass.hpp"
#include "src/am/scan_run.hpp"
#include "src/inspect/index_checks.hpp"

namespace nphd {

namespace {

struct BatchSearch {
    ReturnSetInfo* result;
    IndexedTable opened;
    IndexScanDesc scan;
    TupleTableSlot* slot;
    int32 k;
};

}  // namespace

// Rows without a code come last and are at no distance, so they are nobody's neighbours. The code of a row is not
// looked at: it may be an expression, which is the code of the table's owner, and is not to run with the caller's
// rights.
static void put_nearest(BatchSearch* search, int32 number, Datum query) {
    // The scan knows what its index measures, and calls no function of the key.
    ScanKeyData order{};
    order.sk_flags = SK_ORDER_BY;
    order.sk_attno = 1;
    order.sk_strategy = kDistanceStrategy;
    order.sk_argument = query;
    index_rescan(search->scan, nullptr, 0, &order, 1);
    for (int32 i = 0; i < search->k && index_getnext_slot(search->scan, ForwardScanDirection, search->slot); ++i) {
        if (search->scan->xs_orderbynulls[0]) break;
        if (returned_incomparable(search->scan))
            ereport(ERROR, (errcode(ERRCODE_STRING_DATA_LENGTH_MISMATCH),
                            errmsg("query %d has another bit length than a row that it finds", number)));
        Datum values[] = {Int32GetDatum(number), PointerGetDatum(&search->slot->tts_tid),
                          search->scan->xs_orderbyvals[0]};
        bool nulls[lengthof(values)] = {};
        tuplestore_putvalues(search->result->setResult, search->result->setDesc, values, nulls);
    }
    ExecClearTuple(search->slot);
}

static void put_all(BatchSearch* search, ArrayType* queries) {
    Datum* values;
    bool* nulls;
    int n;
    deconstruct_array(queries, ARR_ELEMTYPE(queries), -1, false, TYPALIGN_INT, &values, &nulls, &n);
    for (int i = 0; i < n; ++i) {
        CHECK_FOR_INTERRUPTS();
        if (!nulls[i]) put_nearest(search, i + 1, values[i]);
    }
}

}  // namespace nphd

NPHD_FUNCTION(nphd_search) {
    InitMaterializedSRF(fcinfo, 0);
    nphd::BatchSearch search{};
    search.result = reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo);
    search.k = PG_GETARG_INT32(2);
    if (search.k < 1) ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("k must be at least 1")));
    search.opened =
        nphd::open_indexed_table(PG_GETARG_OID(0), "Order the table by the distance to each query instead.");
    search.scan = nphd::begin_index_scan(search.opened.table, search.opened.index, GetActiveSnapshot(), 0, 1);
    search.slot = table_slot_create(search.opened.table, nullptr);
    nphd::put_all(&search, PG_GETARG_ARRAYTYPE_P(1));
    index_endscan(search.scan);
    ExecDropSingleTupleTableSlot(search.slot);
    nphd::close_indexed_table(search.opened);
    PG_RETURN_NULL();
}
