#include "src/am/am.hpp"
#include "src/am/index_row.hpp"
#include "src/maintenance/background.hpp"
#include "src/storage/pending.hpp"

namespace nphd {

bool nphdinsert(Relation index, Datum* values, bool* isnull, ItemPointer tid, Relation, IndexUniqueCheck, bool,
                IndexInfo*) {
    uint32 pages = 0;
    with_index_row(index, filter_layout(index), tid, values, isnull,
                   [&](const IndexRow& row) { pages = pending_append(index, row); });
    if (pages > 0) background_start_if_due(index, pages);
    return false;
}

}  // namespace nphd
