#include "src/am/pending_nearest.hpp"

#include <algorithm>

#include "src/storage/pending.hpp"

namespace nphd {

static constexpr uint32 kFirstBatch = 256;
static constexpr uint32 kBatchGrowth = 8;

// Streams longer than this cost a pass over what is pending for each batch.
static uint32 largest_batch() {
    static constexpr Size kMost = Size{1} << 26;
    return static_cast<uint32>(
        Max(Size{kFirstBatch}, Min(kMost, static_cast<Size>(work_mem) * 1024 / sizeof(PendingHit))));
}

// A total order: rows at one distance go by row id.
static bool nearer(const PendingHit& a, const PendingHit& b) {
    if (a.place != b.place) return a.place < b.place;
    return a.key != b.key ? a.key < b.key : a.row < b.row;
}

PendingNearest pending_nearest(Relation index, const MetaPage* meta, const SegmentEntry* segments, uint32 n_segments,
                               const ScanConditions* conditions, CodeBytes query) {
    PendingNearest pending{};
    pending.index = index;
    pending.meta = meta;
    pending.segments = segments;
    pending.n_segments = n_segments;
    pending.conditions = conditions;
    pending.query = query;
    pending.context = CurrentMemoryContext;
    return pending;
}

// Keeps the `capacity` nearest in a heap whose top is the farthest. Mostly nothing is pending, and then there is none.
static void consider(PendingNearest* p, const PendingHit& hit) {
    if (p->batch == nullptr)
        p->batch = static_cast<PendingHit*>(MemoryContextAllocHuge(p->context, p->capacity * sizeof(PendingHit)));
    if (p->have_watermark && !nearer(p->watermark, hit)) return;
    if (p->n < p->capacity) {
        p->batch[p->n++] = hit;
        std::push_heap(p->batch, p->batch + p->n, nearer);
    } else if (nearer(hit, p->batch[0])) {
        std::pop_heap(p->batch, p->batch + p->n, nearer);
        p->batch[p->n - 1] = hit;
        std::push_heap(p->batch, p->batch + p->n, nearer);
    }
}

static void consider_entry(PendingNearest* p, const PendingCursor& cursor, const PendingEntry& entry) {
    const ScanConditions& conditions = *p->conditions;
    if (entry.dead()) return;
    const RowId row = entry.row.unpack();
    if (entry.codeless()) {
        if (conditions.without_code && satisfies_filter(conditions, entry.filters()))
            consider(p, {0, row, 0, PendingHit::codeless});
        return;
    }
    if (!conditions.with_code) return;
    const CodeBytes code = entry.code(cursor.filter_bytes);
    const bool judged = balls_compare(conditions, code.size());
    if (!judged || !comparable(conditions.metric, code.size(), p->query.size())) {
        if ((!judged || satisfies(conditions, code)) && satisfies_filter(conditions, entry.filters()))
            consider(p, {0, row, 0, PendingHit::incomparable});
        return;
    }
    // Most are too far: the exact distance and the conditions are for those that may be kept.
    const DistanceKey key = distance_key(conditions.metric, code, p->query);
    if (p->n == p->capacity && p->batch[0].place <= PendingHit::by_distance && key > p->batch[0].key) return;
    if (!satisfies(conditions, code) || !satisfies_filter(conditions, entry.filters())) return;
    consider(p, {key, row, distance(conditions.metric, code, p->query), PendingHit::by_distance});
}

// False: moved.
static bool pass_over_segment(PendingNearest* p, uint64 id, BlockNumber head) {
    PGAlignedBlock page;
    PendingReader reader = pending_reader(p->index, *p->meta, id, head);
    for (;;) {
        const PageRead read = pending_next_page(&reader, page.data);
        if (read != PageRead::page) return read == PageRead::end;
        PendingCursor cursor = pending_cursor(reader, page.data);
        while (const PendingEntry* entry = pending_next_entry(p->index, reader.block, &cursor))
            consider_entry(p, cursor, *entry);
    }
}

static bool next_batch(PendingNearest* p) {
    p->capacity = p->capacity == 0 ? kFirstBatch : Min(p->capacity * kBatchGrowth, largest_batch());
    if (p->batch != nullptr) pfree(p->batch);
    p->batch = nullptr;
    p->n = p->next = 0;
    for (uint32 i = 0; i < p->n_segments; ++i)
        if (!pass_over_segment(p, p->segments[i].id, p->segments[i].head)) return false;
    if (!pass_over_segment(p, p->meta->segment_id, p->meta->segment_head)) return false;
    std::sort_heap(p->batch, p->batch + p->n, nearer);
    p->exhausted = p->n < p->capacity;
    return true;
}

bool pending_nearest_peek(PendingNearest* p, const PendingHit** hit) {
    *hit = nullptr;
    while (p->next == p->n) {
        if (p->exhausted) return true;
        if (p->n > 0) {
            p->watermark = p->batch[p->n - 1];
            p->have_watermark = true;
        }
        if (!next_batch(p)) return false;
    }
    *hit = &p->batch[p->next];
    return true;
}

}  // namespace nphd
