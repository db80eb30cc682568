// Inside of a run (scan_run.hpp): what its parts share. ordered_run.cpp hands rows out by distance, unordered_run.cpp
// as they come.
#pragma once

#include "src/am/conditions.hpp"
#include "src/am/pending_nearest.hpp"
#include "src/am/scan_run.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/shard_cache.hpp"

#include "engine/search/nearest.hpp"
#include "engine/search/within.hpp"

namespace nphd {

/// One state of an index, its shards open. Plain data, zeroed but for `index` before open_index().
struct OpenIndex {
    Relation index;
    MetaPage meta;
    Manifest* manifest;      // header, shards and segments only
    uint64 checked_version;  // of the manifest that was last seen to still have all shards
    Buffer meta_buffer;      // where block 0 was found last
    CachedShard** shards;
    uint32 n_shards;
    bool any_mapped;
};

struct OpenLane {
    CachedShard* shard;
    const LaneView* view;
    uint64 rows;          // found
    LaneAccount account;  // of look-ups
};

/// Rows to hand out, copied out of the mapping, and the postings of the node from which further ones come.
struct RowBatch {
    static constexpr uint32 kMost = 128;
    OpenLane* lane;
    LaneView::PostingRange left;
    uint32 n, next;
    RowId rows[kMost];
};

/// Lanes whose rows are handed out without a look at their codes, as far as they pass the filter. Plain data, zeroed
/// but for `lanes` and `n`.
struct LaneRows {
    OpenLane* lanes;
    uint32 n, next;             // the next one to begin with
    FilteredPostings postings;  // of the one before it
    RowBatch rows;
    bool exhausted;
};

/// A search of the engine, kept between scans for its buffers.
struct EngineSearch {
    NearestSearch nearest;
    WithinSearch within;
    std::vector<WithinHit> hits;  // of `within`, to be handed out from next_hit on
    std::size_t next_hit = 0;
};

/// One of the codes that a scan by equality wants.
struct LookUp {
    CodeBytes code;
    DistanceKey key;
    double distance;
    bool incomparable;  // with what is ordered by; these come first
};

/// The next node of an ordered run.
struct RunNode {
    DistanceKey key;
    double distance;
    bool incomparable;
    bool late;  // comes after everything else
};

struct ScanRun : OpenIndex {
    MemoryContext context;

    Metric metric;
    ScanConditions conditions;
    bool ordered;
    CodeBytes query;  // what is ordered by

    OpenLane* lanes;  // all, or those of the engine's search by its numbers
    uint32 n_lanes;
    EngineSearch* search;  // null: none needed, or dropped
    bool nodes_done;

    // Equality: the codes, each looked for in all lanes of its length.
    LookUp* look_ups;
    uint32 n_look_ups;
    uint32 look_up, look_up_lane;  // the next ones

    // Lanes whose codes nothing is asked about: all of them, or those that cannot be compared with the query or a ball.
    LaneRows whole_lanes;
    // Ordered: the rows without a code, which come last.
    LaneRows codeless_lanes;

    // Rows of nodes that were found.
    RowBatch rows;
    bool have_node;  // ordered: its rows are being handed out
    RunNode node;

    PendingNearest pending;  // ordered
    uint64 pending_rows;     // handed out
    // Unordered: the segments page by page.
    uint32 segment;
    PendingReader reader;
    PendingCursor cursor;
    PGAlignedBlock* page;
};

/// Reads meta page and manifest, in this order and after `snapshot` was taken, and opens the shards in the current
/// memory context, which pins them. False: moved.
bool open_index(OpenIndex* open, Snapshot snapshot, ReadPattern pattern);
/// Whether what was read of the shards until now is what they held when they were live.
bool still_there(OpenIndex* open);
/// ERROR XX002; null: any of the shards.
[[noreturn]] void report_unreadable(const OpenIndex* open, const CachedShard* shard);
/// After a jump out of the engine, which left its buffers in an unknown state.
void drop_search(ScanRun* run);

/// Whether rows of such codes can be asked what the scan asks; the others are for the executor.
inline bool comparable_in(const ScanRun* run, Size code_bytes) {
    return balls_compare(run->conditions, code_bytes) &&
           (!run->ordered || comparable(run->metric, code_bytes, run->query.size()));
}

/// Inside survives_sigbus(): looks further codes up. True: *lane and *node say which was found. False: none until now;
/// nodes_done tells whether that was all.
bool next_look_up(ScanRun* run, OpenLane** lane, NodeId* node, const LookUp** what);
/// Inside survives_sigbus(): copies further living postings of the node that pass the filter, if there is room. Looks
/// at some ten thousands at most; `left` says whether there are more.
void copy_postings(const ScanRun* run, RowBatch* batch);
void add_lane_rows(LaneRows* to, CachedShard* shard, const LaneView& lane);
/// The next row of lanes whose codes nothing is asked about; end when there is none.
RunStep next_lane_row(ScanRun* run, LaneRows* from, RowId* out);

void start_ordered(ScanRun* run, const NearestOptions& options);
RunStep next_ordered(ScanRun* run, FoundRow* out);
void start_unordered(ScanRun* run);
RunStep next_unordered(ScanRun* run, FoundRow* out);

}  // namespace nphd
