// From row ids of an index to the row versions that the statement sees.
#pragma once

#include "src/pg.hpp"

#include "engine/base/types.hpp"

namespace nphd {

/// An index names the first version of a chain of versions (HOT); asking the table for the one that a snapshot sees
/// takes a page and its lock, and a row of many pairs is asked for often, so the last answers are kept.
struct VisibleRows {
    Relation table;
    Snapshot snapshot;
    IndexFetchTableData* fetch;
    TupleTableSlot* slot;
    struct Answer {
        uint64 asked;    // packed row id, 0: none
        uint64 visible;  // the same, 0: no version
    };
    static constexpr uint32 kAnswers = 1u << 16;
    Answer* answers;
};

/// Block and offset in the order of row ids; never 0.
inline uint64 pack_row(RowId row) { return static_cast<uint64>(row.block) << 16 | row.offset; }
inline RowId unpack_row(uint64 packed) {
    return {static_cast<BlockNumber>(packed >> 16), static_cast<OffsetNumber>(packed)};
}

/// In the current memory context. Until the end `table` stays locked and `snapshot` active.
VisibleRows visible_rows_begin(Relation table, Snapshot snapshot);
void visible_rows_end(VisibleRows* rows);

/// The version of the row that is visible, packed; 0 if none is.
uint64 visible_version(VisibleRows* rows, RowId row);

}  // namespace nphd
