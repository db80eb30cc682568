#include "src/am/explain.hpp"

#include "src/am/am.hpp"
#include "src/am/scan_run.hpp"

namespace nphd {

#if NPHD_HAS_EXPLAIN_HOOK

static explain_per_node_hook_type previous_hook = nullptr;

// The scan of a node that has one by an index of ours. *scan is null if it was never begun.
static bool is_our_scan(PlanState* node, IndexScanDesc* scan) {
    Relation index = nullptr;
    if (IsA(node, IndexScanState)) {
        index = castNode(IndexScanState, node)->iss_RelationDesc;
        *scan = castNode(IndexScanState, node)->iss_ScanDesc;
    } else if (IsA(node, BitmapIndexScanState)) {
        index = castNode(BitmapIndexScanState, node)->biss_RelationDesc;
        *scan = castNode(BitmapIndexScanState, node)->biss_ScanDesc;
    }
    return index != nullptr && index->rd_indam != nullptr && index->rd_indam->amgettuple == nphdgettuple;
}

static void append_lanes(StringInfo line, uint64 lanes, const char* what) {
    if (lanes == 0) return;
    const char* unit = line->len > 0 ? "" : lanes == 1 ? " lane" : " lanes";
    appendStringInfo(line, "%s" UINT64_FORMAT "%s %s", line->len > 0 ? ", " : "", lanes, unit, what);
}

static void show_line(const ScanAccount& account, ExplainState* es) {
    if (account.runs == 0) return;
    StringInfoData line;
    initStringInfo(&line);
    append_lanes(&line, account.lanes[LaneAccount::look_up], "looked up");
    append_lanes(&line, account.lanes[LaneAccount::graph], "walked");
    append_lanes(&line, account.lanes[LaneAccount::graph_scan], "walked and scanned");
    append_lanes(&line, account.lanes[LaneAccount::scan], "scanned");
    append_lanes(&line, account.lanes[LaneAccount::gather], "gathered");
    append_lanes(&line, account.whole_lanes, "returned whole");
    if (line.len == 0) appendStringInfoString(&line, "none searched");
    appendStringInfo(&line,
                     " (" UINT64_FORMAT " distances, " UINT64_FORMAT " expanded, " UINT64_FORMAT
                     " rows); pending rows: " UINT64_FORMAT,
                     account.distances, account.expanded, account.shard_rows, account.pending_rows);
    ExplainPropertyText("Shards", line.data, es);
    pfree(line.data);
}

static void show_properties(const ScanAccount& account, ExplainState* es) {
    ExplainPropertyUInteger("Lanes Looked Up", nullptr, account.lanes[LaneAccount::look_up], es);
    ExplainPropertyUInteger("Lanes Walked", nullptr, account.lanes[LaneAccount::graph], es);
    ExplainPropertyUInteger("Lanes Walked And Scanned", nullptr, account.lanes[LaneAccount::graph_scan], es);
    ExplainPropertyUInteger("Lanes Scanned", nullptr, account.lanes[LaneAccount::scan], es);
    ExplainPropertyUInteger("Lanes Gathered", nullptr, account.lanes[LaneAccount::gather], es);
    ExplainPropertyUInteger("Lanes Returned Whole", nullptr, account.whole_lanes, es);
    ExplainPropertyUInteger("Distances", nullptr, account.distances, es);
    ExplainPropertyUInteger("Nodes Expanded", nullptr, account.expanded, es);
    ExplainPropertyUInteger("Shard Rows", nullptr, account.shard_rows, es);
    ExplainPropertyUInteger("Pending Rows", nullptr, account.pending_rows, es);
}

// Totals over all loops, like "Index Searches". Of a scan below Gather, what the leader did.
static void explain_node(PlanState* node, List* ancestors, const char* relationship, const char* plan_name,
                         ExplainState* es) {
    if (previous_hook != nullptr) previous_hook(node, ancestors, relationship, plan_name, es);
    IndexScanDesc scan = nullptr;
    if (!es->analyze || !is_our_scan(node, &scan)) return;
    const ScanAccount account = scan != nullptr ? scan_account(scan) : ScanAccount{};
    if (es->format == EXPLAIN_FORMAT_TEXT)
        show_line(account, es);
    else
        show_properties(account, es);
}

void explain_init() {
    previous_hook = explain_per_node_hook;
    explain_per_node_hook = explain_node;
}

#else

void explain_init() {}

#endif

}  // namespace nphd
