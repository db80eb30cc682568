// nphd_clusters(regclass, double precision): the rows that have others within a radius, by connected component.

#include "src/guard.hpp"
#include "src/pairs/pair_run.hpp"

#include "engine/search/row_sets.hpp"

namespace nphd {

namespace {

struct Clustering {
    MemoryContext context;
    RowSets* sets;
    VisibleRows rows;
};

}  // namespace

static void release_sets(void* arg) { delete static_cast<Clustering*>(arg)->sets; }

static Clustering* create_clustering(const PairQuestion& question) {
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd clusters", ALLOCSET_DEFAULT_SIZES);
    auto* c = static_cast<Clustering*>(MemoryContextAllocZero(context, sizeof(Clustering)));
    c->context = context;
    auto* callback = static_cast<MemoryContextCallback*>(MemoryContextAlloc(context, sizeof(MemoryContextCallback)));
    callback->func = release_sets;
    callback->arg = c;
    MemoryContextRegisterResetCallback(context, callback);
    guarded([&] { c->sets = new RowSets; });
    c->rows = visible_rows_begin(question.table, question.snapshot);
    return c;
}

// The first visible row of a node, 0 if there is none. False: moved.
static bool first_visible(Clustering* c, PairRun* run, uint32 lane, NodeId node, uint64* first) {
    NodeRows rows;
    RowId row;
    RowStep step;
    *first = 0;
    node_rows_begin(&rows, run, lane, node);
    while (*first == 0 && (step = node_rows_next(&rows, &row)) != RowStep::end) {
        if (step == RowStep::moved) return false;
        *first = visible_version(&c->rows, row);
    }
    return true;
}

// All rows of a node with its first one: as many steps as rows, not as pairs. False: moved.
static bool unite_node(Clustering* c, PairRun* run, uint32 lane, NodeId node) {
    NodeRows rows;
    RowId row;
    RowStep step;
    uint64 first = 0;
    node_rows_begin(&rows, run, lane, node);
    while ((step = node_rows_next(&rows, &row)) == RowStep::row) {
        const uint64 version = visible_version(&c->rows, row);
        if (version == 0) continue;
        if (first == 0)
            first = version;
        else
            guarded([&] { c->sets->unite(first, version); });
    }
    return step == RowStep::end;
}

// Rows that are not visible connect nothing: two nodes belong together if both have a visible row. False: moved.
static bool unite_pair(Clustering* c, PairRun* run, const NodePair& pair) {
    if (pair.lane_a == pair.lane_b && pair.node_a == pair.node_b) return unite_node(c, run, pair.lane_a, pair.node_a);
    uint64 a, b;
    if (!first_visible(c, run, pair.lane_a, pair.node_a, &a)) return false;
    if (a == 0) return true;
    if (!first_visible(c, run, pair.lane_b, pair.node_b, &b)) return false;
    if (b != 0) guarded([&] { c->sets->unite(a, b); });
    return true;
}

// False: moved.
static bool unite_pairs(Clustering* c, PairRun* run) {
    for (;;) {
        const NodePair* pairs;
        Size n;
        const PairStep step = pair_run_step(run, &pairs, &n);
        if (step != PairStep::pairs) return step == PairStep::end;
        for (Size i = 0; i < n; ++i)
            if (!unite_pair(c, run, pairs[i])) return false;
    }
}

static void put_members(Clustering* c, ReturnSetInfo* result) {
    const uint32 n = c->sets->rows();
    for (uint32 i = 0; i < n; ++i) {
        if (i % 1024 == 0) CHECK_FOR_INTERRUPTS();
        const RowSets::Member member = c->sets->member(i);
        const RowId row = unpack_row(member.row), smallest = unpack_row(member.smallest);
        ItemPointerData tids[2];
        ItemPointerSet(&tids[0], row.block, row.offset);
        ItemPointerSet(&tids[1], smallest.block, smallest.offset);
        Datum values[] = {PointerGetDatum(&tids[0]), PointerGetDatum(&tids[1]), Int64GetDatum(member.size)};
        bool nulls[lengthof(values)] = {};
        tuplestore_putvalues(result->setResult, result->setDesc, values, nulls);
    }
}

static void clusters(ReturnSetInfo* result, const PairQuestion& question) {
    Clustering* c = create_clustering(question);
    for (int restarts = 0;; count_restart(question, &restarts)) {
        PairRun* run = pair_run_start(question);
        const bool done = run != nullptr && unite_pairs(c, run);
        if (run != nullptr) pair_run_end(run);
        if (done) break;
        c->sets->clear();
    }
    put_members(c, result);
    visible_rows_end(&c->rows);
    MemoryContextDelete(c->context);
}

}  // namespace nphd

NPHD_FUNCTION(nphd_clusters) {
    InitMaterializedSRF(fcinfo, 0);
    nphd::PairQuestion question = nphd::ask_pairs(PG_GETARG_OID(0), PG_GETARG_FLOAT8(1));
    nphd::clusters(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo), question);
    nphd::close_indexed_table(question);
    PG_RETURN_NULL();
}
