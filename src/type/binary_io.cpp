// The binary form of bitvec, that of varbit: the number of bits as a 32-bit integer in network order, then the bytes.
#include "src/type/bitvec.hpp"

namespace nphd {

// Nothing is allocated before the length was compared with the bytes at hand. Bytes left over are the caller's error.
NPHD_FUNCTION(bitvec_recv) {
    auto* message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    const int32 typmod = PG_GETARG_INT32(2);

    const auto bits = static_cast<int32>(pq_getmsgint(message, 4));
    if (bits < 0 || bits > kMaxBitvecBits || bits % 8 != 0)
        NPHD_INPUT_ERROR(fcinfo, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                         errmsg("invalid bit length %d in external bitvec value", bits),
                         errdetail("A bitvec has whole bytes and at most %d bits.", kMaxBitvecBits));
    const char* bytes = pq_getmsgbytes(message, bits / 8);
    if (exceeds_typmod(static_cast<size_t>(bits), typmod))
        NPHD_INPUT_ERROR(fcinfo, too_long_for_typmod(static_cast<size_t>(bits), typmod));
    return bitvec_datum(new_bitvec({reinterpret_cast<const uint8*>(bytes), static_cast<size_t>(bits / 8)}));
}

NPHD_FUNCTION(bitvec_send) {
    const CodeBytes bytes = bytes_of(bitvec_of(PG_GETARG_DATUM(0)));
    StringInfoData message;
    pq_begintypsend(&message);
    pq_sendint32(&message, static_cast<uint32>(bytes.size() * 8));
    pq_sendbytes(&message, reinterpret_cast<const char*>(bytes.data()), static_cast<int>(bytes.size()));
    PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

}  // namespace nphd
