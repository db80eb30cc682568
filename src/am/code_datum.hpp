// A bitvec datum as the access method sees it: plain bytes.
#pragma once

#include "src/pg.hpp"

#include "engine/base/types.hpp"

namespace nphd {

struct CodeDatum {
    const uint8* bytes;
    uint32 length;
    struct varlena* detoasted;  // to pfree, or null
};

/// Detoasts if need be, into the current memory context.
inline CodeDatum code_datum(Datum value) {
    auto* original = reinterpret_cast<struct varlena*>(DatumGetPointer(value));
    struct varlena* packed = PG_DETOAST_DATUM_PACKED(value);
    return {reinterpret_cast<const uint8*>(VARDATA_ANY(packed)), static_cast<uint32>(VARSIZE_ANY_EXHDR(packed)),
            packed == original ? nullptr : packed};
}

inline void code_datum_free(CodeDatum* code) {
    if (code->detoasted != nullptr) pfree(code->detoasted);
}

/// ERROR 54000 for a code that no page can hold.
inline void check_indexable(const CodeDatum& code) {
    if (code.length > kMaxCodeBytes)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("a code of %u bits is too long for an nphd index", code.length * 8),
                        errdetail("The longest code that can be indexed has %u bits.", kMaxCodeBytes * 8)));
}

}  // namespace nphd
