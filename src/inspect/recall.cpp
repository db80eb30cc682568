// nphd_recall(regclass, sample, k): how much of the exact answer searches find now. Stored codes are the queries, each
// hidden from the search and from the exact answer, as if it were new. Pending rows are left out: they are always
// compared one by one, so nothing among them is missed.

#include "src/am/search_options.hpp"
#include "src/guard.hpp"
#include "src/inspect/index_checks.hpp"
#include "src/storage/shard_cache.hpp"
#include "src/storage/sigbus_guard.hpp"

#include "engine/search/calibration.hpp"
#include "engine/search/nearest.hpp"

namespace nphd {

static constexpr int32 kMostSamples = 100000, kMostNearest = 10000;
static constexpr uint64 kStream = 0x3EC411;  // tells the sample from that of the calibration

namespace {

struct SampledLane {
    const CachedShard* shard;
    const ShardEntry* entry;
    const LaneView* lane;
};

struct RecallRun {
    Relation index;
    int32 k;
    NearestSearch* search;
    // The shards, as long as they are where they were.
    MemoryContext context;
    MetaPage meta;
    uint64 checked_version;
    Buffer meta_buffer;
    Manifest* manifest;
    SampledLane* lanes;
    uint32 n_lanes;
    uint64 nodes;
    bool any_mapped;
    // The query.
    uint8 code[kMaxCodeBytes];
    uint32 code_bytes;
    uint32 lane;  // that it comes from
    NodeId node;
    DistanceKey* keys;  // k
    // Over all queries: what is there to find, what was found.
    uint64 wanted, found;
};

}  // namespace

static void delete_search(void* arg) { delete static_cast<RecallRun*>(arg)->search; }

static RecallRun* create_run(Relation index, int32 k) {
    auto* run = static_cast<RecallRun*>(palloc0(sizeof(RecallRun)));
    run->index = index;
    run->k = k;
    run->meta_buffer = InvalidBuffer;
    run->keys = static_cast<DistanceKey*>(palloc(sizeof(DistanceKey) * static_cast<Size>(k)));
    run->context = AllocSetContextCreate(CurrentMemoryContext, "nphd recall", ALLOCSET_DEFAULT_SIZES);
    auto* callback = static_cast<MemoryContextCallback*>(palloc(sizeof(MemoryContextCallback)));
    callback->func = delete_search;
    callback->arg = run;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
    return run;
}

// False: parts of the index moved meanwhile.
static bool open_lanes(RecallRun* run) {
    meta_read(run->index, &run->meta);
    const Manifest* manifest = manifest_cached(run->index, &run->meta);
    run->manifest = static_cast<Manifest*>(palloc(manifest->bytes()));
    memcpy(run->manifest, manifest, manifest->bytes());
    run->checked_version = run->meta.manifest_version;
    run->any_mapped = false;
    run->n_lanes = 0;
    run->nodes = 0;
    uint32 room = 0;
    for (uint32 i = 0; i < run->manifest->header.shards; ++i) room += run->manifest->shards()[i].lanes;
    run->lanes = static_cast<SampledLane*>(palloc(sizeof(SampledLane) * room));
    for (uint32 i = 0; i < run->manifest->header.shards; ++i) {
        const ShardEntry& entry = run->manifest->shards()[i];
        const CachedShard* shard = shard_acquire(run->index, run->meta, entry, ReadPattern::jumps);
        if (shard == nullptr) return false;
        run->any_mapped |= shard->mapped;
        for (const LaneView& lane : shard->view->lanes) {
            if (run->n_lanes == room) report_damage(run->index, entry.block(0), "a shard with too many lanes");
            run->lanes[run->n_lanes++] = {shard, &entry, &lane};
            run->nodes += lane.nodes;
        }
    }
    shard_cache_sweep(run->index, run->manifest);
    return true;
}

static void open_index_now(RecallRun* run) {
    bool there;
    do {
        CHECK_FOR_INTERRUPTS();
        MemoryContextReset(run->context);
        MemoryContext caller = MemoryContextSwitchTo(run->context);
        there = open_lanes(run);
        MemoryContextSwitchTo(caller);
    } while (!there);
}

// As in a scan (scan_run.cpp): what was read counts if this says so afterwards.
static bool still_there(RecallRun* run) {
    if (!run->any_mapped || meta_manifest_version(run->index, &run->meta_buffer) == run->checked_version) return true;
    MetaPage now;
    meta_read(run->index, &now);
    const Manifest* manifest = manifest_cached(run->index, &now);
    for (uint32 i = 0; i < run->manifest->header.shards; ++i)
        if (!manifest_still_has(manifest, run->manifest->shards()[i])) return false;
    run->checked_version = now.manifest_version;
    return true;
}

// Copies a random code out of its shard; false when that cannot be read.
static bool choose_query(RecallRun* run, RandomStream random) {
    uint64 at = random.next() % run->nodes;
    for (run->lane = 0; at >= run->lanes[run->lane].lane->nodes; ++run->lane) at -= run->lanes[run->lane].lane->nodes;
    const LaneView& lane = *run->lanes[run->lane].lane;
    run->code_bytes = lane.code_bytes;
    return survives_sigbus([&] {
        run->node = sample_node(lane, random);
        if (lane.code_bytes > 0) memcpy(run->code, lane.code(run->node).data(), lane.code_bytes);
    });
}

// The keys of the first `limit` hits; false when a shard cannot be read.
static bool search_nearest(RecallRun* run, const NearestOptions& options, uint32 limit, uint32* hits) {
    const std::span<const std::uint8_t> query(run->code, run->code_bytes);
    if (run->search == nullptr) guarded([&] { run->search = new NearestSearch; });
    guarded([&] {
        run->search->reset(query, options);
        for (uint32 i = 0; i < run->n_lanes; ++i) {
            const SampledLane& l = run->lanes[i];
            if (options.metric != Metric::nphd && l.lane->code_bytes != run->code_bytes) continue;
            run->search->add_lane(*l.lane, tombstones_of(l.shard, *l.entry), {}, i == run->lane ? run->node : kNoNode);
        }
    });
    for (*hits = 0; *hits < limit;) {
        CHECK_FOR_INTERRUPTS();
        NearestHit hit{};
        auto step = NearestSearch::Step::more;
        bool readable = false;
        guarded([&] { readable = survives_sigbus([&] { step = run->search->step(hit); }); });
        if (!readable) {
            // The jump out of the engine left its buffers in an unknown state.
            NearestSearch* broken = run->search;
            run->search = nullptr;
            delete broken;
            return false;
        }
        if (step == NearestSearch::Step::end) break;
        if (step == NearestSearch::Step::hit) run->keys[(*hits)++] = hit.key;
    }
    return true;
}

// One query, by the present settings and then exactly; false when a shard cannot be read.
static bool measure(RecallRun* run, RandomStream random, uint32* wanted, uint32* found) {
    NearestOptions options = search_options(run->index, static_cast<Metric>(run->meta.options.metric));
    if (!choose_query(run, random) || !search_nearest(run, options, static_cast<uint32>(run->k), wanted)) return false;
    *found = *wanted;
    if (!run->search->walked()) return true;
    auto* keys = static_cast<DistanceKey*>(palloc(sizeof(DistanceKey) * *wanted));
    memcpy(keys, run->keys, sizeof(DistanceKey) * *wanted);
    options.exact = true;
    const bool readable = search_nearest(run, options, *wanted, wanted);
    *found = 0;
    for (uint32 i = 0; readable && i < *wanted; ++i) *found += keys[i] <= run->keys[*wanted - 1];
    pfree(keys);
    return readable;
}

// Queries are the same from call to call while the index stays as it is, so that settings can be compared.
static void measure_all(RecallRun* run, int32 sample) {
    open_index_now(run);
    for (int32 i = 0; i < sample && run->nodes > 0;) {
        uint32 wanted = 0, found = 0;
        const bool readable = measure(run, RandomStream(kStream, static_cast<uint64>(i)), &wanted, &found);
        if (!still_there(run)) {
            open_index_now(run);
            continue;
        }
        if (!readable) report_damage(run->index, run->manifest->shards()[0].block(0), "a shard that cannot be read");
        run->wanted += wanted;
        run->found += found;
        ++i;
    }
}

static void require_range(const char* name, int32 value, int32 most) {
    if (value < 1 || value > most)
        ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("%s must be between 1 and %d", name, most)));
}

}  // namespace nphd

NPHD_FUNCTION(nphd_recall) {
    Relation index = nphd::open_nphd_index(PG_GETARG_OID(0), AccessShareLock);
    nphd::require_stats_reader(index);
    const int32 sample = PG_GETARG_INT32(1), k = PG_GETARG_INT32(2);
    nphd::require_range("sample", sample, nphd::kMostSamples);
    nphd::require_range("k", k, nphd::kMostNearest);
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd recall run", ALLOCSET_DEFAULT_SIZES);
    MemoryContext caller = MemoryContextSwitchTo(context);
    nphd::RecallRun* run = nphd::create_run(index, k);
    nphd::measure_all(run, sample);
    const bool empty = run->nodes == 0;
    const double recall = run->wanted == 0 ? 1 : static_cast<double>(run->found) / static_cast<double>(run->wanted);
    MemoryContextSwitchTo(caller);
    MemoryContextDelete(context);
    relation_close(index, AccessShareLock);
    if (empty) PG_RETURN_NULL();
    PG_RETURN_FLOAT8(recall);
}
