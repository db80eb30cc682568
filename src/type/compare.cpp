// Equality, order and hash of bitvec: the exact bytes, shorter first where one value is the beginning of the other. So
// '' < 'aa' < 'aa00' < 'aaff' < 'ab', and a value is never equal to its prefix, however near the distances call them.
#include "src/type/compare.hpp"

namespace nphd {

int compare_bytes(CodeBytes a, CodeBytes b) {
    const size_t common = Min(a.size(), b.size());
    const int order = common == 0 ? 0 : memcmp(a.data(), b.data(), common);
    if (order != 0) return order;
    return static_cast<int>(a.size()) - static_cast<int>(b.size());
}

int compare_values(Datum a, Datum b) {
    Bitvec* va = bitvec_of(a);
    Bitvec* vb = bitvec_of(b);
    const int order = compare_bytes(bytes_of(va), bytes_of(vb));
    free_if_copy(va, a);
    free_if_copy(vb, b);
    return order;
}

/// Values of different sizes differ, whatever is in them: no need to fetch those that are stored out of line.
static bool equal_values(Datum a, Datum b) { return stored_bytes(a) == stored_bytes(b) && compare_values(a, b) == 0; }

NPHD_FUNCTION(bitvec_eq) { PG_RETURN_BOOL(equal_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1))); }
NPHD_FUNCTION(bitvec_ne) { PG_RETURN_BOOL(!equal_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1))); }
NPHD_FUNCTION(bitvec_lt) { PG_RETURN_BOOL(compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) < 0); }
NPHD_FUNCTION(bitvec_le) { PG_RETURN_BOOL(compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) <= 0); }
NPHD_FUNCTION(bitvec_ge) { PG_RETURN_BOOL(compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) >= 0); }
NPHD_FUNCTION(bitvec_gt) { PG_RETURN_BOOL(compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) > 0); }

NPHD_FUNCTION(bitvec_cmp) {
    const int order = compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1));
    PG_RETURN_INT32(order < 0 ? -1 : order > 0);
}

NPHD_FUNCTION(bitvec_smaller) {
    return compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) <= 0 ? PG_GETARG_DATUM(0) : PG_GETARG_DATUM(1);
}

NPHD_FUNCTION(bitvec_larger) {
    return compare_values(PG_GETARG_DATUM(0), PG_GETARG_DATUM(1)) >= 0 ? PG_GETARG_DATUM(0) : PG_GETARG_DATUM(1);
}

NPHD_FUNCTION(bitvec_hash) {
    Bitvec* v = bitvec_of(PG_GETARG_DATUM(0));
    const CodeBytes bytes = bytes_of(v);
    const Datum hash = hash_any(bytes.data(), static_cast<int>(bytes.size()));
    free_if_copy(v, PG_GETARG_DATUM(0));
    return hash;
}

NPHD_FUNCTION(bitvec_hash_extended) {
    Bitvec* v = bitvec_of(PG_GETARG_DATUM(0));
    const CodeBytes bytes = bytes_of(v);
    const auto seed = static_cast<uint64>(PG_GETARG_INT64(1));
    const Datum hash = hash_any_extended(bytes.data(), static_cast<int>(bytes.size()), seed);
    free_if_copy(v, PG_GETARG_DATUM(0));
    return hash;
}

}  // namespace nphd
