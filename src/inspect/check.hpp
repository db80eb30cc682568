// nphd_check(): is all of the index what it must be? What the parts of the check share.
#pragma once

#include "src/storage/index_row.hpp"
#include "src/storage/manifest.hpp"

namespace nphd {

struct Check {
    Relation index;
    Relation table;  // null: the index is looked at alone
    bool standby;    // nobody keeps the manifest as it is
    ReturnSetInfo* result;

    // Of one try.
    MemoryContext context;
    MetaPage meta;
    ManifestDraft manifest;
    Tuplesortstate* rows;  // see check_rows.cpp
    ResourceOwner rows_owner;
    uint64 findings;
    uint64 errors;
    bool moved;  // something has another use by now: start over
};

inline constexpr uint64 kNoShard = 0;

/// Adds a row to the result. `block` may be InvalidBlockNumber, `shard` (a generation) kNoShard.
void add_error(Check* check, BlockNumber block, uint64 shard, const char* format, ...) pg_attribute_printf(4, 5);
void add_warning(Check* check, BlockNumber block, uint64 shard, const char* format, ...) pg_attribute_printf(4, 5);

/// Runs a part of the check in a subtransaction and a memory context of its own: damage that ends it with XX001 or
/// XX002 is one finding, and false is returned. Other errors pass.
bool run_part(Check* check, uint64 shard, void (*part)(Check* check, const void* arg), const void* arg);

/// Extents, pending segments and their pages: each block belongs to one thing, and each page is what it belongs to.
/// Then the shards whose pages are.
void check_space(Check* check);

/// What is inside a shard.
void check_shard(Check* check, const ShardEntry& entry);

// The row ids of all living entries, which must differ, and with `table` the codes, which must be the table's; by their
// hashes, which are not looked at without it.
void rows_begin(Check* check);
uint64 rows_hash(const IndexRow& row);
void rows_add(Check* check, RowId row, uint64 hash);
/// Compares them with each other and with the table, unless something moved, and ends the sort.
void rows_compare(Check* check);

}  // namespace nphd
