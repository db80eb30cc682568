// Rows as they come: what equality or a radius finds in the shards, or everything, then the pending rows.

#include <algorithm>

#include "src/am/run_state.hpp"
#include "src/guard.hpp"
#include "src/storage/sigbus_guard.hpp"

namespace nphd {

void start_unordered(ScanRun* run) {
    if (run->conditions.n_balls > 0) {
        const Ball& smallest = run->conditions.balls[0];
        guarded([&] {
            run->search->within.reset(smallest.center, run->metric, smallest.radius, run->conditions.filter);
            run->search->hits.clear();
            run->search->next_hit = 0;
        });
    }
    for (uint32 i = 0; i < run->n_shards && !run->conditions.by_code; ++i) {
        CachedShard* shard = run->shards[i];
        if (run->conditions.without_code && shard->view->codeless.postings > 0)
            add_lane_rows(&run->whole_lanes, shard, shard->view->codeless);
        for (const LaneView& lane : shard->view->lanes) {
            if (!run->conditions.with_code) continue;
            if (run->conditions.n_balls == 0 || !comparable_in(run, lane.code_bytes)) {
                add_lane_rows(&run->whole_lanes, shard, lane);
                continue;
            }
            guarded([&] {
                const auto number =
                    run->search->within.add_lane(lane, tombstones_of(shard, run->manifest->shards()[i]));
                run->lanes[number] = {shard, &lane, 0, {}};
                run->n_lanes = number + 1;
            });
        }
    }
    run->nodes_done = !run->conditions.on_code();
    // An empty page and a reader at its end: the pending rows begin with the first segment.
    run->page = static_cast<PGAlignedBlock*>(palloc0(sizeof(PGAlignedBlock)));
    reinterpret_cast<PageHeader>(run->page->data)->pd_lower = kPendingDataOffset;
    run->reader = pending_reader(run->index, run->meta, 0, InvalidBlockNumber);
    run->cursor = pending_cursor(run->reader, run->page->data);
}

// Inside survives_sigbus(): the next node; false: none at the moment, and at all if nodes_done.
static bool next_node(ScanRun* run, NodeId* node) {
    if (run->conditions.by_code) {
        const LookUp* what;
        return next_look_up(run, &run->rows.lane, node, &what);
    }
    EngineSearch* search = run->search;
    if (search->next_hit == search->hits.size()) {
        search->next_hit = 0;
        run->nodes_done = !search->within.step(search->hits);
        if (search->hits.empty()) return false;
    }
    const WithinHit hit = search->hits[search->next_hit++];
    run->rows.lane = &run->lanes[hit.lane];
    *node = hit.node;
    return true;
}

// Inside survives_sigbus(): rows of as many nodes as there is room for. False: damage.
static bool collect_rows(ScanRun* run) {
    RowBatch* rows = &run->rows;
    rows->n = rows->next = 0;
    for (;;) {
        copy_postings(run, rows);
        if (rows->n == RowBatch::kMost || rows->left.begin < rows->left.end) return true;
        NodeId node = 0;
        if (!next_node(run, &node)) return true;
        const LaneView* lane = rows->lane->view;
        if (run->conditions.n_balls > 1 && !satisfies(run->conditions, lane->code(node))) continue;
        if (!lane->posting_range(node, rows->left)) return false;
    }
}

// The next row of a node; end when there is none.
static RunStep next_row(ScanRun* run, RowId* out) {
    RowBatch* rows = &run->rows;
    while (rows->next == rows->n) {
        if (run->nodes_done && rows->left.begin >= rows->left.end) return RunStep::end;
        CHECK_FOR_INTERRUPTS();
        bool readable = false, sound = true;
        guarded([&] { readable = survives_sigbus([&] { sound = collect_rows(run); }); });
        if (!readable && run->search != nullptr) drop_search(run);
        const bool good = readable && sound && std::all_of(rows->rows, rows->rows + rows->n, valid_row_id);
        if (!still_there(run)) return RunStep::moved;
        if (!good) report_unreadable(run, readable ? rows->lane->shard : nullptr);
    }
    *out = rows->rows[rows->next++];
    return RunStep::row;
}

// Reads the next page of the pending segments: the frozen ones, then the open one.
static RunStep next_page(ScanRun* run) {
    for (;;) {
        const PageRead read = pending_next_page(&run->reader, run->page->data);
        if (read == PageRead::moved) return RunStep::moved;
        if (read == PageRead::page) break;
        const uint32 frozen = run->manifest->header.segments;
        if (run->segment > frozen) return RunStep::end;
        const bool open = run->segment == frozen;
        const SegmentEntry* segment = run->manifest->segments() + run->segment++;
        run->reader = pending_reader(run->index, run->meta, open ? run->meta.segment_id : segment->id,
                                     open ? run->meta.segment_head : segment->head);
    }
    run->cursor = pending_cursor(run->reader, run->page->data);
    return RunStep::row;
}

RunStep next_unordered(ScanRun* run, FoundRow* out) {
    out->order = FoundRow::any_order;
    const RunStep whole = next_lane_row(run, &run->whole_lanes, &out->row);
    if (whole != RunStep::end) {
        out->recheck |= run->conditions.n_balls > 0;
        return whole;
    }
    const RunStep found = next_row(run, &out->row);
    if (found != RunStep::end) return found;
    for (;;) {
        while (const PendingEntry* entry = pending_next_entry(run->index, run->reader.block, &run->cursor)) {
            if (entry->dead() || !satisfies_filter(run->conditions, entry->filters())) continue;
            if (!(entry->codeless() ? run->conditions.without_code : run->conditions.with_code)) continue;
            const bool incomparable = !entry->codeless() && !comparable_in(run, entry->code_bytes());
            if (!incomparable && run->conditions.on_code() &&
                !satisfies(run->conditions, pending_row(run->cursor, *entry).code))
                continue;
            out->row = entry->row.unpack();
            out->recheck |= incomparable;
            ++run->pending_rows;
            return RunStep::row;
        }
        const RunStep page = next_page(run);
        if (page != RunStep::row) return page;
    }
}

}  // namespace nphd
