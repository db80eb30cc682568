// Types of filter columns, and their values as unsigned numbers in the order of the type's B-tree operator class. What
// has no such numbers (text) is kept as a hash. Part of the format of an index.
#pragma once

#include "src/pg.hpp"

#include "engine/shard/filter_record.hpp"

namespace nphd {

struct FilterType {
    Oid type;     // as an operator class names it: text for varchar, anyenum for every enum
    uint8 width;  // bytes of a number
    bool hashed;  // equal values have equal numbers, and nothing else is known by them
};

/// Null for a type that no column to filter by can have.
const FilterType* filter_type(Oid opcintype);

/// The number of a value that is not NULL. `collation` is that of the index column.
FilterValue filter_value(const FilterType& type, Oid collation, Datum value);

/// The value that has the number, or the nearest one before or behind: not every number has one. Only for types that
/// has_related_types().
Datum value_of_filter(const FilterType& type, FilterValue number);

/// Whether values of other types can be compared with those of the type, and the numbers between which they lie.
bool has_related_types(const FilterType& type);
FilterValue least_filter_value(const FilterType& type);
FilterValue greatest_filter_value(const FilterType& type);

}  // namespace nphd
