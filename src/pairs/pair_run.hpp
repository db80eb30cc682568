// What nphd_pairs and nphd_clusters share: who may ask of which index, and one pass over the pairs of one state of it.
//
// As with scans (src/am/scan_run.hpp) no lock is held while the engine reads, and what was read counts only if the
// shards are still there afterwards. If not, the pass ends as `moved`, and the caller throws away what it has and
// starts over.
#pragma once

#include "src/inspect/index_checks.hpp"
#include "src/pairs/visible_rows.hpp"

#include "engine/search/pairs.hpp"

namespace nphd {

/// What was asked, of which index.
struct PairQuestion : IndexedTable {
    Snapshot snapshot;
    double radius;
    bool one_shard;
    uint64 shard;  // generation, or kPendingShard
};
inline constexpr uint64 kPendingShard = 0;

/// As open_indexed_table(); ERROR 22023 for a radius that is none. Closed by close_indexed_table().
PairQuestion ask_pairs(Oid index, double radius);

struct PairRun;
enum class PairStep { pairs, end, moved };

/// In a memory context of its own under CurrentMemoryContext; its end releases everything. Null: moved already. ERROR
/// 22023 if the index has no such shard, 54000 if the pending rows need more than maintenance_work_mem.
PairRun* pair_run_start(const PairQuestion& question);
/// Further pairs of nodes, maybe none, good until the next call.
PairStep pair_run_step(PairRun* run, const NodePair** pairs, Size* n);
void pair_run_end(PairRun* run);

/// Walks the living postings of a node.
struct NodeRows {
    PairRun* run;
    uint32 lane;
    uint32 next_posting, end;
    uint32 n, next;  // of rows
    static constexpr uint32 kMost = 64;
    RowId rows[kMost];
    uint32 postings[kMost];

    /// Of the row that was returned last.
    uint32 posting() const { return postings[next - 1]; }
};
/// From posting number `from` on; 0: all.
void node_rows_begin(NodeRows* rows, PairRun* run, uint32 lane, NodeId node, uint32 from = 0);
enum class RowStep { row, end, moved };
RowStep node_rows_next(NodeRows* rows, RowId* row);

/// How often a statement starts over before it gives up.
inline constexpr int kMostRestarts = 3;
/// Counts; ERROR 40001 when it is one too many.
void count_restart(const PairQuestion& question, int* restarts);

}  // namespace nphd
