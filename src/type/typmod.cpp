// bitvec(n): n is the most bits that a value may have. The type modifier is n itself, -1 where none was given.
#include "src/type/bitvec.hpp"

namespace nphd {

NPHD_FUNCTION(bitvec_typmod_in) {
    int count = 0;
    const int32* modifiers = ArrayGetIntegerTypmods(PG_GETARG_ARRAYTYPE_P(0), &count);
    if (count != 1)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("type bitvec takes one modifier, the maximum length in bits"));
    const int32 bits = modifiers[0];
    if (bits < 8)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("length for type bitvec must be at least 8 bits"));
    if (bits > kMaxBitvecBits)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("length for type bitvec cannot exceed %d bits", kMaxBitvecBits));
    if (bits % 8 != 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                errmsg("length for type bitvec must be a multiple of 8 bits"),
                errhint("Use bitvec(%d) to hold values of %d bits padded to whole bytes.", (bits + 7) / 8 * 8, bits));
    PG_RETURN_INT32(bits);
}

NPHD_FUNCTION(bitvec_typmod_out) {
    const int32 typmod = PG_GETARG_INT32(0);
    PG_RETURN_CSTRING(typmod < 0 ? pstrdup("") : psprintf("(%d)", typmod));
}

// The length coercion (value, typmod, explicit): an explicit cast keeps the first bits, an assignment refuses.
NPHD_FUNCTION(bitvec_coerce_length) {
    const Datum value = PG_GETARG_DATUM(0);
    const int32 typmod = PG_GETARG_INT32(1);
    const bool is_explicit = PG_GETARG_BOOL(2);

    const auto bits = static_cast<size_t>(stored_bits(value));
    if (!exceeds_typmod(bits, typmod)) return value;
    if (!is_explicit) ereport(ERROR, too_long_for_typmod(bits, typmod));
    return bitvec_datum(bitvec_prefix(value, typmod / 8));
}

}  // namespace nphd
