// nphd_needs_reindex(): the indexes of this database that are not all of the format that this module writes.
//
// An index that cannot be read says so when it is used, but an upgrade is a bad time to learn of it one query after
// another; one of an older format that can be read says nothing at all, until a version comes that cannot.

#include "src/am/am.hpp"
#include "src/inspect/index_checks.hpp"
#include "src/storage/manifest.hpp"
#include "src/storage/meta.hpp"

namespace nphd {

// As is_nphd_index(), without opening an index that somebody may have locked. Core's methods are told by their numbers.
static bool is_our_method(Oid method) {
    if (method < FirstNormalObjectId) return false;
    const IndexAmRoutine* routine = GetIndexAmRoutineByAmId(method, true);
    return routine != nullptr && routine->ambuild == nphdbuild;
}

// Those in the catalogue that have files.
static List* all_indexes() {
    List* oids = NIL;
    Relation catalogue = table_open(RelationRelationId, AccessShareLock);
    ScanKeyData key;
    ScanKeyInit(&key, Anum_pg_class_relkind, BTEqualStrategyNumber, F_CHAREQ, CharGetDatum(RELKIND_INDEX));
    SysScanDesc scan = systable_beginscan(catalogue, InvalidOid, false, nullptr, 1, &key);
    while (HeapTuple row = systable_getnext(scan)) {
        const auto* relation = reinterpret_cast<Form_pg_class>(GETSTRUCT(row));
        if (is_our_method(relation->relam)) oids = lappend_oid(oids, relation->oid);
    }
    systable_endscan(scan);
    table_close(catalogue, AccessShareLock);
    return oids;
}

static bool may_be_read(Relation index) {
    return is_nphd_index(index) && may_read_stats(index) && !RELATION_IS_OTHER_TEMP(index) &&
           // On a standby it has no contents.
           (RelationNeedsWAL(index) || !RecoveryInProgress()) &&
           // A build that failed, or has not begun, left nothing.
           RelationGetNumberOfBlocks(index) > 0;
}

// The lowest format of any shard, or `format` if none has a lower one. A page that is not a shard's is passed over: the
// shard moved, and is of the present format now, or there is damage, which is not to be told here.
static uint32 oldest_shard(Relation index, uint32 format) {
    MetaPage meta;
    meta_read(index, &meta);
    const ManifestDraft manifest = manifest_draft(index, &meta);
    ListCell* cell;
    foreach (cell, manifest.shards) {
        const auto* entry = static_cast<ShardEntry*>(lfirst(cell));
        CHECK_FOR_INTERRUPTS();
        Buffer buffer = ReadBuffer(index, entry->block(0));
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        Page page = BufferGetPage(buffer);
        if (page_fault(page, PageKind::shard_header, meta.incarnation, entry->generation, 0) == nullptr)
            format = Min(format, static_cast<uint32>(page_stamp(page)->format));
        UnlockReleaseBuffer(buffer);
    }
    return format;
}

static const char* reason(uint32 format) {
    if (format > kShardFormat)
        return "a newer version of nphd wrote it, which this one cannot read: upgrade nphd, or REINDEX";
    if (format < kOldestFormat) return "this version of nphd cannot read it: REINDEX";
    return "it can be read, but a later version of nphd may not: REINDEX to use the new format";
}

static void put_if_old(ReturnSetInfo* result, Relation index) {
    uint32 format = meta_format(index);
    if (readable_format(format)) format = oldest_shard(index, format);
    if (format == kShardFormat) return;
    const Datum values[] = {
        ObjectIdGetDatum(RelationGetRelid(index)),
        Int32GetDatum(static_cast<int32>(format)),
        Int32GetDatum(kShardFormat),
        CStringGetTextDatum(reason(format)),
    };
    const bool nulls[lengthof(values)] = {};
    tuplestore_putvalues(result->setResult, result->setDesc, const_cast<Datum*>(values), const_cast<bool*>(nulls));
}

}  // namespace nphd

NPHD_FUNCTION(nphd_needs_reindex) {
    InitMaterializedSRF(fcinfo, 0);
    ListCell* cell;
    foreach (cell, nphd::all_indexes()) {
        // Null: it was dropped meanwhile.
        Relation index = try_relation_open(lfirst_oid(cell), AccessShareLock);
        if (index == nullptr) continue;
        if (nphd::may_be_read(index)) nphd::put_if_old(reinterpret_cast<ReturnSetInfo*>(fcinfo->resultinfo), index);
        relation_close(index, AccessShareLock);
    }
    PG_RETURN_NULL();
}
