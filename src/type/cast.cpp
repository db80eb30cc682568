// Casts between bitvec and bytea, varbit (and so bit), bigint and uuid. They carry the bytes over as they are; numbers
// are big-endian. (bitvec to bytea needs no function: the representation is the same.)
#include "src/type/bitvec.hpp"

namespace nphd {

/// The bytes of a value that must have exactly `bits` bits to become a `target`.
static CodeBytes exactly(Datum value, size_t bits, const char* target) {
    const CodeBytes bytes = bytes_of(bitvec_of(value));
    if (bytes.size() * 8 != bits)
        ereport(ERROR, errcode(ERRCODE_STRING_DATA_LENGTH_MISMATCH),
                errmsg("cannot cast bitvec of %zu bits to type %s", bytes.size() * 8, target),
                errdetail("Exactly %zu bits are needed.", bits));
    return bytes;
}

NPHD_FUNCTION(bitvec_from_bytea) {
    const Datum value = PG_GETARG_DATUM(0);
    const Size bytes = toast_raw_datum_size(value) - VARHDRSZ;
    if (bytes > static_cast<Size>(kMaxBitvecBytes)) ereport(ERROR, limit_exceeded(bytes * 8));
    return value;
}

NPHD_FUNCTION(bitvec_from_varbit) {
    const VarBit* value = PG_GETARG_VARBIT_P(0);
    const auto bits = static_cast<size_t>(VARBITLEN(value));
    if (bits % 8 != 0)
        ereport(ERROR, errcode(ERRCODE_STRING_DATA_LENGTH_MISMATCH),
                errmsg("cannot cast bit string of %zu bits to type bitvec", bits),
                errdetail("A bitvec is made of whole bytes."));
    if (bits > static_cast<size_t>(kMaxBitvecBits)) ereport(ERROR, limit_exceeded(bits));
    return bitvec_datum(new_bitvec({VARBITS(value), bits / 8}));
}

NPHD_FUNCTION(bitvec_to_varbit) {
    const CodeBytes bytes = bytes_of(bitvec_of(PG_GETARG_DATUM(0)));
    const auto bits = static_cast<int>(bytes.size() * 8);
    const Size size = VARBITTOTALLEN(bits);
    auto* result = static_cast<VarBit*>(palloc(size));
    SET_VARSIZE(result, size);
    VARBITLEN(result) = bits;
    if (!bytes.empty()) memcpy(VARBITS(result), bytes.data(), bytes.size());
    PG_RETURN_VARBIT_P(result);
}

NPHD_FUNCTION(bitvec_from_int8) {
    const uint64 big_endian = pg_hton64(static_cast<uint64>(PG_GETARG_INT64(0)));
    return bitvec_datum(new_bitvec({reinterpret_cast<const uint8*>(&big_endian), sizeof big_endian}));
}

NPHD_FUNCTION(bitvec_to_int8) {
    const CodeBytes bytes = exactly(PG_GETARG_DATUM(0), 64, "bigint");
    uint64 big_endian;
    memcpy(&big_endian, bytes.data(), sizeof big_endian);
    PG_RETURN_INT64(static_cast<int64>(pg_ntoh64(big_endian)));
}

NPHD_FUNCTION(bitvec_from_uuid) {
    const pg_uuid_t* uuid = PG_GETARG_UUID_P(0);
    return bitvec_datum(new_bitvec({uuid->data, UUID_LEN}));
}

NPHD_FUNCTION(bitvec_to_uuid) {
    const CodeBytes bytes = exactly(PG_GETARG_DATUM(0), UUID_LEN * 8, "uuid");
    auto* uuid = static_cast<pg_uuid_t*>(palloc(sizeof(pg_uuid_t)));
    memcpy(uuid->data, bytes.data(), UUID_LEN);
    PG_RETURN_UUID_P(uuid);
}

}  // namespace nphd
