#include "src/am/am.hpp"
#include "src/am/indexable.hpp"
#include "src/maintenance/background.hpp"
#include "src/storage/pending.hpp"

namespace nphd {

bool nphdinsert(Relation index, Datum* values, bool* isnull, ItemPointer row, Relation, IndexUniqueCheck, bool,
                IndexInfo*) {
    if (isnull[0]) return false;
    Bitvec* value = bitvec_of(values[0]);
    check_indexable(bytes_of(value));
    const uint32 pages = pending_append(index, row, bytes_of(value));
    if (pages > 0) background_start_if_due(index, pages);
    free_if_copy(value, values[0]);
    return false;
}

}  // namespace nphd
