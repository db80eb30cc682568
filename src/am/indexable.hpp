// Which codes an index can hold.
#pragma once

#include "src/type/bitvec.hpp"

namespace nphd {

/// ERROR 54000 for a code that no page can hold.
inline void check_indexable(CodeBytes code) {
    if (code.size() > kMaxCodeBytes)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("a code of %zu bits is too long for an nphd index", code.size() * 8),
                        errdetail("The longest code that can be indexed has %u bits.", kMaxCodeBytes * 8)));
}

}  // namespace nphd
