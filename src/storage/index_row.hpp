// What the index keeps of a table row.
#pragma once

#include "src/pg.hpp"

#include "engine/distance/distance.hpp"
#include "engine/shard/filter_record.hpp"

namespace nphd {

/// A view: what it points to belongs to the caller.
struct IndexRow {
    RowId id;
    bool codeless;  // the code is NULL
    CodeBytes code;
    std::span<const std::byte> filters;  // the record of its filter values; empty without such columns
};

}  // namespace nphd
