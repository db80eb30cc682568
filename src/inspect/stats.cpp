// nphd_index_stats(regclass) and nphd_index_lanes(regclass): what an index consists of.

#include "src/inspect/index_checks.hpp"
#include "src/storage/pending.hpp"
#include "src/storage/shard_cache.hpp"

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

static void count_segment(Relation index, const MetaPage& meta, uint64 id, BlockNumber head, int64* live, int64* dead) {
    PGAlignedBlock page;
    PendingReader reader = pending_reader(index, meta, id, head);
    while (pending_next_page(&reader, page.data)) {
        PendingCursor cursor = pending_cursor(page.data);
        while (const PendingEntry* entry = pending_next_entry(index, reader.block, &cursor))
            ++*(entry->dead() ? dead : live);
    }
}

static HeapTuple index_stats(FunctionCallInfo fcinfo, Relation index) {
    TupleDesc columns;
    if (get_call_result_type(fcinfo, nullptr, &columns) != TYPEFUNC_COMPOSITE)
        elog(ERROR, "return type must be a row type");
    MetaPage meta;
    meta_read(index, &meta);
    const ManifestDraft manifest = manifest_draft(index, meta);

    int64 lanes = 0, codes = 0, postings = 0, dead = 0, pending = 0, pending_dead = 0;
    ListCell* cell;
    foreach (cell, manifest.shards) {
        const auto* entry = static_cast<ShardEntry*>(lfirst(cell));
        CachedShard* shard = shard_acquire(index, meta, *entry);
        lanes += entry->lanes;
        codes += static_cast<int64>(entry->nodes);
        postings += static_cast<int64>(entry->postings);
        dead += static_cast<int64>(shard->dead);
    }
    foreach (cell, manifest.segments) {
        const auto* segment = static_cast<SegmentEntry*>(lfirst(cell));
        count_segment(index, meta, segment->id, segment->head, &pending, &pending_dead);
    }
    count_segment(index, meta, meta.segment_id, meta.segment_head, &pending, &pending_dead);

    const Datum values[] = {
        CStringGetTextDatum(metric_name(meta.options.metric)),
        Int32GetDatum(list_length(manifest.shards)),
        Int64GetDatum(lanes),
        Int64GetDatum(codes),
        Int64GetDatum(postings - dead + pending),
        Int64GetDatum(dead + pending_dead),
        Int64GetDatum(pending),
        Int64GetDatum(static_cast<int64>(meta.alloc_end) * BLCKSZ),
        Int32GetDatum(static_cast<int32>(meta.format_version)),
        Int64GetDatum(static_cast<int64>(meta.manifest_version)),
    };
    bool nulls[lengthof(values)] = {};
    if (columns->natts != static_cast<int>(lengthof(values))) elog(ERROR, "nphd_index_stats: wrong row type");
    return heap_form_tuple(BlessTupleDesc(columns), const_cast<Datum*>(values), nulls);
}

// Looks at a bit for each row, and at interrupts once in a while.
static int64 dead_postings(const CachedShard* shard, const LaneView& lane) {
    if (shard->dead == 0) return 0;
    int64 dead = 0;
    for (uint32 p = 0; p < lane.postings; ++p) {
        if (p % 65536 == 0) CHECK_FOR_INTERRUPTS();
        dead += posting_dead(shard, lane.posting_base + p);
    }
    return dead;
}

static void put_lanes(ReturnSetInfo* result, Relation index) {
    MetaPage meta;
    meta_read(index, &meta);
    const ManifestDraft manifest = manifest_draft(index, meta);
    ListCell* cell;
    foreach (cell, manifest.shards) {
        const auto* entry = static_cast<ShardEntry*>(lfirst(cell));
        CachedShard* shard = shard_acquire(index, meta, *entry);
        for (const LaneView& lane : shard->view->lanes) {
            const Datum values[] = {
                Int64GetDatum(static_cast<int64>(entry->generation)),
                Int32GetDatum(static_cast<int32>(lane.code_bytes * 8)),
                Int64GetDatum(lane.nodes),
                Int64GetDatum(lane.postings),
                Int64GetDatum(dead_postings(shard, lane)),
                BoolGetDatum(lane.has_graph()),
                Int32GetDatum(static_cast<int32>(lane.levels)),
            };
            bool nulls[lengthof(values)] = {};
            tuplestore_putvalues(result->setResult, result->setDesc, const_cast<Datum*>(values), nulls);
        }
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
