// The pending rows of a scan in ascending distance. Nothing is built for them: each pass over the segments keeps the
// nearest that come after those already handed out, in a batch that grows, so that memory stays bounded and a long
// stream stays cheap.
#pragma once

#include "src/am/conditions.hpp"
#include "src/storage/manifest.hpp"

#include "engine/distance/distance.hpp"

namespace nphd {

struct PendingHit {
    DistanceKey key;
    RowId row;
    double distance;
    enum Place : int {
        incomparable,  // with the query, or with a condition
        by_distance,
        codeless
    } place;  // in ascending order
};

/// Plain data in the memory context that was current at its start.
struct PendingNearest {
    Relation index;
    const MetaPage* meta;
    const SegmentEntry* segments;  // frozen ones
    uint32 n_segments;
    const ScanConditions* conditions;  // rows that do not satisfy them are left out
    CodeBytes query;

    MemoryContext context;
    PendingHit* batch;  // ascending once a pass is over
    uint32 n, capacity, next;
    bool exhausted;  // no further pass is needed
    PendingHit watermark;
    bool have_watermark;
};

/// meta, segments, conditions and query must live as long as the result.
PendingNearest pending_nearest(Relation index, const MetaPage* meta, const SegmentEntry* segments, uint32 n_segments,
                               const ScanConditions* conditions, CodeBytes query);

/// *hit becomes the nearest pending row not taken yet, or null. False: the segments have become a shard and their pages
/// got another use.
[[nodiscard]] bool pending_nearest_peek(PendingNearest* pending, const PendingHit** hit);
inline void pending_nearest_take(PendingNearest* pending) { pending->next++; }

}  // namespace nphd
