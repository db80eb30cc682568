// One run of a scan over one state of the index: rows of the shards, as the engine finds them, and pending rows.
//
// What was committed before the scan's snapshot is in the meta page, the manifest or the segments that it reads
// afterwards: a row is either pending or in a shard at any time (maintenance/rebuild.cpp switches in one record), and
// both lists come from one copy of the meta page. No lock is held, so maintenance may give pages of retired shards and
// segments another use while the run is reading them. What was read of a mapped shard is therefore looked at only after
// the manifest in force was seen to still have the shard; pages that come through the buffer manager say themselves
// what they are. Either way the run then ends as `moved`, and the scan starts another one.
#pragma once

#include "src/pg.hpp"

#include "engine/base/types.hpp"
#include "engine/search/lane_account.hpp"

namespace nphd {

struct ScanRun;

struct FoundRow {
    RowId row;
    enum Order : int {
        by_distance,
        any_order,    // there is no distance: a NULL query, a NULL code, or none asked for; comes last
        incomparable  // of a length that the metric cannot compare with the query: comes first
    } order;
    double distance;
    bool recheck;  // whether it satisfies the scan's conditions is for the executor to find out
};

enum class RunStep { row, end, moved };

/// Starts a run in a memory context of its own under CurrentMemoryContext; plain data, whose end releases what it
/// holds. Null: moved already. ERROR for conditions that make no sense.
ScanRun* scan_run_start(IndexScanDesc scan);
RunStep scan_run_next(ScanRun* run, FoundRow* out);
void scan_run_end(ScanRun* run);

/// What runs did, summed: a lane counts once for each run that opened it. Plain data; zeroed, it is that of no run.
struct ScanAccount {
    uint64 runs;
    uint64 lanes[LaneAccount::gather + 1];  // by the way that they took
    uint64 whole_lanes;                     // whose rows were handed out without a look at the codes
    uint64 distances, expanded;
    uint64 shard_rows, pending_rows;  // found, of which the caller took as many as it wanted
};

/// Adds what the run did until now.
void scan_run_account(const ScanRun* run, ScanAccount* sum);
/// What all runs of a scan by nphdbeginscan() did until now, whether the last one has ended or not (scan.cpp).
ScanAccount scan_account(IndexScanDesc scan);

/// Whether the row that the scan returned last is FoundRow::incomparable. Its distance is 0 to the executor, which
/// evaluates what is ordered by itself and so raises the error; who does not has to ask.
bool returned_incomparable(IndexScanDesc scan);

}  // namespace nphd
