// From what PostgreSQL hands to an index to what the index keeps.
#pragma once

#include "src/am/filter_columns.hpp"
#include "src/storage/index_row.hpp"
#include "src/storage/layout.hpp"
#include "src/type/bitvec.hpp"

namespace nphd {

/// ERROR 54000 for a code that does not fit into a page, beside its filter values.
inline void check_indexable(CodeBytes code, const FilterLayout& layout) {
    const uint32 most = max_code_bytes(layout);
    if (code.size() > most)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("a code of %zu bits is too long for an nphd index", code.size() * 8),
                        errdetail("The longest code that can be indexed has %u bits.", most * 8)));
}

/// Calls f(row) with the row of these values; the code is detoasted for as long as that takes.
template <class F>
void with_index_row(Relation index, const FilterLayout& layout, ItemPointer tid, const Datum* values,
                    const bool* isnull, F&& f) {
    std::byte record[kMaxFilterRecordBytes];
    IndexRow row{};
    row.id = {ItemPointerGetBlockNumber(tid), ItemPointerGetOffsetNumber(tid)};
    row.codeless = isnull[0];
    if (layout.columns > 0) {
        encode_filters(index, layout, values, isnull, record);
        row.filters = {record, layout.record_bytes()};
    }
    Bitvec* code = row.codeless ? nullptr : bitvec_of(values[0]);
    if (code != nullptr) {
        row.code = bytes_of(code);
        check_indexable(row.code, layout);
    }
    f(row);
    if (code != nullptr) free_if_copy(code, values[0]);
}

}  // namespace nphd
