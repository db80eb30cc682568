// What every SQL function that takes an index does first: is it ours, and may the caller?
#pragma once

#include "src/pg.hpp"

namespace nphd {

/// Whether the relation, open, is an index of our access method.
bool is_nphd_index(Relation rel);

/// Opens an nphd index under `lock`. ERROR 42809 for anything else, 0A000 for another session's temporary index, 55000
/// for an invalid one.
Relation open_nphd_index(Oid oid, LOCKMODE lock);

/// An index and its table, for a function that names rows of the table by what the index says.
struct IndexedTable {
    Relation table, index;
};
/// Both are locked (AccessShareLock) until the end of the transaction. ERROR 42501 for who may not read the table or is
/// subject to policies on it, with the hint what to do instead; as open_nphd_index() for what is no index of ours;
/// 55000 for one that the transaction's snapshots cannot use yet.
IndexedTable open_indexed_table(Oid index, const char* instead_of_policies);
void close_indexed_table(const IndexedTable& opened);

/// ERROR 42501 unless the caller owns the index.
void require_owner(Relation index);
/// Whether the caller owns the index or may read statistics (pg_stat_scan_tables).
bool may_read_stats(Relation index);
/// ERROR 42501 unless may_read_stats().
void require_stats_reader(Relation index);

}  // namespace nphd
