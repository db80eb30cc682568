// Rows in ascending distance: a stream of nodes merged with the pending rows. Rows that the metric cannot compare with
// the query come first, rows without a code last.

#include <algorithm>

#include "src/am/run_state.hpp"
#include "src/guard.hpp"
#include "src/storage/sigbus_guard.hpp"

namespace nphd {

// The radius that bounds the search: that of the smallest ball around what is ordered by.
static double search_radius(const ScanRun* run) {
    double radius = NearestOptions{}.radius;
    for (uint32 i = 0; i < run->conditions.n_balls; ++i) {
        const Ball& ball = run->conditions.balls[i];
        if (std::ranges::equal(ball.center, run->query)) radius = std::min(radius, ball.radius);
    }
    return radius;
}

void start_ordered(ScanRun* run, const NearestOptions& given) {
    run->pending = pending_nearest(run->index, &run->meta, run->manifest->segments(), run->manifest->header.segments,
                                   &run->conditions, run->query);
    if (run->conditions.by_code) return;
    NearestOptions options = given;
    options.radius = search_radius(run);
    // Balls around something else drop nodes of the stream; that nothing is missed needs a stream that misses nothing.
    options.exact |= run->conditions.n_balls > 0;
    options.filter = run->conditions.filter;
    NearestSearch* search = &run->search->nearest;
    guarded([&] { search->reset(run->query, options); });
    for (uint32 i = 0; i < run->n_shards; ++i) {
        CachedShard* shard = run->shards[i];
        const ShardEntry& entry = run->manifest->shards()[i];
        if (!options.exact) dead_nodes_prepare(shard, entry);
        Size base = 0;
        if (run->conditions.without_code && shard->view->codeless.postings > 0)
            add_lane_rows(&run->codeless_lanes, shard, shard->view->codeless);
        if (!run->conditions.with_code) continue;
        for (const LaneView& lane : shard->view->lanes) {
            const auto dead_nodes = dead_nodes_of(shard, lane, base);
            base += dead_nodes_bytes(lane);
            if (!comparable_in(run, lane.code_bytes)) {
                add_lane_rows(&run->whole_lanes, shard, lane);
                continue;
            }
            guarded([&] {
                const auto number = search->add_lane(lane, tombstones_of(shard, entry), dead_nodes);
                run->lanes[number] = {shard, &lane, 0, {}};
                run->n_lanes = number + 1;
            });
        }
    }
}

namespace {
enum class NodeStep { more, node, end };
}  // namespace

// Inside survives_sigbus(): the next node, with the first of its rows.
static NodeStep search_step(ScanRun* run, bool* sound) {
    RowBatch* rows = &run->rows;
    rows->n = rows->next = 0;
    NodeId id = 0;
    if (run->conditions.by_code) {
        const LookUp* what;
        if (!next_look_up(run, &rows->lane, &id, &what)) return run->nodes_done ? NodeStep::end : NodeStep::more;
        run->node = {what->key, what->distance, what->incomparable, false};
    } else {
        NearestHit hit{};
        NearestSearch* search = &run->search->nearest;
        const auto step = search->step(hit);
        if (step == NearestSearch::Step::more) return NodeStep::more;
        if (step == NearestSearch::Step::end) return NodeStep::end;
        id = hit.node;
        rows->lane = &run->lanes[hit.lane];
        if (!satisfies(run->conditions, rows->lane->view->code(id))) return NodeStep::more;
        run->node = {hit.key, search->distance(hit), false, hit.late};
    }
    *sound = rows->lane->view->posting_range(id, rows->left);
    if (*sound) copy_postings(run, rows);
    return NodeStep::node;
}

// The next node, if the last one has no rows left; end when there is none.
static RunStep fetch_node(ScanRun* run) {
    while (!run->have_node && !run->nodes_done) {
        CHECK_FOR_INTERRUPTS();
        auto step = NodeStep::more;
        bool readable = false, sound = true;
        guarded([&] { readable = survives_sigbus([&] { step = search_step(run, &sound); }); });
        if (step == NodeStep::more && readable) continue;
        if (!readable) drop_search(run);
        const bool good = readable && sound && std::all_of(run->rows.rows, run->rows.rows + run->rows.n, valid_row_id);
        if (!still_there(run)) return RunStep::moved;
        if (!good) report_unreadable(run, readable ? run->rows.lane->shard : nullptr);
        run->nodes_done = step == NodeStep::end;
        run->have_node = step == NodeStep::node;
    }
    return run->have_node ? RunStep::row : RunStep::end;
}

// The next row of the node; end when there is none.
static RunStep next_row_of_node(ScanRun* run, RowId* out) {
    RowBatch* rows = &run->rows;
    while (rows->next == rows->n) {
        if (rows->left.begin >= rows->left.end) return RunStep::end;
        CHECK_FOR_INTERRUPTS();
        rows->n = rows->next = 0;
        const bool readable = survives_sigbus([&] { copy_postings(run, rows); });
        if (!still_there(run)) return RunStep::moved;
        if (!readable || !std::all_of(rows->rows, rows->rows + rows->n, valid_row_id))
            report_unreadable(run, rows->lane->shard);
    }
    *out = rows->rows[rows->next++];
    return RunStep::row;
}

// Whether the pending row comes before the node.
static bool precedes(const PendingHit& pending, const RunNode& node) {
    if (pending.place == PendingHit::codeless) return false;
    if (node.late) return true;
    const bool incomparable = pending.place == PendingHit::incomparable;
    return incomparable != node.incomparable ? incomparable : pending.key < node.key;
}

static FoundRow::Order order_of(const PendingHit& pending) {
    switch (pending.place) {
        case PendingHit::incomparable:
            return FoundRow::incomparable;
        case PendingHit::codeless:
            return FoundRow::any_order;
        default:
            return FoundRow::by_distance;
    }
}

RunStep next_ordered(ScanRun* run, FoundRow* out) {
    const RunStep whole = next_lane_row(run, &run->whole_lanes, &out->row);
    out->order = FoundRow::incomparable;
    out->recheck |= run->conditions.n_balls > 0;
    if (whole != RunStep::end) return whole;
    for (;;) {
        const PendingHit* pending;
        if (!pending_nearest_peek(&run->pending, &pending)) return RunStep::moved;
        const RunStep node = fetch_node(run);
        if (node == RunStep::moved) return node;
        if (node == RunStep::end && (pending == nullptr || pending->place == PendingHit::codeless)) {
            const RunStep codeless = next_lane_row(run, &run->codeless_lanes, &out->row);
            out->order = FoundRow::any_order;
            out->recheck = run->conditions.recheck;
            if (codeless != RunStep::end) return codeless;
        }
        if (pending != nullptr && (node == RunStep::end || precedes(*pending, run->node))) {
            out->row = pending->row;
            out->order = order_of(*pending);
            out->distance = pending->distance;
            out->recheck =
                run->conditions.recheck || (pending->place == PendingHit::incomparable && run->conditions.n_balls > 0);
            pending_nearest_take(&run->pending);
            ++run->pending_rows;
            return RunStep::row;
        }
        if (node == RunStep::end) return node;
        const RunStep row = next_row_of_node(run, &out->row);
        out->order = run->node.incomparable ? FoundRow::incomparable : FoundRow::by_distance;
        out->distance = run->node.distance;
        out->recheck = run->conditions.recheck;
        if (row != RunStep::end) return row;
        run->have_node = false;
    }
}

}  // namespace nphd
