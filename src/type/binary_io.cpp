// The binary form of bitvec (engine/code/binary_form.hpp).
#include "src/type/bitvec.hpp"

#include "engine/code/binary_form.hpp"

namespace nphd {

// Nothing is allocated before the length was compared with the bytes at hand. Bytes left over are the caller's error.
NPHD_FUNCTION(bitvec_recv) {
    auto* message = reinterpret_cast<StringInfo>(PG_GETARG_POINTER(0));
    const int32 typmod = PG_GETARG_INT32(2);

    const auto* rest = reinterpret_cast<const uint8*>(message->data + message->cursor);
    const BinaryForm read = read_binary({rest, static_cast<size_t>(message->len - message->cursor)}, kMaxBitvecBits);
    if (read.fault == BinaryForm::bad_length)
        NPHD_INPUT_ERROR(fcinfo, errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
                         errmsg("invalid bit length %d in external bitvec value", read.bits),
                         errdetail("A bitvec has whole bytes and at most %d bits.", kMaxBitvecBits));
    if (read.fault == BinaryForm::too_short)
        ereport(ERROR, (errcode(ERRCODE_PROTOCOL_VIOLATION), errmsg("insufficient data left in message")));
    message->cursor += static_cast<int>(kBinaryHead + read.bytes.size());
    if (exceeds_typmod(static_cast<size_t>(read.bits), typmod))
        NPHD_INPUT_ERROR(fcinfo, too_long_for_typmod(static_cast<size_t>(read.bits), typmod));
    return bitvec_datum(new_bitvec(read.bytes));
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
