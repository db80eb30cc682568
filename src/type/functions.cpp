// Measuring, cutting and combining values.
#include "src/type/bitvec.hpp"

#include <functional>

namespace nphd {

NPHD_FUNCTION(bitvec_bit_length) { PG_RETURN_INT32(stored_bits(PG_GETARG_DATUM(0))); }
NPHD_FUNCTION(bitvec_octet_length) { PG_RETURN_INT32(stored_bytes(PG_GETARG_DATUM(0))); }

NPHD_FUNCTION(bitvec_bit_count) {
    const CodeBytes bytes = bytes_of(bitvec_of(PG_GETARG_DATUM(0)));
    PG_RETURN_INT64(kernels().popcount(bytes.data(), bytes.size()));
}

NPHD_FUNCTION(bitvec_first_bits) {
    const Datum value = PG_GETARG_DATUM(0);
    const int32 bits = PG_GETARG_INT32(1);
    if (bits < 0 || bits % 8 != 0)
        ereport(ERROR, errcode(ERRCODE_INVALID_PARAMETER_VALUE), errmsg("invalid prefix length %d", bits),
                errdetail("The length is in bits, a multiple of 8 and not negative."));
    if (bits >= stored_bits(value)) return value;
    return bitvec_datum(bitvec_prefix(value, bits / 8));
}

/// A value whose bytes are op(a, b) of two values of one length.
template <class Op>
static Datum combine(FunctionCallInfo fcinfo, Op op) {
    const CodeBytes a = bytes_of(bitvec_of(PG_GETARG_DATUM(0)));
    const CodeBytes b = bytes_of(bitvec_of(PG_GETARG_DATUM(1)));
    if (a.size() != b.size()) ereport(ERROR, different_lengths(a.size() * 8, b.size() * 8));
    Bitvec* result = new_bitvec(a.size());
    uint8* out = payload(result);
    for (size_t i = 0; i < a.size(); ++i) out[i] = static_cast<uint8>(op(a[i], b[i]));
    return bitvec_datum(result);
}

NPHD_FUNCTION(bitvec_and) { return combine(fcinfo, std::bit_and<>()); }
NPHD_FUNCTION(bitvec_or) { return combine(fcinfo, std::bit_or<>()); }
NPHD_FUNCTION(bitvec_xor) { return combine(fcinfo, std::bit_xor<>()); }

NPHD_FUNCTION(bitvec_not) {
    const CodeBytes bytes = bytes_of(bitvec_of(PG_GETARG_DATUM(0)));
    Bitvec* result = new_bitvec(bytes.size());
    uint8* out = payload(result);
    for (size_t i = 0; i < bytes.size(); ++i) out[i] = static_cast<uint8>(~bytes[i]);
    return bitvec_datum(result);
}

NPHD_FUNCTION(bitvec_concat) {
    const CodeBytes a = bytes_of(bitvec_of(PG_GETARG_DATUM(0)));
    const CodeBytes b = bytes_of(bitvec_of(PG_GETARG_DATUM(1)));
    const size_t bytes = a.size() + b.size();
    if (bytes > static_cast<size_t>(kMaxBitvecBytes)) ereport(ERROR, limit_exceeded(bytes * 8));
    Bitvec* result = new_bitvec(bytes);
    memcpy(payload(result), a.data(), a.size());
    memcpy(payload(result) + a.size(), b.data(), b.size());
    return bitvec_datum(result);
}

}  // namespace nphd
