#include "src/type/bitvec.hpp"

namespace nphd {

Bitvec* new_bitvec(size_t bytes) {
    Assert(bytes <= static_cast<size_t>(kMaxBitvecBytes));
    auto* v = static_cast<Bitvec*>(palloc(VARHDRSZ + bytes));
    SET_VARSIZE(v, VARHDRSZ + bytes);
    return v;
}

Bitvec* new_bitvec(CodeBytes bytes) {
    Bitvec* v = new_bitvec(bytes.size());
    if (!bytes.empty()) memcpy(payload(v), bytes.data(), bytes.size());
    return v;
}

uint8* payload(Bitvec* v) { return reinterpret_cast<uint8*>(VARDATA(v)); }

int different_lengths(size_t a_bits, size_t b_bits) {
    errcode(ERRCODE_STRING_DATA_LENGTH_MISMATCH);
    return errmsg("different bit lengths %zu and %zu", a_bits, b_bits);
}

int limit_exceeded(size_t bits) {
    errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED);
    errmsg("bitvec cannot exceed %d bits", kMaxBitvecBits);
    return errdetail("The value would have %zu bits.", bits);
}

int too_long_for_typmod(size_t bits, int32 typmod) {
    errcode(ERRCODE_STRING_DATA_RIGHT_TRUNCATION);
    return errmsg("value of %zu bits is too long for type bitvec(%d)", bits, typmod);
}

}  // namespace nphd
