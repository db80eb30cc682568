// The further key columns of an index: how values of their types become the numbers that the engine filters by
// (engine/shard/filter_record.hpp).
#pragma once

#include "src/pg.hpp"

#include "engine/search/posting_filter.hpp"

namespace nphd {

/// The widths of the index's further key columns. ERROR 42P17 for a column that cannot be filtered by, 54011 for too
/// many of them.
FilterLayout filter_layout(Relation index);

/// Writes the record of a row's values (values[1] and isnull[1] are those of the first filter column) to `record`,
/// layout.record_bytes() long. May detoast.
void encode_filters(Relation index, const FilterLayout& layout, const Datum* values, const bool* isnull,
                    std::byte* record);

/// Whether the function of an operator (left, right) of this strategy is what a filter column of type `left` takes it
/// for: that of the type's B-tree operator family.
bool is_filter_function(Oid function, Oid left, Oid right, StrategyNumber strategy);

/// Conditions of a scan on its filter columns.
struct FilterConditions {
    PostingFilter filter;  // in the memory context that was current when it was made
    bool impossible;       // no row satisfies them
    bool recheck;          // it lets pass more than they do (columns kept as hashes)
};

/// Of all scan keys whose sk_attno is beyond the first: =, <, <=, >=, > with a value or an array (any of it), IS NULL,
/// IS NOT NULL.
FilterConditions filter_conditions(Relation index, const FilterLayout& layout, const ScanKeyData* keys, int n_keys);

}  // namespace nphd
