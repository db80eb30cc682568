#include "src/maintenance/inputs.hpp"

#include "src/guard.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/shard_cache.hpp"
#include "src/storage/sigbus_guard.hpp"

namespace nphd {

static void append_bit(Bits* bits, bool value) {
    if (bits->n / 8 == bits->max_bytes) {
        const Size old_bytes = bits->max_bytes;
        bits->max_bytes = Max(UINT64CONST(1024), old_bytes * 2);
        bits->bytes = static_cast<uint8*>(bits->bytes ? repalloc_huge(bits->bytes, bits->max_bytes)
                                                      : MemoryContextAllocHuge(CurrentMemoryContext, bits->max_bytes));
        memset(bits->bytes + old_bytes, 0, bits->max_bytes - old_bytes);
    }
    if (value) bits->bytes[bits->n / 8] |= static_cast<uint8>(1 << (bits->n % 8));
    bits->n++;
}

static bool test_bit(const uint8* bytes, uint64 i) { return (bytes[i / 8] >> (i % 8) & 1) != 0; }

static void remember_block(RebuildInputs* inputs, BlockNumber block) {
    if (inputs->n_pending_blocks == inputs->max_pending_blocks) {
        inputs->max_pending_blocks = Max(64u, inputs->max_pending_blocks * 2);
        const Size bytes = inputs->max_pending_blocks * sizeof(BlockNumber);
        inputs->pending_blocks =
            static_cast<BlockNumber*>(inputs->pending_blocks ? repalloc_huge(inputs->pending_blocks, bytes)
                                                             : MemoryContextAllocHuge(CurrentMemoryContext, bytes));
    }
    inputs->pending_blocks[inputs->n_pending_blocks++] = block;
}

CachedShard* listed_shard(Relation index, const MetaPage& meta, const ShardEntry& entry) {
    CachedShard* shard = shard_acquire(index, meta, entry, ReadPattern::on_and_on);
    if (shard == nullptr) report_damage(index, entry.block(0), "a shard that moved under the maintenance lock");
    return shard;
}

bool next_listed_page(PendingReader* reader, char* page) {
    const PageRead read = pending_next_page(reader, page);
    if (read == PageRead::moved)
        report_damage(reader->index, reader->block, "a segment that moved under the maintenance lock");
    return read == PageRead::page;
}

RebuildInputs rebuild_inputs(Relation index, const MetaPage& meta, List* segments) {
    RebuildInputs inputs{};
    inputs.index = index;
    inputs.meta = meta;
    inputs.segments = segments;
    return inputs;
}

void inputs_read_segments(RebuildInputs* inputs, ShardJob* job) {
    PGAlignedBlock page;
    ListCell* cell;
    foreach (cell, inputs->segments) {
        const auto* segment = static_cast<SegmentEntry*>(lfirst(cell));
        PendingReader reader = pending_reader(inputs->index, inputs->meta, segment->id, segment->head);
        while (next_listed_page(&reader, page.data)) {
            remember_block(inputs, reader.block);
            PendingCursor cursor = pending_cursor(reader, page.data);
            while (const PendingEntry* entry = pending_next_entry(inputs->index, reader.block, &cursor)) {
                append_bit(&inputs->dead_entries, entry->dead());
                if (entry->dead()) continue;
                shard_job_add(job, pending_row(cursor, *entry));
                inputs->pending_rows++;
            }
        }
    }
}

// A copy of the page, so that the checksum can be computed.
static void verify_checksums(Relation index, const ShardEntry& entry, const CachedShard* shard) {
    if (!shard->mapped || !DataChecksumsEnabled()) return;
    PGAlignedBlock page;
    for (uint32 i = 0; i < entry.pages; ++i) {
        CHECK_FOR_INTERRUPTS();
        const bool readable =
            survives_sigbus([&] { memcpy(page.data, shard->pages + static_cast<Size>(i) * BLCKSZ, BLCKSZ); });
        if (!readable || !page_is_verified(page.data, entry.block(i)))
            report_damage(index, entry.block(i), "a page whose checksum does not match");
    }
}

namespace {
// How far the reading of a lane came.
struct LanePosition {
    NodeId node;
    uint32 posting;  // of the node, from the start of its range
};
}  // namespace

// Adds living postings of a lane from `at` on, some 64 thousand of them at a time; false when the shard cannot be read.
static bool add_postings(const CachedShard* shard, const LaneView& lane, LanePosition* at, ShardJob* job) {
    static constexpr uint32 kPostingsPerSlice = 65536;
    bool good = true;
    std::byte record[kMaxFilterRecordBytes];
    const std::span<const std::byte> filters(record, shard->view->filters.record_bytes());
    guarded([&] {
        const bool readable = survives_sigbus([&] {
            uint32 passed = 0;
            for (; at->node < lane.nodes && passed < kPostingsPerSlice; ++at->node, at->posting = 0) {
                LaneView::PostingRange range;
                if (!lane.posting_range(at->node, range)) {
                    good = false;
                    return;
                }
                for (++passed; range.begin + at->posting < range.end; ++at->posting, ++passed) {
                    if (passed >= kPostingsPerSlice) return;
                    const uint32 p = range.begin + at->posting;
                    if (posting_dead(shard, lane.posting_base + p)) continue;
                    good = good && valid_row_id(lane.row_id(p));
                    lane.copy_filter_record(shard->view->filters, p, record);
                    const bool codeless = &lane == &shard->view->codeless;
                    shard_job_input_add(job, {lane.row_id(p), codeless, lane.code(at->node), filters});
                }
            }
        });
        good = good && readable;
    });
    return good;
}

static void read_shard(RebuildInputs* inputs, const ShardEntry& entry, ShardJob* job) {
    const CachedShard* shard = listed_shard(inputs->index, inputs->meta, entry);
    const Size bitmap_bytes = entry.tombstone_pages * kPageDataBytes;
    auto* bitmap = static_cast<uint8*>(MemoryContextAllocHuge(CurrentMemoryContext, bitmap_bytes));
    memcpy(bitmap, shard->tombstones, bitmap_bytes);
    inputs->dead_postings = lappend(inputs->dead_postings, bitmap);
    verify_checksums(inputs->index, entry, shard);
    shard->view->each_lane([&](const LaneView& lane) {
        for (LanePosition at{0, 0}; at.node < lane.nodes;) {
            CHECK_FOR_INTERRUPTS();
            if (!add_postings(shard, lane, &at, job))
                report_damage(inputs->index, entry.block(0), "a shard whose postings cannot be read");
        }
    });
}

void inputs_read_shards(RebuildInputs* inputs, ShardJob* job) {
    ListCell* cell;
    foreach (cell, inputs->shards) read_shard(inputs, *static_cast<ShardEntry*>(lfirst(cell)), job);
}

static void add_dead(DeadRows* dead, RowId row) {
    if (dead->n == dead->max) {
        dead->max = Max(UINT64CONST(1024), dead->max * 2);
        dead->rows =
            static_cast<RowId*>(dead->rows ? repalloc_huge(dead->rows, dead->max * sizeof(RowId))
                                           : MemoryContextAllocHuge(CurrentMemoryContext, dead->max * sizeof(RowId)));
    }
    dead->rows[dead->n++] = row;
}

static int compare_row_ids(const void* a, const void* b) {
    const auto& x = *static_cast<const RowId*>(a);
    const auto& y = *static_cast<const RowId*>(b);
    return x < y ? -1 : y < x;
}

void for_each_posting(Relation index, const ShardEntry& entry, const CachedShard* shard,
                      void (*f)(void* state, uint64 posting, RowId row), void* state) {
    static constexpr uint32 kSlice = 4096;
    auto* rows = static_cast<RowId*>(palloc(kSlice * sizeof(RowId)));
    shard->view->each_lane([&](const LaneView& lane) {
        for (uint32 first = 0; first < lane.postings; first += kSlice) {
            CHECK_FOR_INTERRUPTS();
            const uint32 n = Min(kSlice, lane.postings - first);
            if (!survives_sigbus([&] {
                    for (uint32 i = 0; i < n; ++i) rows[i] = lane.row_id(first + i);
                }))
                report_damage(index, entry.block(0), "a shard that cannot be read");
            for (uint32 i = 0; i < n; ++i) f(state, lane.posting_base + first + i, rows[i]);
        }
    });
    pfree(rows);
}

static void add_dead_entries(const RebuildInputs& inputs, const MetaPage& meta, DeadRows* dead) {
    PGAlignedBlock page;
    uint64 ordinal = 0;
    ListCell* cell;
    foreach (cell, inputs.segments) {
        const auto* segment = static_cast<SegmentEntry*>(lfirst(cell));
        PendingReader reader = pending_reader(inputs.index, meta, segment->id, segment->head);
        while (next_listed_page(&reader, page.data)) {
            PendingCursor cursor = pending_cursor(reader, page.data);
            for (; const PendingEntry* entry = pending_next_entry(inputs.index, reader.block, &cursor); ordinal++)
                if (entry->dead() && !test_bit(inputs.dead_entries.bytes, ordinal)) add_dead(dead, entry->row.unpack());
        }
    }
}

namespace {
struct DeadPostings {
    const CachedShard* shard;
    const uint8* before;
    DeadRows* dead;
};
}  // namespace

static void add_if_newly_dead(void* arg, uint64 posting, RowId row) {
    const auto* state = static_cast<DeadPostings*>(arg);
    if (posting_dead(state->shard, posting) && !test_bit(state->before, posting)) add_dead(state->dead, row);
}

static void add_dead_postings(const RebuildInputs& inputs, const MetaPage& meta, DeadRows* dead) {
    ListCell *cell, *bitmap_cell;
    forboth(cell, inputs.shards, bitmap_cell, inputs.dead_postings) {
        const auto* entry = static_cast<ShardEntry*>(lfirst(cell));
        const CachedShard* shard = listed_shard(inputs.index, meta, *entry);
        DeadPostings state{shard, static_cast<uint8*>(lfirst(bitmap_cell)), dead};
        if (shard->dead > 0) for_each_posting(inputs.index, *entry, shard, add_if_newly_dead, &state);
    }
}

DeadRows inputs_newly_dead(const RebuildInputs& inputs, const MetaPage& meta) {
    DeadRows dead{nullptr, 0, 0};
    add_dead_entries(inputs, meta, &dead);
    add_dead_postings(inputs, meta, &dead);
    if (dead.n > 0) qsort(dead.rows, dead.n, sizeof(RowId), compare_row_ids);
    return dead;
}

bool contains(const DeadRows& dead, RowId row) {
    return dead.n > 0 && bsearch(&row, dead.rows, dead.n, sizeof(RowId), compare_row_ids) != nullptr;
}

}  // namespace nphd
