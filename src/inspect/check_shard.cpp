// The inside of a shard, read as a search reads it, mapped or buffered: the engine looks at what its lanes consist of,
// here the tombstones are looked at and the living row ids collected.

#include "src/guard.hpp"
#include "src/inspect/check.hpp"
#include "src/storage/shard_cache.hpp"
#include "src/storage/sigbus_guard.hpp"

#include "engine/shard/check_shard.hpp"

namespace nphd {

// A bit behind the last posting would make a posting of nothing dead.
static void check_tombstones(Check* check, const ShardEntry& entry, const CachedShard* shard) {
    if (shard->dead == 0) return;
    const uint64 bits = static_cast<uint64>(entry.tombstone_pages) * kTombstonesPerPage;
    for (uint64 p = entry.postings; p < bits; ++p) {
        if (p % kTombstonesPerPage == 0) CHECK_FOR_INTERRUPTS();
        if (!posting_dead(shard, p)) continue;
        add_error(check, entry.tombstone_block(static_cast<uint32>(p / kTombstonesPerPage)), entry.generation,
                  "a tombstone of a posting that does not exist");
        return;
    }
}

static void report(Check* check, const ShardEntry& entry, const ShardFinding& found) {
    const BlockNumber block = entry.block(Min(found.page, entry.pages - 1));
    const char* lane = found.codeless ? "rows without a code" : psprintf("codes of %u bits", found.code_bytes * 8);
    const auto count = static_cast<unsigned long long>(found.count);
    if (found.warning)
        add_warning(check, block, entry.generation, "%s: %s, %llu times", lane, found.what, count);
    else
        add_error(check, block, entry.generation, "%s: %s, %llu times", lane, found.what, count);
}

static void delete_check(void* arg) { delete *static_cast<ShardCheck**>(arg); }

static ShardCheck* create_check(const ShardEntry& entry, const CachedShard* shard) {
    auto** holder = static_cast<ShardCheck**>(palloc0(sizeof(ShardCheck*)));
    auto* callback = static_cast<MemoryContextCallback*>(palloc(sizeof(MemoryContextCallback)));
    callback->func = delete_check;
    callback->arg = holder;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
    // The other half is the sort's.
    const Size memory = static_cast<Size>(maintenance_work_mem) * 1024 / 2;
    guarded([&] { *holder = new ShardCheck(*shard->view, shard->pages, tombstones_of(shard, entry), memory); });
    return *holder;
}

// False: the shard cannot be read to its end.
static bool check_lanes(Check* check, const ShardEntry& entry, const CachedShard* shard) {
    ShardCheck* contents = create_check(entry, shard);
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        ShardFinding finding{};
        auto step = ShardCheck::Step::end;
        if (!survives_sigbus([&] { step = contents->step(finding); })) {
            add_error(check, entry.block(0), entry.generation, "a shard that cannot be read");
            return false;
        }
        if (step == ShardCheck::Step::finding) report(check, entry, finding);
        if (step == ShardCheck::Step::end) return true;
    }
}

namespace {
// Living postings of a lane.
struct Batch {
    static constexpr uint32 kMost = 1024;
    uint32 n;
    bool sound;
    RowId rows[kMost];
    NodeId nodes[kMost];
    uint32 postings[kMost];
    uint64 hashes[kMost];
};

// How far the reading of a lane came.
struct LanePosition {
    NodeId node;
    uint32 posting;  // of the node, from the start of its range
};
}  // namespace

// Not inlined: its variables must not live on the frame that a SIGBUS comes back to.
pg_noinline static void fill_batch(const CachedShard* shard, const LaneView& lane, LanePosition* at, Batch* batch) {
    static constexpr uint32 kMostPassed = 65536;
    uint32 passed = 0;
    batch->n = 0;
    batch->sound = true;
    for (; at->node < lane.nodes; ++at->node, at->posting = 0) {
        LaneView::PostingRange range;
        if (!lane.posting_range(at->node, range)) {
            batch->sound = false;
            return;
        }
        for (++passed; range.begin + at->posting < range.end; ++at->posting, ++passed) {
            if (batch->n == Batch::kMost || passed >= kMostPassed) return;
            const uint32 p = range.begin + at->posting;
            if (posting_dead(shard, lane.posting_base + p)) continue;
            const RowId row = lane.row_id(p);
            if (!valid_row_id(row)) continue;
            batch->rows[batch->n] = row;
            batch->postings[batch->n] = p;
            batch->nodes[batch->n++] = at->node;
        }
    }
}

pg_noinline static void hash_batch(const ShardView& shard, const LaneView& lane, Batch* batch) {
    std::byte record[kMaxFilterRecordBytes];
    const bool codeless = &lane == &shard.codeless;
    for (uint32 i = 0; i < batch->n; ++i) {
        lane.copy_filter_record(shard.filters, batch->postings[i], record);
        batch->hashes[i] = rows_hash({batch->rows[i],
                                      codeless,
                                      codeless ? CodeBytes{} : lane.code(batch->nodes[i]),
                                      {record, shard.filters.record_bytes()}});
    }
}

// False: the shard cannot be read. What is wrong with postings was reported before.
static bool add_rows_of_lane(Check* check, const CachedShard* shard, const LaneView& lane, Batch* batch) {
    for (LanePosition at{0, 0}; at.node < lane.nodes;) {
        CHECK_FOR_INTERRUPTS();
        const bool readable = survives_sigbus([&] {
            fill_batch(shard, lane, &at, batch);
            if (check->table != nullptr) hash_batch(*shard->view, lane, batch);
        });
        if (!readable) return false;
        for (uint32 i = 0; i < batch->n; ++i)
            rows_add(check, batch->rows[i], check->table != nullptr ? batch->hashes[i] : 0);
        if (!batch->sound) break;
    }
    return true;
}

static void add_rows(Check* check, const CachedShard* shard) {
    auto* batch = static_cast<Batch*>(palloc(sizeof(Batch)));
    bool readable = true;
    shard->view->each_lane(
        [&](const LaneView& lane) { readable = readable && add_rows_of_lane(check, shard, lane, batch); });
    pfree(batch);
}

static void check_contents(Check* check, const void* arg) {
    const auto& entry = *static_cast<const ShardEntry*>(arg);
    const CachedShard* shard = shard_acquire(check->index, check->meta, entry, ReadPattern::on_and_on);
    if (shard == nullptr) {
        check->moved = true;
        return;
    }
    Size lanes = 0;
    shard->view->each_lane([&](const LaneView&) { ++lanes; });
    if (lanes != entry.lanes)
        add_error(check, entry.block(0), entry.generation, "a shard of %zu lanes instead of %u", lanes, entry.lanes);
    check_tombstones(check, entry, shard);
    if (check_lanes(check, entry, shard)) add_rows(check, shard);
}

void check_shard(Check* check, const ShardEntry& entry) { run_part(check, entry.generation, check_contents, &entry); }

}  // namespace nphd
