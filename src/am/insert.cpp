#include "src/am/am.hpp"
#include "src/am/code_datum.hpp"
#include "src/storage/pending.hpp"

namespace nphd {

bool nphdinsert(Relation index, Datum* values, bool* isnull, ItemPointer row, Relation, IndexUniqueCheck, bool,
                IndexInfo*) {
    if (isnull[0]) return false;
    CodeDatum code = code_datum(values[0]);
    check_indexable(code);
    pending_append(index, row, code.bytes, code.length);
    code_datum_free(&code);
    return false;
}

}  // namespace nphd
