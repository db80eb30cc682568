#include "src/pairs/pair_run.hpp"

#include <algorithm>

#include "src/am/run_state.hpp"
#include "src/guard.hpp"
#include "src/inspect/index_checks.hpp"
#include "src/storage/sigbus_guard.hpp"
#include "src/type/ball.hpp"

#include "engine/shard/plain_lanes.hpp"

namespace nphd {

namespace {

struct PairLane {
    CachedShard* shard;  // null: pending rows
    const LaneView* view;
};

struct PairEngine {
    PairSearch search;
    PlainLanes pending;
    std::vector<NodePair> pairs;
};

}  // namespace

struct PairRun {
    MemoryContext context;
    OpenIndex open;
    PairEngine* engine;
    PairLane* lanes;  // by the engine's numbers
    uint32 n_lanes;
    bool done;
};

PairQuestion ask_pairs(Oid index, double radius) {
    PairQuestion question{};
    static_cast<IndexedTable&>(question) = open_indexed_table(index, "Join the table with itself by a radius instead.");
    question.radius = radius;
    question.snapshot = GetActiveSnapshot();
    PredicateLockRelation(question.index, question.snapshot);
    pgstat_count_index_scan(question.index);
    MetaPage meta;
    meta_read(question.index, &meta);
    check_radius(static_cast<Metric>(meta.options.metric), radius);
    return question;
}

void count_restart(const PairQuestion& question, int* restarts) {
    CHECK_FOR_INTERRUPTS();
    if (++*restarts > kMostRestarts)
        ereport(ERROR, (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
                        errmsg("parts of index \"%s\" were moved while they were read",
                               RelationGetRelationName(question.index)),
                        errhint("Try again while less maintenance is going on.")));
}

static void release_engine(void* arg) { delete static_cast<PairRun*>(arg)->engine; }

static PairRun* create_run(Relation index) {
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd pairs", ALLOCSET_DEFAULT_SIZES);
    auto* run = static_cast<PairRun*>(MemoryContextAllocZero(context, sizeof(PairRun)));
    run->context = context;
    run->open.index = index;
    auto* callback = static_cast<MemoryContextCallback*>(MemoryContextAlloc(context, sizeof(MemoryContextCallback)));
    callback->func = release_engine;
    callback->arg = run;
    MemoryContextRegisterResetCallback(context, callback);
    guarded([&] { run->engine = new PairEngine; });
    return run;
}

static void require_memory(const PairRun* run) {
    if (run->engine->pending.bytes() <= static_cast<Size>(maintenance_work_mem) * 1024) return;
    ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                    errmsg("the pending rows of index \"%s\" do not fit into maintenance_work_mem",
                           RelationGetRelationName(run->open.index)),
                    errhint("nphd_compact() makes a shard of them.")));
}

// False: moved.
static bool load_segment(PairRun* run, uint64 id, BlockNumber head, char* page) {
    PendingReader reader = pending_reader(run->open.index, run->open.meta, id, head);
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        const PageRead read = pending_next_page(&reader, page);
        if (read != PageRead::page) return read == PageRead::end;
        PendingCursor cursor = pending_cursor(reader, page);
        while (const PendingEntry* entry = pending_next_entry(run->open.index, reader.block, &cursor))
            if (!entry->dead() && !entry->codeless())
                guarded([&] { run->engine->pending.add(pending_row(cursor, *entry).code, entry->row.unpack()); });
        require_memory(run);
    }
}

// False: moved.
static bool load_pending(PairRun* run) {
    const OpenIndex& open = run->open;
    PGAlignedBlock page;
    for (uint32 i = 0; i < open.manifest->header.segments; ++i) {
        const SegmentEntry& segment = open.manifest->segments()[i];
        if (!load_segment(run, segment.id, segment.head, page.data)) return false;
    }
    if (!load_segment(run, open.meta.segment_id, open.meta.segment_head, page.data)) return false;
    guarded([&] { run->engine->pending.seal(); });
    return true;
}

static void add_lane(PairRun* run, CachedShard* shard, const LaneView* view, std::span<const std::uint8_t> dead) {
    guarded([&] { run->engine->search.add_lane(*view, dead); });
    run->lanes[run->n_lanes++] = {shard, view};
}

// The younger of two lanes owns their pairs, so that who has done the older shards finds all further pairs in those
// that came since.
static void add_lanes(PairRun* run, const PairQuestion& question) {
    OpenIndex* open = &run->open;
    Size lanes = run->engine->pending.lanes().size();
    auto* order = static_cast<uint32*>(palloc(sizeof(uint32) * (open->n_shards + 1)));
    for (uint32 i = 0; i < open->n_shards; ++i) {
        lanes += open->shards[i]->view->lanes.size();
        order[i] = i;
    }
    std::sort(order, order + open->n_shards,
              [&](uint32 a, uint32 b) { return open->shards[a]->generation < open->shards[b]->generation; });
    run->lanes = static_cast<PairLane*>(MemoryContextAllocHuge(run->context, sizeof(PairLane) * (lanes + 1)));
    bool found = !question.one_shard || question.shard == kPendingShard;
    uint32 begin = 0, end = 0;
    for (uint32 i = 0; i < open->n_shards; ++i) {
        CachedShard* shard = open->shards[order[i]];
        const bool wanted = question.one_shard && shard->generation == question.shard;
        if (wanted) begin = run->n_lanes;
        for (const LaneView& view : shard->view->lanes)
            add_lane(run, shard, &view, tombstones_of(shard, open->manifest->shards()[order[i]]));
        if (wanted) end = run->n_lanes;
        found |= wanted;
    }
    if (!found)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                        errmsg("index \"%s\" has no shard " INT64_FORMAT, RelationGetRelationName(open->index),
                               static_cast<int64>(question.shard)),
                        errhint("nphd_index_lanes shows the shards; maintenance makes new ones of old ones.")));
    if (question.one_shard && question.shard == kPendingShard) begin = run->n_lanes;
    for (const LaneView& view : run->engine->pending.lanes()) add_lane(run, nullptr, &view, {});
    if (!question.one_shard || question.shard == kPendingShard) end = run->n_lanes;
    run->engine->search.restrict_to(begin, end);
}

PairRun* pair_run_start(const PairQuestion& question) {
    PairRun* run = create_run(question.index);
    MemoryContext caller = MemoryContextSwitchTo(run->context);
    bool there = open_index(&run->open, question.snapshot, ReadPattern::on_and_on);
    if (there) {
        guarded(
            [&] { run->engine->search.reset(static_cast<Metric>(run->open.meta.options.metric), question.radius); });
        if (!question.one_shard || question.shard == kPendingShard) there = load_pending(run);
    }
    if (there) add_lanes(run, question);
    MemoryContextSwitchTo(caller);
    if (there) return run;
    pair_run_end(run);
    return nullptr;
}

void pair_run_end(PairRun* run) { MemoryContextDelete(run->context); }

PairStep pair_run_step(PairRun* run, const NodePair** pairs, Size* n) {
    CHECK_FOR_INTERRUPTS();
    if (run->done) return PairStep::end;
    PairEngine* engine = run->engine;
    bool readable = false;
    guarded([&] { readable = survives_sigbus([&] { run->done = !engine->search.step(engine->pairs); }); });
    if (!still_there(&run->open)) return PairStep::moved;
    if (!readable) report_unreadable(&run->open, nullptr);
    *pairs = engine->pairs.data();
    *n = engine->pairs.size();
    return PairStep::pairs;
}

void node_rows_begin(NodeRows* rows, PairRun* run, uint32 lane, NodeId node, uint32 from) {
    rows->run = run;
    rows->lane = lane;
    rows->n = rows->next = 0;
    LaneView::PostingRange range{};
    bool sound = false;
    const LaneView* view = run->lanes[lane].view;
    const bool readable = survives_sigbus([&] { sound = view->posting_range(node, range); });
    // Damage is for the next call to report, which looks first whether the shard is still there.
    if (!readable || !sound) range = {1, 0};
    rows->next_posting = Max(range.begin, from);
    rows->end = range.end;
}

// Inside survives_sigbus().
static void copy_rows(NodeRows* rows) {
    const PairLane lane = rows->run->lanes[rows->lane];
    rows->n = rows->next = 0;
    while (rows->n < NodeRows::kMost && rows->next_posting < rows->end) {
        const uint32 posting = rows->next_posting++;
        if (lane.shard != nullptr && posting_dead(lane.shard, lane.view->posting_base + posting)) continue;
        rows->postings[rows->n] = posting;
        rows->rows[rows->n++] = lane.view->row_id(posting);
    }
}

RowStep node_rows_next(NodeRows* rows, RowId* row) {
    while (rows->next == rows->n) {
        if (rows->next_posting == rows->end) return RowStep::end;
        CHECK_FOR_INTERRUPTS();
        bool readable = rows->next_posting < rows->end;
        if (readable) readable = survives_sigbus([&] { copy_rows(rows); });
        PairRun* run = rows->run;
        if (!still_there(&run->open)) return RowStep::moved;
        if (!readable || !std::all_of(rows->rows, rows->rows + rows->n, valid_row_id))
            report_unreadable(&run->open, run->lanes[rows->lane].shard);
    }
    *row = rows->rows[rows->next++];
    return RowStep::row;
}

}  // namespace nphd
