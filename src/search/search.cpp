// nphd_search(regclass, bitvec[], integer): the nearest rows of many codes in one call. It is what as many statements
// `ORDER BY code <-> query LIMIT k` find, without what a statement costs beside its search.

#include "src/am/opclass.hpp"
#include "src/inspect/index_checks.hpp"

namespace nphd {

namespace {

struct BatchSearch {
    ReturnSetInfo* result;
    IndexedTable opened;
    IndexScanDesc scan;
    ScanKeyData order;
    Metric metric;
    int32 k;
    TupleTableSlot* slot;
    // For the code of a row, which may be an expression.
    IndexInfo* index_info;
    EState* executor;
};

}  // namespace

static void init_order(BatchSearch* search) {
    Relation index = search->opened.index;
    const Oid type = index->rd_opcintype[0];
    const Oid distance = get_opfamily_member(index->rd_opfamily[0], type, type, kDistanceStrategy);
    ScanKeyEntryInitialize(&search->order, SK_ORDER_BY, 1, kDistanceStrategy, type, InvalidOid, get_opcode(distance),
                           Datum{0});
}

static void begin_search(BatchSearch* search) {
    Relation table = search->opened.table, index = search->opened.index;
    search->metric = index_metric(index);
    init_order(search);
    search->scan = begin_index_scan(table, index, GetActiveSnapshot(), 0, 1);
    search->slot = table_slot_create(table, nullptr);
    search->index_info = BuildIndexInfo(index);
    search->executor = CreateExecutorState();
    GetPerTupleExprContext(search->executor)->ecxt_scantuple = search->slot;
}

static void end_search(BatchSearch* search) {
    index_endscan(search->scan);
    ExecDropSingleTupleTableSlot(search->slot);
    FreeExecutorState(search->executor);
    close_indexed_table(search->opened);
}

// A row that cannot be compared with the query comes first, as if at distance 0, and the statement that wants it asks
// its distance: an error, as there.
static void check_comparable(BatchSearch* search) {
    Datum values[INDEX_MAX_KEYS];
    bool nulls[INDEX_MAX_KEYS];
    FormIndexDatum(search->index_info, search->slot, search->executor, values, nulls);
    if (!nulls[0]) FunctionCall2(&search->order.sk_func, values[0], search->order.sk_argument);
    ResetPerTupleExprContext(search->executor);
}

// Rows without a code come last and are at no distance, so they are nobody's neighbours.
static void put_nearest(BatchSearch* search, int32 number, Datum query) {
    search->order.sk_argument = query;
    index_rescan(search->scan, nullptr, 0, &search->order, 1);
    for (int32 i = 0; i < search->k && index_getnext_slot(search->scan, ForwardScanDirection, search->slot); ++i) {
        if (search->scan->xs_orderbynulls[0]) break;
        const double distance = DatumGetFloat8(search->scan->xs_orderbyvals[0]);
        if (distance == 0 && search->metric != Metric::nphd) check_comparable(search);
        Datum values[] = {Int32GetDatum(number), PointerGetDatum(&search->slot->tts_tid), Float8GetDatum(distance)};
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
    nphd::begin_search(&search);
    nphd::put_all(&search, PG_GETARG_ARRAYTYPE_P(1));
    nphd::end_search(&search);
    PG_RETURN_NULL();
}
