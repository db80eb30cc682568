// Which rows the index holds: each at most once, and with `table`, those of the table under their codes and with their
// filter values.
//
// Entries and rows of the table are sorted by row id, as 16 bytes in the order of their bytes (those of a uuid, for
// which core has a comparison that is quick to sort by). Code and values are represented by their hash: what differs
// may be taken for the same once in 2^64 cases, what is the same never for different.
//
// The table is read under a snapshot, not as it is (SnapshotAny): an index built concurrently rightly lacks rows that
// were dead to its snapshots. An entry whose row the snapshot does not see is waiting for VACUUM; its row id cannot be
// another row's before.

#include "src/am/index_row.hpp"
#include "src/inspect/check.hpp"

namespace nphd {

namespace {
enum class Source : uint8 { table = 0, entry = 1 };

struct SortedRow {
    uint8 block[4];  // most significant byte first, as in `offset`
    uint8 offset[2];
    Source source;
    uint8 unused;
    uint64 hash;

    bool same_row(const SortedRow& o) const { return memcmp(this, &o, offsetof(SortedRow, source)) == 0; }
    BlockNumber block_number() const {
        return static_cast<uint32>(block[0]) << 24 | static_cast<uint32>(block[1]) << 16 |
               static_cast<uint32>(block[2]) << 8 | block[3];
    }
    unsigned offset_number() const { return static_cast<unsigned>(offset[0] << 8 | offset[1]); }
};
static_assert(sizeof(SortedRow) == UUID_LEN);

// Of one row id.
struct Group {
    SortedRow of_table;
    bool in_table, other_values;
    uint64 entries;
};
}  // namespace

static void put(Check* check, RowId row, Source source, uint64 hash) {
    SortedRow sorted{};
    for (int i = 0; i < 4; ++i) sorted.block[i] = static_cast<uint8>(row.block >> (24 - 8 * i));
    sorted.offset[0] = static_cast<uint8>(row.offset >> 8);
    sorted.offset[1] = static_cast<uint8>(row.offset);
    sorted.source = source;
    sorted.hash = hash;
    // A part of the check that ends in an error must not take the sort's files along.
    ResourceOwner owner = CurrentResourceOwner;
    CurrentResourceOwner = check->rows_owner;
    tuplesort_putdatum(check->rows, PointerGetDatum(&sorted), false);
    CurrentResourceOwner = owner;
}

void rows_begin(Check* check) {
    const TypeCacheEntry* type = lookup_type_cache(UUIDOID, TYPECACHE_LT_OPR);
    check->rows_owner = CurrentResourceOwner;
    check->rows = tuplesort_begin_datum(UUIDOID, type->lt_opr, InvalidOid, false, Max(64, maintenance_work_mem / 2),
                                        nullptr, TUPLESORT_NONE);
}

static uint64 hash_of(std::span<const std::byte> bytes, uint64 seed) {
    return hash_bytes_extended(reinterpret_cast<const unsigned char*>(bytes.data()), static_cast<int>(bytes.size()),
                               seed);
}

uint64 rows_hash(const IndexRow& row) {
    const uint64 hash = hash_of(std::as_bytes(row.code), row.codeless ? 1 : 0);
    return row.filters.empty() ? hash : hash_of(row.filters, hash);
}

void rows_add(Check* check, RowId row, uint64 hash) { put(check, row, Source::entry, hash); }

static void add_table_row(Relation, ItemPointer tid, Datum* values, bool* isnull, bool, void* arg) {
    auto* check = static_cast<Check*>(arg);
    CHECK_FOR_INTERRUPTS();
    with_index_row(check->index, check->meta.options.filters, tid, values, isnull,
                   [&](const IndexRow& row) { put(check, row.id, Source::table, rows_hash(row)); });
}

// An index that was built over broken HOT chains lacks rows that older snapshots see.
static void require_usable(Relation index, Snapshot snapshot) {
    if (!index->rd_index->indcheckxmin ||
        TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), snapshot->xmin))
        return;
    ereport(ERROR,
            (errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
             errmsg("index \"%s\" cannot be compared with its table yet", RelationGetRelationName(index)),
             errdetail("It was built while rows were being updated, and a transaction from then is still running.")));
}

static void scan_table(Check* check) {
    Snapshot snapshot = RegisterSnapshot(GetLatestSnapshot());
    require_usable(check->index, snapshot);
    IndexInfo* info = BuildIndexInfo(check->index);
    // So that the scan goes by our snapshot.
    info->ii_Concurrent = true;
    TableScanDesc scan = table_beginscan_strat(check->table, snapshot, 0, nullptr, true, true);
    table_index_build_scan(check->table, check->index, info, true, false, add_table_row, check, scan);
    UnregisterSnapshot(snapshot);
}

// The index's expressions and predicate are code of the table's owner, which must not run with the caller's rights, nor
// find other functions than it would elsewhere.
static void add_table(Check* check) {
    Oid caller;
    int security_context;
    GetUserIdAndSecContext(&caller, &security_context);
    SetUserIdAndSecContext(check->table->rd_rel->relowner, security_context | SECURITY_RESTRICTED_OPERATION);
    const int guc_level = NewGUCNestLevel();
    restrict_search_path();
    scan_table(check);
    AtEOXact_GUC(false, guc_level);
    SetUserIdAndSecContext(caller, security_context);
}

static void check_group(Check* check, const SortedRow& row, const Group& group) {
    const BlockNumber block = row.block_number();
    const unsigned offset = row.offset_number();
    if (group.entries > 1)
        add_error(check, InvalidBlockNumber, kNoShard, "row (%u,%u) is in the index %llu times", block, offset,
                  static_cast<unsigned long long>(group.entries));
    if (!group.in_table) return;
    if (group.entries == 0)
        add_error(check, InvalidBlockNumber, kNoShard, "row (%u,%u) is not in the index", block, offset);
    else if (group.other_values)
        add_error(check, InvalidBlockNumber, kNoShard,
                  check->meta.options.filters.columns == 0
                      ? "row (%u,%u) is in the index under another code"
                      : "row (%u,%u) is in the index under another code or with other filter values",
                  block, offset);
}

static void compare_sorted(Check* check) {
    SortedRow last{};
    Group group{};
    bool any = false;
    Datum value;
    bool isnull;
    while (tuplesort_next_datum(check->rows, &value, &isnull)) {
        CHECK_FOR_INTERRUPTS();
        SortedRow row;
        memcpy(&row, DatumGetPointer(value), sizeof row);
        pfree(DatumGetPointer(value));
        if (!any || !row.same_row(last)) {
            if (any) check_group(check, last, group);
            group = {};
        }
        any = true;
        last = row;
        if (row.source == Source::entry) {
            group.entries++;
            group.other_values |= group.in_table && row.hash != group.of_table.hash;
        } else {
            // Before the entries, for its source is less.
            group.in_table = true;
            group.of_table = row;
        }
    }
    if (any) check_group(check, last, group);
}

void rows_compare(Check* check) {
    if (!check->moved) {
        if (check->table != nullptr) add_table(check);
        tuplesort_performsort(check->rows);
        compare_sorted(check);
    }
    tuplesort_end(check->rows);
}

}  // namespace nphd
