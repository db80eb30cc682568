// Sorting bitvec by abbreviated keys: the first bytes of a value, as one unsigned number, settle nearly every
// comparison of codes without following a pointer. Values that begin alike, or end early, are compared in full.
#include "src/type/compare.hpp"

namespace nphd {

static int compare_full(Datum a, Datum b, SortSupport) { return compare_values(a, b); }

/// The first bytes, zero-padded, so that the order of keys never contradicts the order of values.
static Datum abbreviate(Datum value, SortSupport) {
    const auto* stored = reinterpret_cast<const Bitvec*>(DatumGetPointer(value));
    const bool packed = !VARATT_IS_EXTERNAL(stored) && !VARATT_IS_COMPRESSED(stored);
    Bitvec* v = packed ? bitvec_of(value) : bitvec_prefix(value, sizeof(Datum));
    const CodeBytes bytes = bytes_of(v);
    Datum key = 0;
    if (!bytes.empty()) memcpy(&key, bytes.data(), Min(bytes.size(), sizeof key));
    free_if_copy(v, value);
    return DatumBigEndianToNative(key);
}

/// Never: making a key costs a load, so there is nothing to save, even where all codes begin alike.
static bool abort_abbreviation(int, SortSupport) { return false; }

NPHD_FUNCTION(bitvec_sortsupport) {
    auto* sort = reinterpret_cast<SortSupport>(PG_GETARG_POINTER(0));
    sort->comparator = compare_full;
    if (sort->abbreviate) {
        sort->abbrev_full_comparator = compare_full;
        sort->comparator = ssup_datum_unsigned_cmp;
        sort->abbrev_converter = abbreviate;
        sort->abbrev_abort = abort_abbreviation;
    }
    PG_RETURN_VOID();
}

}  // namespace nphd
