// nphd_pairs(regclass, double precision [, bigint]): all pairs of rows within a radius.

#include "src/pairs/pair_run.hpp"

namespace nphd {

namespace {

struct PairOutput {
    ReturnSetInfo* result;
    VisibleRows rows;
};

}  // namespace

static void put_pair(PairOutput* out, uint64 a, uint64 b, double distance) {
    ItemPointerData tids[2];
    const RowId rows[2] = {unpack_row(a), unpack_row(b)};
    for (int i = 0; i < 2; ++i) ItemPointerSet(&tids[i], rows[i].block, rows[i].offset);
    Datum values[] = {PointerGetDatum(&tids[0]), PointerGetDatum(&tids[1]), Float8GetDatum(distance)};
    bool nulls[lengthof(values)] = {};
    tuplestore_putvalues(out->result->setResult, out->result->setDesc, values, nulls);
}

// Every visible row of a node with every one of the other; of one node each two once. False: moved.
static bool put_node_pair(PairOutput* out, PairRun* run, const NodePair& pair) {
    const bool same = pair.lane_a == pair.lane_b && pair.node_a == pair.node_b;
    NodeRows as, bs;
    RowId row;
    RowStep step;
    node_rows_begin(&as, run, pair.lane_a, pair.node_a);
    while ((step = node_rows_next(&as, &row)) == RowStep::row) {
        const uint64 a = visible_version(&out->rows, row);
        if (a == 0) continue;
        node_rows_begin(&bs, run, pair.lane_b, pair.node_b, same ? as.posting() + 1 : 0);
        while ((step = node_rows_next(&bs, &row)) == RowStep::row) {
            const uint64 b = visible_version(&out->rows, row);
            if (b != 0) put_pair(out, a, b, pair.distance);
        }
        if (step == RowStep::moved) return false;
    }
    return step == RowStep::end;
}

// False: moved.
static bool put_pairs(PairOutput* out, PairRun* run) {
    for (;;) {
        const NodePair* pairs;
        Size n;
        const PairStep step = pair_run_step(run, &pairs, &n);
        if (step != PairStep::pairs) return step == PairStep::end;
        for (Size i = 0; i < n; ++i)
            if (!put_node_pair(out, run, pairs[i])) return false;
    }
}

static void all_pairs(ReturnSetInfo* result, const PairQuestion& question) {
    PairOutput out{result, visible_rows_begin(question.table, question.snapshot)};
    for (int restarts = 0;; count_restart(question, &restarts)) {
        PairRun* run = pair_run_start(question);
        const bool done = run != nullptr && put_pairs(&out, run);
        if (run != nullptr) pair_run_end(run);
        if (done) break;
        tuplestore_clear(result->setResult);
    }
    visible_rows_end(&out.rows);
}

}  // namespace nphd

NPHD_FUNCTION(nphd_pairs) {
    InitMaterializedSRF(fcinfo, 0);
    if (PG_ARGISNULL(0) || PG_ARGISNULL(1)) PG_RETURN_NULL();
    nphd::PairQuestion question = nphd::ask_pairs(PG_GETARG_OID(0), PG_GETARG_FLOAT8(1));
    question.one_shard = !PG_ARGISNULL(2);
    if (question.one_shard) question.shard = static_cast<uint64>(PG_GETARG_INT64(2));
    nphd::all_pairs(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo), question);
    nphd::close_indexed_table(question);
    PG_RETURN_NULL();
}
