// The constants of a scan key.
#pragma once

#include "src/pg.hpp"

namespace nphd {

/// Calls visit(Datum) for the constant of `column op constant`, or for each that is not NULL of `column op ANY
/// (array)`. Runs PostgreSQL code that may raise errors; what it allocates stays in the current memory context.
template <typename Visit>
void each_constant(const ScanKeyData& key, Visit visit) {
    if ((key.sk_flags & SK_SEARCHARRAY) == 0) {
        visit(key.sk_argument);
        return;
    }
    ArrayType* array = DatumGetArrayTypeP(key.sk_argument);
    int16 length;
    bool by_value;
    char align;
    get_typlenbyvalalign(ARR_ELEMTYPE(array), &length, &by_value, &align);
    Datum* values;
    bool* nulls;
    int n;
    deconstruct_array(array, ARR_ELEMTYPE(array), length, by_value, align, &values, &nulls, &n);
    for (int i = 0; i < n; ++i) {
        CHECK_FOR_INTERRUPTS();
        if (!nulls[i]) visit(values[i]);
    }
}

}  // namespace nphd
