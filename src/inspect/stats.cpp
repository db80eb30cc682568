// nphd_index_stats(regclass), nphd_index_lanes(regclass) and nphd_index_extents(regclass): what an index consists of.

#include "src/am/search_options.hpp"
#include "src/inspect/index_checks.hpp"
#include "src/storage/allocation.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/shard_cache.hpp"

#include "engine/search/calibration.hpp"

namespace nphd {

static const char* metric_name(uint32 metric) {
    switch (static_cast<Metric>(metric)) {
        case Metric::nphd:
            return "nphd";
        case Metric::hamming:
            return "hamming";
        case Metric::jaccard:
            return "jaccard";
    }
    return "unknown";
}

namespace {
struct Counts {
    int64 lanes, codes, postings, dead, pending, pending_dead;
};
}  // namespace

// False: the segment has become a shard meanwhile.
static bool count_segment(Relation index, const MetaPage& meta, uint64 id, BlockNumber head, Counts* counts) {
    PGAlignedBlock page;
    PendingReader reader = pending_reader(index, meta, id, head);
    for (;;) {
        const PageRead read = pending_next_page(&reader, page.data);
        if (read != PageRead::page) return read == PageRead::end;
        PendingCursor cursor = pending_cursor(reader, page.data);
        while (const PendingEntry* entry = pending_next_entry(index, reader.block, &cursor))
            ++(entry->dead() ? counts->pending_dead : counts->pending);
    }
}

// False: parts of the index moved meanwhile.
static bool count(Relation index, const MetaPage& meta, const ManifestDraft& manifest, Counts* counts) {
    *counts = {};
    ListCell* cell;
    foreach (cell, manifest.shards) {
        const auto* entry = static_cast<ShardEntry*>(lfirst(cell));
        const CachedShard* shard = shard_acquire(index, meta, *entry, ReadPattern::on_and_on);
        if (shard == nullptr) return false;
        counts->lanes += entry->lanes;
        counts->codes += static_cast<int64>(entry->nodes);
        counts->postings += static_cast<int64>(entry->postings);
        counts->dead += static_cast<int64>(shard->dead);
    }
    foreach (cell, manifest.segments) {
        const auto* segment = static_cast<SegmentEntry*>(lfirst(cell));
        if (!count_segment(index, meta, segment->id, segment->head, counts)) return false;
    }
    return count_segment(index, meta, meta.segment_id, meta.segment_head, counts);
}

static HeapTuple index_stats(FunctionCallInfo fcinfo, Relation index) {
    TupleDesc columns;
    if (get_call_result_type(fcinfo, nullptr, &columns) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    MetaPage meta;
    ManifestDraft manifest;
    Counts counts;
    do {
        CHECK_FOR_INTERRUPTS();
        meta_read(index, &meta);
        manifest = manifest_draft(index, &meta);
    } while (!count(index, meta, manifest, &counts));

    const Datum values[] = {
        CStringGetTextDatum(metric_name(meta.options.metric)),
        Int32GetDatum(list_length(manifest.shards)),
        Int64GetDatum(counts.lanes),
        Int64GetDatum(counts.codes),
        Int64GetDatum(counts.postings - counts.dead + counts.pending),
        Int64GetDatum(counts.dead + counts.pending_dead),
        Int64GetDatum(counts.pending),
        Int64GetDatum(static_cast<int64>(meta.alloc_end) * BLCKSZ),
        Int64GetDatum(static_cast<int64>(unused_blocks(&manifest)) * BLCKSZ),
        Int32GetDatum(static_cast<int32>(meta.format_version)),
        Int64GetDatum(static_cast<int64>(meta.manifest_version)),
    };
    bool nulls[lengthof(values)] = {};
    if (columns->natts != static_cast<int>(lengthof(values))) elog(ERROR, "nphd_index_stats: wrong row type");
    return heap_form_tuple(BlessTupleDesc(columns), const_cast<Datum*>(values), nulls);
}

// The shards of a manifest, all of them open; null: some moved meanwhile.
static CachedShard** open_all(Relation index, const MetaPage& meta, const ManifestDraft& manifest) {
    auto** shards = static_cast<CachedShard**>(palloc(sizeof(CachedShard*) * (list_length(manifest.shards) + 1)));
    ListCell* cell;
    foreach (cell, manifest.shards) {
        CachedShard* shard =
            shard_acquire(index, meta, *static_cast<ShardEntry*>(lfirst(cell)), ReadPattern::on_and_on);
        if (shard == nullptr) return nullptr;
        shards[foreach_current_index(cell)] = shard;
    }
    return shards;
}

static int64 count_dead(const CachedShard* shard, const LaneView& lane) {
    static constexpr uint32 kSlice = 1u << 20;
    int64 dead = 0;
    for (uint32 p = 0; p < lane.postings; ++p) {
        if (p % kSlice == 0) CHECK_FOR_INTERRUPTS();
        dead += posting_dead(shard, lane.posting_base + p);
    }
    return dead;
}

// The ef_search of a search for a code as long as the lane's.
static uint32 shown_effort(const LaneView& lane, const NearestOptions& options) {
    if (!lane.has_graph() || options.exact) return kScanLane;
    return options.recall > 0 ? choose_effort(lane, 8 * lane.code_bytes, options.recall) : options.ef_search;
}

// All that is shown of a lane was copied when its shard was opened.
static void put_lanes(ReturnSetInfo* result, Relation index) {
    MetaPage meta;
    ManifestDraft manifest;
    CachedShard** shards;
    do {
        CHECK_FOR_INTERRUPTS();
        meta_read(index, &meta);
        manifest = manifest_draft(index, &meta);
        shards = open_all(index, meta, manifest);
    } while (shards == nullptr);
    const NearestOptions options = search_options(index, static_cast<Metric>(meta.options.metric));
    ListCell* cell;
    foreach (cell, manifest.shards) {
        const auto* entry = static_cast<ShardEntry*>(lfirst(cell));
        const CachedShard* shard = shards[foreach_current_index(cell)];
        shard->view->each_lane([&](const LaneView& lane) {
            const bool codeless = &lane == &shard->view->codeless;
            const uint32 effort = shown_effort(lane, options);
            const std::optional<double> recall = effort == kScanLane ? 1.0 : measured_recall(lane, effort);
            const Datum values[] = {
                Int64GetDatum(static_cast<int64>(entry->generation)),
                Int32GetDatum(static_cast<int32>(lane.code_bytes * 8)),
                Int64GetDatum(codeless ? 0 : lane.nodes),
                Int64GetDatum(lane.postings),
                Int64GetDatum(count_dead(shard, lane)),
                BoolGetDatum(lane.has_graph()),
                Int32GetDatum(static_cast<int32>(lane.levels)),
                Int32GetDatum(static_cast<int32>(effort)),
                Float8GetDatum(recall.value_or(0)),
            };
            bool nulls[lengthof(values)] = {};
            nulls[1] = codeless;
            nulls[7] = effort == kScanLane;
            nulls[8] = codeless || !recall.has_value();
            tuplestore_putvalues(result->setResult, result->setDesc, const_cast<Datum*>(values), nulls);
        });
    }
}

static const char* state_name(uint16 state) {
    static const char* const names[] = {"free", "reserved", "live", "retired"};
    return state >= 1 && state <= lengthof(names) ? names[state - 1] : "unknown";
}

static const char* kind_name(uint16 kind) {
    static const char* const names[] = {"", "manifest", "pending", "shard"};
    return kind < lengthof(names) ? names[kind] : "unknown";
}

static void put_extents(ReturnSetInfo* result, Relation index) {
    MetaPage meta;
    meta_read(index, &meta);
    const ManifestDraft manifest = manifest_draft(index, &meta);
    ListCell* cell;
    foreach (cell, manifest.extents) {
        const auto* e = static_cast<ExtentEntry*>(lfirst(cell));
        const Datum values[] = {
            Int64GetDatum(e->first),
            Int64GetDatum(e->blocks),
            CStringGetTextDatum(state_name(e->state)),
            CStringGetTextDatum(kind_name(e->kind)),
            Int64GetDatum(static_cast<int64>(e->generation)),
        };
        bool nulls[lengthof(values)] = {};
        nulls[3] = e->kind == static_cast<uint16>(ExtentKind::none);
        nulls[4] = e->generation == 0;
        tuplestore_putvalues(result->setResult, result->setDesc, const_cast<Datum*>(values), nulls);
    }
}

}  // namespace nphd

NPHD_FUNCTION(nphd_index_stats) {
    Relation index = nphd::open_nphd_index(PG_GETARG_OID(0), AccessShareLock);
    nphd::require_stats_reader(index);
    const HeapTuple row = nphd::index_stats(fcinfo, index);
    relation_close(index, AccessShareLock);
    PG_RETURN_DATUM(HeapTupleGetDatum(row));
}

NPHD_FUNCTION(nphd_index_lanes) {
    Relation index = nphd::open_nphd_index(PG_GETARG_OID(0), AccessShareLock);
    nphd::require_stats_reader(index);
    InitMaterializedSRF(fcinfo, 0);
    nphd::put_lanes(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo), index);
    relation_close(index, AccessShareLock);
    PG_RETURN_NULL();
}

NPHD_FUNCTION(nphd_index_extents) {
    Relation index = nphd::open_nphd_index(PG_GETARG_OID(0), AccessShareLock);
    nphd::require_stats_reader(index);
    InitMaterializedSRF(fcinfo, 0);
    nphd::put_extents(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo), index);
    relation_close(index, AccessShareLock);
    PG_RETURN_NULL();
}
