// Binary quantisation: a bit for each number of an array, as pgvector's binary_quantize() makes them. The first number
// is the highest bit of the first byte, which is also the first bit of bit(n).
#include "src/type/bitvec.hpp"

namespace nphd {

static void check_array(ArrayType* array, int32 count) {
    if (ARR_NDIM(array) > 1)
        ereport(ERROR, errcode(ERRCODE_ARRAY_SUBSCRIPT_ERROR),
                errmsg("cannot make a bitvec of an array of %d dimensions", ARR_NDIM(array)));
    if (array_contains_nulls(array))
        ereport(ERROR, errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
                errmsg("cannot make a bitvec of an array that contains nulls"));
    if (count > kMaxBitvecBits) ereport(ERROR, limit_exceeded(static_cast<size_t>(count)));
    if (count % 8 != 0)
        ereport(ERROR, errcode(ERRCODE_STRING_DATA_LENGTH_MISMATCH),
                errmsg("cannot make a bitvec of an array of %d elements", count),
                errdetail("A bitvec is made of whole bytes, eight elements each."),
                errhint("Append %d elements that are the same in every array.", 8 - count % 8));
}

/// Sets bit i where element i is greater than the threshold.
template <class Float>
static Datum quantise(ArrayType* array, Float threshold) {
    const int32 count = ArrayGetNItems(ARR_NDIM(array), ARR_DIMS(array));
    check_array(array, count);
    if (isnan(threshold))
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("the threshold must not be NaN"));
    const auto* const elements = reinterpret_cast<const Float*>(ARR_DATA_PTR(array));
    const auto bytes = static_cast<size_t>(count / 8);
    Bitvec* const result = new_bitvec(bytes);
    memset(payload(result), 0, bytes);
    for (int32 i = 0; i < count; ++i) {
        if (isnan(elements[i]))
            ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    errmsg("cannot make a bit of NaN, element %d of the array", i + 1));
        if (elements[i] > threshold) payload(result)[i / 8] |= static_cast<uint8>(0x80 >> i % 8);
    }
    return bitvec_datum(result);
}

NPHD_FUNCTION(bitvec_from_float4s) { return quantise(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_FLOAT4(1)); }
NPHD_FUNCTION(bitvec_from_float8s) { return quantise(PG_GETARG_ARRAYTYPE_P(0), PG_GETARG_FLOAT8(1)); }

}  // namespace nphd
