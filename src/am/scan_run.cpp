#include "src/am/scan_run.hpp"

#include <algorithm>

#include "src/am/pending_nearest.hpp"
#include "src/am/search_options.hpp"
#include "src/faults.hpp"
#include "src/guard.hpp"
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

// Postings of a lane to hand out, some of them copied out of the mapping already.
struct Postings {
    static constexpr uint32 kMost = 64;
    OpenLane lane;
    LaneView::PostingRange left;  // not copied yet
    uint32 n, next;
    RowId rows[kMost];
};

}  // namespace

struct ScanRun {
    MemoryContext context;
    Relation index;
    MetaPage meta;
    Manifest* manifest;      // header, shards and segments only
    uint64 checked_version;  // of the manifest that was last seen to still have all shards
    Buffer meta_buffer;      // where block 0 was found last

    CachedShard** shards;
    uint32 n_shards;
    bool any_mapped;
    OpenLane* lanes;  // of the search, by the engine's lane number

    NearestSearch* search;  // null when rows come in any order
    PendingNearest pending;
    bool search_done;

    // The node whose postings are being handed out.
    bool have_node;
    DistanceKey node_key;
    bool node_late;  // comes after everything else
    double node_distance;
    Postings postings;

    // Rows without a distance: every row when they are wanted in any order, else those of lengths that the metric
    // cannot compare.
    OpenLane* walk_lanes;
    uint32 n_walk_lanes;
    uint32 walk_lane;  // the next one
    Postings walk_postings;
    uint32 walk_segment;
    PendingReader walk_reader;
    PendingCursor walk_cursor;
    PGAlignedBlock* walk_page;
};

namespace {

// One search object is kept between scans, for its buffers, unless they grew large.
NearestSearch* spare_search = nullptr;
constexpr std::size_t kMostSpareBytes = std::size_t{8} << 20;

void release_run(void* arg) {
    auto* run = static_cast<ScanRun*>(arg);
    if (run->search == nullptr) return;
    if (spare_search == nullptr && run->search->bytes_kept() <= kMostSpareBytes)
        spare_search = run->search;
    else
        delete run->search;
}

ScanRun* create_run(Relation index) {
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

// False: moved.
bool open_shards(ScanRun* run, Snapshot snapshot) {
    meta_read(run->index, &run->meta, snapshot);
    const Manifest* manifest = manifest_cached(run->index, &run->meta);
    const Size bytes = sizeof(Manifest) + manifest->header.shards * sizeof(ShardEntry) +
                       manifest->header.segments * sizeof(SegmentEntry);
    run->manifest = static_cast<Manifest*>(palloc(bytes));
    memcpy(run->manifest, manifest, bytes);
    run->checked_version = run->meta.manifest_version;

    const uint32 n = run->manifest->header.shards;
    uint32 lanes = 0;
    run->shards = static_cast<CachedShard**>(palloc(n * sizeof(CachedShard*)));
    for (uint32 i = 0; i < n; ++i) {
        CachedShard* shard = shard_acquire(run->index, run->meta, run->manifest->shards()[i]);
        if (shard == nullptr) return false;
        run->shards[run->n_shards++] = shard;
        run->any_mapped |= shard->mapped;
        lanes += static_cast<uint32>(shard->view->lanes.size());
    }
    shard_cache_sweep(run->index, run->manifest);
    run->lanes = static_cast<OpenLane*>(palloc(lanes * sizeof(OpenLane)));
    run->walk_lanes = static_cast<OpenLane*>(palloc(lanes * sizeof(OpenLane)));
    return true;
}

// Whether what was read of the shards until now is what they held when they were live. Reading block 0 under its lock
// is the barrier between the two.
bool still_there(ScanRun* run) {
    NPHD_FAULT("scan.searched");
#ifdef NPHD_NO_REUSE_CHECK
    // A control: what test/faults/130 then sees shows that it is able to fail.
    return true;
#endif
    if (!run->any_mapped) return true;
    if (meta_manifest_version(run->index, &run->meta_buffer) == run->checked_version) return true;
    MetaPage now;
    meta_read(run->index, &now);
    const Manifest* manifest = manifest_cached(run->index, &now);
    for (uint32 i = 0; i < run->n_shards; ++i)
        if (run->shards[i]->mapped && !manifest_still_has(manifest, run->manifest->shards()[i])) return false;
    run->checked_version = now.manifest_version;
    return true;
}

void start_search(ScanRun* run, CodeBytes query) {
    const auto metric = static_cast<Metric>(run->meta.options.metric);
    const NearestOptions options = search_options(run->index, metric);

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
    run->walk_page = static_cast<PGAlignedBlock*>(palloc0(sizeof(PGAlignedBlock)));
    reinterpret_cast<PageHeader>(run->walk_page->data)->pd_lower = kPendingDataOffset;
    run->walk_cursor = pending_cursor(run->walk_page->data);
    run->walk_reader = pending_reader(run->index, run->meta, 0, InvalidBlockNumber);
}

[[noreturn]] void report_unreadable(ScanRun* run, const CachedShard* shard) {
    BlockNumber block = InvalidBlockNumber;
    for (uint32 i = 0; i < run->n_shards; ++i)
        if (shard == nullptr || run->shards[i] == shard) {
            block = run->manifest->shards()[i].block(0);
            break;
        }
    report_damage(run->index, block, "a shard that cannot be read");
}

// The jump out of the engine left its buffers in an unknown state.
void drop_search(ScanRun* run) {
    NearestSearch* broken = run->search;
    run->search = nullptr;
    delete broken;
}

// Copies further living postings out of the mapping; false when the shard cannot be read.
bool copy_postings(Postings* p) {
    p->n = p->next = 0;
    const bool readable = survives_sigbus([&] {
        while (p->n < Postings::kMost && p->left.begin < p->left.end) {
            const uint32 posting = p->left.begin++;
            if (posting_dead(p->lane.shard, p->lane.lane->posting_base + posting)) continue;
            p->rows[p->n++] = p->lane.lane->row_id(posting);
        }
    });
    return readable && std::all_of(p->rows, p->rows + p->n, valid_row_id);
}

// The next posting; end when there is none.
RunStep next_posting(ScanRun* run, Postings* p, RowId* out) {
    while (p->next == p->n) {
        if (p->left.begin >= p->left.end) return RunStep::end;
        CHECK_FOR_INTERRUPTS();
        const bool good = copy_postings(p);
        if (!still_there(run)) return RunStep::moved;
        if (!good) report_unreadable(run, p->lane.shard);
    }
    *out = p->rows[p->next++];
    return RunStep::row;
}

// Asks the engine for its next node, with the first of its postings; end when there is none.
RunStep fetch_node(ScanRun* run) {
    while (!run->have_node && !run->search_done) {
        CHECK_FOR_INTERRUPTS();
        NearestHit hit{};
        auto step = NearestSearch::Step::more;
        bool readable = false, sound = true;
        guarded([&] {
            readable = survives_sigbus([&] {
                step = run->search->step(hit);
                if (step != NearestSearch::Step::hit) return;
                run->postings.lane = run->lanes[hit.lane];
                run->node_distance = run->search->distance(hit);
                sound = run->postings.lane.lane->posting_range(hit.node, run->postings.left);
            });
        });
        if (step == NearestSearch::Step::more && readable) continue;
        if (!readable) drop_search(run);
        const bool good = readable && sound && (step != NearestSearch::Step::hit || copy_postings(&run->postings));
        if (!still_there(run)) return RunStep::moved;
        if (!good) report_unreadable(run, readable ? run->postings.lane.shard : nullptr);
        run->search_done = step == NearestSearch::Step::end;
        run->have_node = step == NearestSearch::Step::hit;
        run->node_key = hit.key;
        run->node_late = hit.late;
    }
    return run->have_node ? RunStep::row : RunStep::end;
}

// The next living posting of the lanes to walk.
RunStep next_walk_posting(ScanRun* run, RowId* out) {
    for (;;) {
        const RunStep step = next_posting(run, &run->walk_postings, out);
        if (step != RunStep::end || run->walk_lane == run->n_walk_lanes) return step;
        const OpenLane& lane = run->walk_lanes[run->walk_lane++];
        run->walk_postings.lane = lane;
        run->walk_postings.left = {0, lane.lane->postings};
    }
}

RunStep next_nearest(ScanRun* run, FoundRow* out) {
    const RunStep walked = next_walk_posting(run, &out->row);
    out->order = FoundRow::incomparable;
    if (walked != RunStep::end) return walked;
    for (;;) {
        const PendingHit* pending;
        if (!pending_nearest_peek(&run->pending, &pending)) return RunStep::moved;
        const bool incomparable = pending != nullptr && pending->incomparable;
        const RunStep node = incomparable ? RunStep::end : fetch_node(run);
        if (node == RunStep::moved) return node;
        if (pending != nullptr && (node == RunStep::end || run->node_late || pending->key < run->node_key)) {
            *out = {pending->row, incomparable ? FoundRow::incomparable : FoundRow::by_distance, pending->distance};
            pending_nearest_take(&run->pending);
            return RunStep::row;
        }
        if (node == RunStep::end) return node;
        const RunStep posting = next_posting(run, &run->postings, &out->row);
        out->order = FoundRow::by_distance;
        out->distance = run->node_distance;
        if (posting != RunStep::end) return posting;
        run->have_node = false;
    }
}

// Reads the next page of the pending segments for the walk: the frozen ones, then the open one.
RunStep next_walk_page(ScanRun* run) {
    for (;;) {
        const PageRead read = pending_next_page(&run->walk_reader, run->walk_page->data);
        if (read == PageRead::moved) return RunStep::moved;
        if (read == PageRead::page) break;
        const uint32 frozen = run->manifest->header.segments;
        if (run->walk_segment > frozen) return RunStep::end;
        const bool open = run->walk_segment == frozen;
        const SegmentEntry* segment = run->manifest->segments() + run->walk_segment++;
        run->walk_reader = pending_reader(run->index, run->meta, open ? run->meta.segment_id : segment->id,
                                          open ? run->meta.segment_head : segment->head);
    }
    run->walk_cursor = pending_cursor(run->walk_page->data);
    return RunStep::row;
}

RunStep next_in_any_order(ScanRun* run, FoundRow* out) {
    out->order = FoundRow::any_order;
    const RunStep walked = next_walk_posting(run, &out->row);
    if (walked != RunStep::end) return walked;
    for (;;) {
        while (const PendingEntry* entry = pending_next_entry(run->index, run->walk_reader.block, &run->walk_cursor)) {
            if (entry->dead()) continue;
            out->row = entry->row.unpack();
            return RunStep::row;
        }
        const RunStep page = next_walk_page(run);
        if (page != RunStep::row) return page;
    }
}

}  // namespace

ScanRun* scan_run_start(IndexScanDesc scan) {
    ScanRun* run = create_run(scan->indexRelation);
    MemoryContext caller = MemoryContextSwitchTo(run->context);
    const bool there = open_shards(run, scan->xs_snapshot);
    if (!there) {
        MemoryContextSwitchTo(caller);
        scan_run_end(run);
        return nullptr;
    }
    // A NULL query, or none: every distance is NULL, any order will do.
    if (scan->numberOfOrderBys == 0 || (scan->orderByData[0].sk_flags & SK_ISNULL) != 0) {
        start_walk(run);
    } else {
        const CodeBytes query = bytes_of(DatumGetByteaPCopy(scan->orderByData[0].sk_argument));
        start_search(run, query);
    }
    MemoryContextSwitchTo(caller);
    return run;
}

RunStep scan_run_next(ScanRun* run, FoundRow* out) {
    MemoryContext caller = MemoryContextSwitchTo(run->context);
    const RunStep step = run->walk_page == nullptr ? next_nearest(run, out) : next_in_any_order(run, out);
    MemoryContextSwitchTo(caller);
    return step;
}

void scan_run_end(ScanRun* run) { MemoryContextDelete(run->context); }

}  // namespace nphd
