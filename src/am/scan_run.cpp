#include "src/am/scan_run.hpp"

#include <algorithm>

#include "src/am/last_scan.hpp"
#include "src/am/run_state.hpp"
#include "src/am/search_options.hpp"
#include "src/faults.hpp"
#include "src/guard.hpp"
#include "src/storage/sigbus_guard.hpp"
#include "src/type/bitvec.hpp"

#include "engine/search/code_lookup.hpp"

namespace nphd {

// One is kept between scans, unless its buffers grew large.
static EngineSearch* spare_search = nullptr;
static constexpr std::size_t kMostSpareBytes = std::size_t{8} << 20;

static void release_run(void* arg) {
    auto* run = static_cast<ScanRun*>(arg);
    EngineSearch* search = run->search;
    if (search == nullptr) return;
    const std::size_t kept =
        search->nearest.bytes_kept() + search->within.bytes_kept() + search->hits.capacity() * sizeof(WithinHit);
    if (spare_search == nullptr && kept <= kMostSpareBytes)
        spare_search = search;
    else
        delete search;
}

static ScanRun* create_run(Relation index) {
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd scan run", ALLOCSET_DEFAULT_SIZES);
    auto* run = static_cast<ScanRun*>(MemoryContextAllocZero(context, sizeof(ScanRun)));
    run->context = context;
    run->index = index;
    auto* callback = static_cast<MemoryContextCallback*>(MemoryContextAlloc(context, sizeof(MemoryContextCallback)));
    callback->func = release_run;
    callback->arg = run;
    MemoryContextRegisterResetCallback(context, callback);
    return run;
}

bool open_index(OpenIndex* open, Snapshot snapshot, ReadPattern pattern) {
    meta_read(open->index, &open->meta, snapshot);
    const Manifest* manifest = manifest_cached(open->index, &open->meta);
    const Size bytes = sizeof(Manifest) + manifest->header.shards * sizeof(ShardEntry) +
                       manifest->header.segments * sizeof(SegmentEntry);
    open->manifest = static_cast<Manifest*>(palloc(bytes));
    memcpy(open->manifest, manifest, bytes);
    open->checked_version = open->meta.manifest_version;

    const uint32 n = open->manifest->header.shards;
    open->shards = static_cast<CachedShard**>(palloc(n * sizeof(CachedShard*)));
    for (uint32 i = 0; i < n; ++i) {
        CachedShard* shard = shard_acquire(open->index, open->meta, open->manifest->shards()[i], pattern);
        if (shard == nullptr) return false;
        open->shards[open->n_shards++] = shard;
        open->any_mapped |= shard->mapped;
    }
    shard_cache_sweep(open->index, open->manifest);
    return true;
}

// Reading block 0 under its lock is the barrier between what was read before and what is done with it.
bool still_there(OpenIndex* open) {
    NPHD_FAULT("scan.searched");
#ifdef NPHD_NO_REUSE_CHECK
    // A control: what test/faults/130 then sees shows that it is able to fail.
    return true;
#endif
    if (!open->any_mapped) return true;
    if (meta_manifest_version(open->index, &open->meta_buffer) == open->checked_version) return true;
    MetaPage now;
    meta_read(open->index, &now);
    const Manifest* manifest = manifest_cached(open->index, &now);
    for (uint32 i = 0; i < open->n_shards; ++i)
        if (open->shards[i]->mapped && !manifest_still_has(manifest, open->manifest->shards()[i])) return false;
    open->checked_version = now.manifest_version;
    return true;
}

void report_unreadable(const OpenIndex* open, const CachedShard* shard) {
    BlockNumber block = InvalidBlockNumber;
    for (uint32 i = 0; i < open->n_shards; ++i)
        if (shard == nullptr || open->shards[i] == shard) {
            block = open->manifest->shards()[i].block(0);
            break;
        }
    report_damage(open->index, block, "a shard that cannot be read");
}

void drop_search(ScanRun* run) {
    EngineSearch* broken = run->search;
    run->search = nullptr;
    delete broken;
}

bool next_look_up(ScanRun* run, OpenLane** lane, NodeId* node, const LookUp** what) {
    // Some milliseconds at most: a list may be long, and nothing of it be there.
    static constexpr uint32 kMostSteps = 4096;
    uint32 steps = 0;
    for (; run->look_up < run->n_look_ups; ++run->look_up, run->look_up_lane = 0) {
        *what = &run->look_ups[run->look_up];
        while (run->look_up_lane < run->n_lanes) {
            if (++steps > kMostSteps) return false;
            *lane = &run->lanes[run->look_up_lane++];
            if ((*lane)->view->code_bytes != (*what)->code.size()) continue;
            (*lane)->account.way = LaneAccount::look_up;
            *node = find_code(*(*lane)->view, (*what)->code);
            if (*node != kNoNode) return true;
        }
    }
    run->nodes_done = true;
    return false;
}

void copy_postings(const ScanRun* run, RowBatch* batch) {
    // A code may have millions of rows, and the filter let none of them pass.
    static constexpr uint32 kMostSteps = 65536;
    const ScanConditions& conditions = run->conditions;
    // Before the first node there is no lane either.
    for (uint32 steps = 0; steps < kMostSteps && batch->n < RowBatch::kMost && batch->left.begin < batch->left.end;
         ++steps) {
        const LaneView& lane = *batch->lane->view;
        const uint32 posting = batch->left.begin++;
        if (posting_dead(batch->lane->shard, lane.posting_base + posting)) continue;
        if (conditions.on_filters() && !conditions.filter.matches(lane, posting)) continue;
        batch->rows[batch->n++] = lane.row_id(posting);
        ++batch->lane->rows;
    }
}

void add_lane_rows(LaneRows* to, CachedShard* shard, const LaneView& lane) {
    to->lanes[to->n++] = {shard, &lane, 0, {}};
}

// Inside survives_sigbus(): begins with the next lane.
static void begin_lane(const ScanRun* run, LaneRows* from) {
    OpenLane* lane = &from->lanes[from->next++];
    from->rows.lane = lane;
    from->postings.start(*lane->view, run->conditions.filter);
    if (run->conditions.on_filters())
        lane->account.way = from->postings.by_value() ? LaneAccount::look_up : LaneAccount::scan;
}

// Inside survives_sigbus(): living rows of one lane; none: none until now, and at all if exhausted.
static void collect_lane_rows(const ScanRun* run, LaneRows* from) {
    static constexpr int kMostSteps = 1024;
    RowBatch* batch = &from->rows;
    batch->n = batch->next = 0;
    for (int step = 0; step < kMostSteps && batch->n == 0; ++step) {
        if (batch->lane == nullptr || from->postings.done()) {
            from->exhausted = from->next == from->n;
            if (from->exhausted) return;
            begin_lane(run, from);
        }
        uint32 postings[RowBatch::kMost];
        const uint32 n = from->postings.next(RowBatch::kMost, postings);
        for (uint32 i = 0; i < n; ++i)
            if (!posting_dead(batch->lane->shard, batch->lane->view->posting_base + postings[i]))
                batch->rows[batch->n++] = batch->lane->view->row_id(postings[i]);
    }
    batch->lane->rows += batch->n;
}

RunStep next_lane_row(ScanRun* run, LaneRows* from, RowId* out) {
    RowBatch* batch = &from->rows;
    while (batch->next == batch->n) {
        if (from->exhausted || from->n == 0) return RunStep::end;
        CHECK_FOR_INTERRUPTS();
        const bool readable = survives_sigbus([&] { collect_lane_rows(run, from); });
        if (!still_there(run)) return RunStep::moved;
        if (!readable || !std::all_of(batch->rows, batch->rows + batch->n, valid_row_id))
            report_unreadable(run, batch->lane->shard);
    }
    *out = batch->rows[batch->next++];
    return RunStep::row;
}

static void take_search(ScanRun* run) {
    run->search = spare_search;
    spare_search = nullptr;
    if (run->search == nullptr) guarded([&] { run->search = new EngineSearch; });
}

static void list_look_ups(ScanRun* run) {
    const ScanConditions& conditions = run->conditions;
    run->n_look_ups = conditions.n_codes;
    run->look_ups = static_cast<LookUp*>(palloc0(sizeof(LookUp) * Max(conditions.n_codes, 1)));
    for (uint32 i = 0; i < conditions.n_codes; ++i) {
        LookUp& what = run->look_ups[i];
        what.code = conditions.codes[i];
        if (!run->ordered) continue;
        what.incomparable = !comparable(run->metric, what.code.size(), run->query.size());
        if (what.incomparable) continue;
        what.key = distance_key(run->metric, what.code, run->query);
        what.distance = distance(run->metric, what.code, run->query);
    }
    std::sort(run->look_ups, run->look_ups + run->n_look_ups, [](const LookUp& a, const LookUp& b) {
        return a.incomparable != b.incomparable ? a.incomparable : a.key < b.key;
    });
    for (uint32 i = 0; i < run->n_shards; ++i)
        for (const LaneView& lane : run->shards[i]->view->lanes)
            run->lanes[run->n_lanes++] = {run->shards[i], &lane, 0, {}};
}

ScanRun* scan_run_start(IndexScanDesc scan) {
    ScanRun* run = create_run(scan->indexRelation);
    MemoryContext caller = MemoryContextSwitchTo(run->context);
    const bool there = open_index(run, scan->xs_snapshot, ReadPattern::jumps);
    if (!there) {
        MemoryContextSwitchTo(caller);
        scan_run_end(run);
        return nullptr;
    }
    Size lanes = 0;
    for (uint32 i = 0; i < run->n_shards; ++i) lanes += run->shards[i]->view->lanes.size();
    run->lanes = static_cast<OpenLane*>(palloc(lanes * sizeof(OpenLane)));
    run->whole_lanes.lanes = static_cast<OpenLane*>(palloc((lanes + run->n_shards) * sizeof(OpenLane)));
    run->codeless_lanes.lanes = static_cast<OpenLane*>(palloc(run->n_shards * sizeof(OpenLane)));
    run->metric = static_cast<Metric>(run->meta.options.metric);
    run->conditions = scan_conditions(scan, run->metric, run->meta.options.filters);
    // Under a NULL query every distance is NULL: any order will do.
    run->ordered = scan->numberOfOrderBys > 0 && (scan->orderByData[0].sk_flags & SK_ISNULL) == 0;
    if (run->ordered) run->query = bytes_of(DatumGetByteaPCopy(scan->orderByData[0].sk_argument));
    if (!run->conditions.impossible) {
        if (run->conditions.by_code) list_look_ups(run);
        if (!run->conditions.by_code && (run->ordered || run->conditions.on_code())) take_search(run);
        if (run->ordered)
            start_ordered(run, search_options(run->index, run->metric));
        else
            start_unordered(run);
    }
    MemoryContextSwitchTo(caller);
    return run;
}

RunStep scan_run_next(ScanRun* run, FoundRow* out) {
    if (run->conditions.impossible) return RunStep::end;
    MemoryContext caller = MemoryContextSwitchTo(run->context);
    *out = {};
    out->recheck = run->conditions.recheck;
    const RunStep step = run->ordered ? next_ordered(run, out) : next_unordered(run, out);
    MemoryContextSwitchTo(caller);
    return step;
}

static LaneAccount account_of(const ScanRun* run, uint32 lane) {
    if (run->conditions.by_code) return run->lanes[lane].account;
    if (run->search == nullptr) return {};
    return run->ordered ? run->search->nearest.account(lane) : run->search->within.account(lane);
}

static void record_lane(const OpenLane& lane, const LaneAccount& account) {
    const bool codeless = lane.view == &lane.shard->view->codeless;
    last_scan_add({lane.shard->generation, codeless, lane.view->code_bytes, lane.rows, account});
}

static void record(const ScanRun* run) {
    last_scan_begin(RelationGetRelid(run->index), run->pending_rows);
    for (uint32 i = 0; i < run->n_lanes; ++i) record_lane(run->lanes[i], account_of(run, i));
    for (const LaneRows* rows : {&run->whole_lanes, &run->codeless_lanes})
        for (uint32 i = 0; i < rows->n; ++i) record_lane(rows->lanes[i], rows->lanes[i].account);
}

static void add_account(const LaneRows& rows, ScanAccount* sum) {
    for (uint32 i = 0; i < rows.next; ++i) {
        const OpenLane& lane = rows.lanes[i];
        if (lane.account.way == LaneAccount::nothing)
            ++sum->whole_lanes;
        else
            ++sum->lanes[lane.account.way];
        sum->shard_rows += lane.rows;
    }
}

void scan_run_account(const ScanRun* run, ScanAccount* sum) {
    ++sum->runs;
    for (uint32 i = 0; i < run->n_lanes; ++i) {
        const LaneAccount account = account_of(run, i);
        ++sum->lanes[account.way];
        sum->distances += account.distances;
        sum->expanded += account.expanded;
        sum->shard_rows += run->lanes[i].rows;
    }
    add_account(run->whole_lanes, sum);
    add_account(run->codeless_lanes, sum);
    sum->pending_rows += run->pending_rows;
}

void scan_run_end(ScanRun* run) {
    record(run);
    MemoryContextDelete(run->context);
}

}  // namespace nphd
