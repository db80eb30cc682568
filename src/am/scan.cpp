// An ordered scan: the engine's stream over all lanes of all shards, merged with the pending rows.
//
// What was committed before the scan's snapshot is in the meta page, the manifest or the segments that it reads
// afterwards: a row is either pending or in a shard at any time (maintenance/fold.cpp switches in one record), and both
// lists come from one copy of the meta page. A row id that VACUUM freed and a new row got meanwhile may come back with
// the old code; the new row is invisible to our snapshot, which is why only MVCC snapshots will do.

#include "src/am/am.hpp"
#include "src/am/options.hpp"
#include "src/am/pending_nearest.hpp"
#include "src/guard.hpp"
#include "src/settings.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/shard_cache.hpp"
#include "src/storage/sigbus_guard.hpp"
#include "src/type/bitvec.hpp"

#include "engine/search/nearest.hpp"

namespace nphd {

namespace {

struct OpenLane {
    CachedShard* shard;
    const LaneView* lane;
};

// One run of a scan, from rescan to the next; plain data in `context`, whose end releases what it holds.
struct ScanRun {
    MemoryContext context;
    Relation index;
    MetaPage meta;
    Manifest* manifest;  // header, shards and segments only

    CachedShard** shards;
    uint32 n_shards;
    OpenLane* lanes;  // of the search, by the engine's lane number

    NearestSearch* search;  // null when rows come in any order
    PendingNearest pending;
    bool search_done;

    // The node whose postings are being handed out.
    bool have_node;
    DistanceKey node_key;
    bool node_late;  // comes after everything else
    double node_distance;
    OpenLane node_lane;
    LaneView::PostingRange node_rows;

    // Rows without a distance: every row when they are wanted in any order, else those of lengths that the metric
    // cannot compare.
    OpenLane* walk_lanes;
    uint32 n_walk_lanes;
    uint32 walk_lane;
    uint32 walk_posting;
    uint32 walk_segment;
    PendingReader walk_reader;
    PendingCursor walk_cursor;
    PGAlignedBlock* walk_page;
};

struct ScanState {
    MemoryContext context;  // of the scan
    ScanRun* run;           // null before the first row
};

// One search object is kept between scans, for its buffers.
NearestSearch* spare_search = nullptr;

void release_run(void* arg) {
    auto* run = static_cast<ScanRun*>(arg);
    if (run->search == nullptr) return;
    if (spare_search == nullptr)
        spare_search = run->search;
    else
        delete run->search;
}

ScanRun* create_run(IndexScanDesc scan, MemoryContext parent) {
    MemoryContext context = AllocSetContextCreate(parent, "nphd scan run", ALLOCSET_DEFAULT_SIZES);
    auto* run = static_cast<ScanRun*>(MemoryContextAllocZero(context, sizeof(ScanRun)));
    run->context = context;
    run->index = scan->indexRelation;
    auto* callback = static_cast<MemoryContextCallback*>(MemoryContextAlloc(context, sizeof(MemoryContextCallback)));
    callback->func = release_run;
    callback->arg = run;
    MemoryContextRegisterResetCallback(context, callback);
    return run;
}

void open_shards(ScanRun* run, Snapshot snapshot) {
    meta_read(run->index, &run->meta, snapshot);
    const Manifest* manifest = manifest_cached(run->index, run->meta);
    const Size bytes = sizeof(Manifest) + manifest->header.shards * sizeof(ShardEntry) +
                       manifest->header.segments * sizeof(SegmentEntry);
    run->manifest = static_cast<Manifest*>(palloc(bytes));
    memcpy(run->manifest, manifest, bytes);

    const uint32 n = run->manifest->header.shards;
    uint32 lanes = 0;
    run->shards = static_cast<CachedShard**>(palloc(n * sizeof(CachedShard*)));
    for (uint32 i = 0; i < n; ++i) {
        run->shards[run->n_shards] = shard_acquire(run->index, run->meta, run->manifest->shards()[i]);
        lanes += static_cast<uint32>(run->shards[run->n_shards++]->view->lanes.size());
    }
    shard_cache_sweep(run->index, run->manifest);
    run->lanes = static_cast<OpenLane*>(palloc(lanes * sizeof(OpenLane)));
    run->walk_lanes = static_cast<OpenLane*>(palloc(lanes * sizeof(OpenLane)));
}

void start_search(ScanRun* run, CodeBytes query, int ef_search) {
    const auto metric = static_cast<Metric>(run->meta.options.metric);
    NearestOptions options;
    options.metric = metric;
    options.exact = settings.exact;
    options.ef_search = static_cast<std::uint32_t>(ef_search);
    options.visit_cap = static_cast<std::uint32_t>(settings.visit_limit);

    run->search = spare_search;
    spare_search = nullptr;
    if (run->search == nullptr) guarded([&] { run->search = new NearestSearch; });
    guarded([&] { run->search->reset(query, options); });
    for (uint32 i = 0; i < run->n_shards; ++i) {
        CachedShard* shard = run->shards[i];
        for (const LaneView& lane : shard->view->lanes) {
            if (metric != Metric::nphd && lane.code_bytes != query.size()) {
                run->walk_lanes[run->n_walk_lanes++] = {shard, &lane};
                continue;
            }
            guarded([&] {
                const auto number = run->search->add_lane(lane, tombstones_of(shard, run->manifest->shards()[i]));
                run->lanes[number] = {shard, &lane};
            });
        }
    }
    run->pending = pending_nearest(run->index, &run->meta, run->manifest->segments(), run->manifest->header.segments,
                                   metric, query);
}

void start_walk(ScanRun* run) {
    for (uint32 i = 0; i < run->n_shards; ++i)
        for (const LaneView& lane : run->shards[i]->view->lanes)
            run->walk_lanes[run->n_walk_lanes++] = {run->shards[i], &lane};
    // An empty page and a reader at its end: the walk goes on with the first segment.
    run->walk_page = static_cast<PGAlignedBlock*>(palloc(sizeof(PGAlignedBlock)));
    reinterpret_cast<PageHeader>(run->walk_page->data)->pd_lower = kPendingDataOffset;
    run->walk_cursor = pending_cursor(run->walk_page->data);
    run->walk_reader = pending_reader(run->index, run->meta, 0, InvalidBlockNumber);
}

ScanRun* start_run(IndexScanDesc scan) {
    auto* state = static_cast<ScanState*>(scan->opaque);
    if (!IsMVCCSnapshot(scan->xs_snapshot))
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("nphd indexes can only be scanned under an MVCC snapshot")));
    if (scan->numberOfOrderBys > 1)
        ereport(ERROR, (errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
                        errmsg("an nphd index cannot order by more than one distance")));
    pgstat_count_index_scan(scan->indexRelation);
#if PG_VERSION_NUM >= 180000
    if (scan->instrument != nullptr) scan->instrument->nsearches++;
#endif
    ScanRun* run = create_run(scan, state->context);
    MemoryContext caller = MemoryContextSwitchTo(run->context);
    open_shards(run, scan->xs_snapshot);
    // A NULL query, or none: every distance is NULL, any order will do.
    if (scan->numberOfOrderBys == 0 || (scan->orderByData[0].sk_flags & SK_ISNULL) != 0) {
        start_walk(run);
    } else {
        const CodeBytes query = bytes_of(DatumGetByteaPCopy(scan->orderByData[0].sk_argument));
        const int ef_search = settings.ef_search > 0 ? settings.ef_search : default_ef_search(run->index);
        start_search(run, query, ef_search);
    }
    MemoryContextSwitchTo(caller);
    return run;
}

[[noreturn]] void report_unreadable(ScanRun* run, const CachedShard* shard) {
    // The jump out of the engine left its buffers in an unknown state.
    NearestSearch* broken = run->search;
    run->search = nullptr;
    delete broken;
    BlockNumber block = InvalidBlockNumber;
    for (uint32 i = 0; i < run->n_shards; ++i)
        if (shard == nullptr || run->shards[i] == shard) {
            block = run->manifest->shards()[i].first_block;
            break;
        }
    report_damage(run->index, block, "a shard that cannot be read");
}

// Asks the engine for its next node, unless one is at hand; false when there is none.
bool fetch_node(ScanRun* run) {
    while (!run->have_node && !run->search_done) {
        CHECK_FOR_INTERRUPTS();
        NearestHit hit{};
        auto step = NearestSearch::Step::more;
        bool readable = false, sound = true;
        guarded([&] {
            readable = survives_sigbus([&] {
                step = run->search->step(hit);
                if (step != NearestSearch::Step::hit) return;
                run->node_lane = run->lanes[hit.lane];
                run->node_distance = run->search->distance(hit);
                sound = run->node_lane.lane->posting_range(hit.node, run->node_rows);
            });
        });
        if (!readable) report_unreadable(run, nullptr);
        if (!sound) report_unreadable(run, run->node_lane.shard);
        run->search_done = step == NearestSearch::Step::end;
        run->have_node = step == NearestSearch::Step::hit;
        run->node_key = hit.key;
        run->node_late = hit.late;
    }
    return run->have_node;
}

// The next living posting of [rows->begin, rows->end), which advances; false when there is none.
bool next_posting(ScanRun* run, const OpenLane& lane, LaneView::PostingRange* rows, RowId* out) {
    bool found = false;
    const bool readable = survives_sigbus([&] {
        while (!found && rows->begin < rows->end) {
            const uint32 posting = rows->begin++;
            if (posting_dead(lane.shard, lane.lane->posting_base + posting)) continue;
            *out = lane.lane->row_id(posting);
            found = true;
        }
    });
    if (!readable || (found && !valid_row_id(*out))) report_unreadable(run, lane.shard);
    return found;
}

bool return_row(IndexScanDesc scan, RowId row, const double* distance) {
    ItemPointerSet(&scan->xs_heaptid, row.block, row.offset);
    scan->xs_recheck = false;
    scan->xs_recheckorderby = false;
    for (int i = 0; i < scan->numberOfOrderBys; ++i) {
        scan->xs_orderbynulls[i] = distance == nullptr;
        scan->xs_orderbyvals[i] = distance == nullptr ? Datum{0} : Float8GetDatum(*distance);
    }
    return true;
}

// A row of a length that the metric cannot compare. If it is visible and passes the query's conditions, policies among
// them, the executor computes the columns, of which what is ordered by is one: the operator raises the error that a
// sequential scan would. No recheck: the executor would do it before it looks at the conditions, so that the error
// told of rows that the query leaves out or its user must not see.
bool return_incomparable(IndexScanDesc scan, RowId row) {
    static const double lower_bound = 0;
    return return_row(scan, row, &lower_bound);
}

// The next living posting of the lanes to walk.
bool next_walk_posting(ScanRun* run, RowId* row) {
    for (; run->walk_lane < run->n_walk_lanes; run->walk_lane++, run->walk_posting = 0) {
        CHECK_FOR_INTERRUPTS();
        const OpenLane& lane = run->walk_lanes[run->walk_lane];
        LaneView::PostingRange rows{run->walk_posting, lane.lane->postings};
        const bool found = next_posting(run, lane, &rows, row);
        run->walk_posting = rows.begin;
        if (found) return true;
    }
    return false;
}

bool next_nearest(IndexScanDesc scan, ScanRun* run) {
    RowId row;
    if (next_walk_posting(run, &row)) return return_incomparable(scan, row);
    for (;;) {
        const PendingHit* pending = pending_nearest_peek(&run->pending);
        const bool incomparable = pending != nullptr && pending->incomparable;
        const bool node = !incomparable && fetch_node(run);
        if (pending != nullptr && (!node || run->node_late || pending->key < run->node_key)) {
            const PendingHit hit = *pending;
            pending_nearest_take(&run->pending);
            return incomparable ? return_incomparable(scan, hit.row) : return_row(scan, hit.row, &hit.distance);
        }
        if (!node) return false;
        if (next_posting(run, run->node_lane, &run->node_rows, &row)) return return_row(scan, row, &run->node_distance);
        run->have_node = false;
    }
}

// Reads the next page of the pending segments for the walk: the frozen ones, then the open one.
bool next_walk_page(ScanRun* run) {
    while (!pending_next_page(&run->walk_reader, run->walk_page->data)) {
        const uint32 frozen = run->manifest->header.segments;
        if (run->walk_segment > frozen) return false;
        const bool open = run->walk_segment == frozen;
        const SegmentEntry* segment = run->manifest->segments() + run->walk_segment++;
        run->walk_reader = pending_reader(run->index, run->meta, open ? run->meta.segment_id : segment->id,
                                          open ? run->meta.segment_head : segment->head);
    }
    run->walk_cursor = pending_cursor(run->walk_page->data);
    return true;
}

bool next_in_any_order(IndexScanDesc scan, ScanRun* run) {
    RowId row;
    if (next_walk_posting(run, &row)) return return_row(scan, row, nullptr);
    do {
        while (const PendingEntry* entry = pending_next_entry(run->index, run->walk_reader.block, &run->walk_cursor))
            if (!entry->dead()) return return_row(scan, entry->row.unpack(), nullptr);
    } while (next_walk_page(run));
    return false;
}

void end_run(ScanState* state) {
    if (state->run == nullptr) return;
    MemoryContext context = state->run->context;
    state->run = nullptr;
    MemoryContextDelete(context);
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
    end_run(static_cast<ScanState*>(scan->opaque));
    if (keys != nullptr && nkeys > 0) memmove(scan->keyData, keys, nkeys * sizeof(ScanKeyData));
    if (orderbys != nullptr && norderbys > 0) memmove(scan->orderByData, orderbys, norderbys * sizeof(ScanKeyData));
}

bool nphdgettuple(IndexScanDesc scan, ScanDirection direction) {
    Assert(ScanDirectionIsForward(direction));
    (void)direction;
    auto* state = static_cast<ScanState*>(scan->opaque);
    if (state->run == nullptr) state->run = start_run(scan);
    ScanRun* run = state->run;
    return run->search != nullptr ? next_nearest(scan, run) : next_in_any_order(scan, run);
}

void nphdendscan(IndexScanDesc scan) {
    auto* state = static_cast<ScanState*>(scan->opaque);
    end_run(state);
    pfree(state);
    scan->opaque = nullptr;
}

}  // namespace nphd
