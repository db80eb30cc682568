// The text form of bitvec (engine/code/hex_text.hpp), strict as bit's and uuid's. Output depends on no setting, so a
// dump reads back anywhere.
#include "src/type/bitvec.hpp"
#include "src/type/shown_input.hpp"

#include "engine/code/hex_text.hpp"

namespace nphd {

NPHD_FUNCTION(bitvec_in) {
    const char* input = PG_GETARG_CSTRING(0);
    const int32 typmod = PG_GETARG_INT32(2);

    const HexText text = scan_hex(input);
    const size_t count = text.digits.size();
    const char* rest = input + text.end;
    if (*rest != '\0')
        NPHD_INPUT_ERROR(fcinfo, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                         errmsg("invalid input syntax for type %s: \"%s\"", "bitvec", shown(input)),
                         errdetail("\"%.*s\" at position %zu is not a hexadecimal digit.", character_bytes(rest), rest,
                                   text.end + 1));
    if (count % 2 != 0)
        NPHD_INPUT_ERROR(
            fcinfo, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
            errmsg("invalid input syntax for type %s: \"%s\"", "bitvec", shown(input)),
            errdetail("A bitvec is made of whole bytes, two hexadecimal digits each; there are %zu.", count));
    const size_t bytes = count / 2;
    if (bytes > static_cast<size_t>(kMaxBitvecBytes)) NPHD_INPUT_ERROR(fcinfo, limit_exceeded(bytes * 8));
    if (exceeds_typmod(bytes * 8, typmod)) NPHD_INPUT_ERROR(fcinfo, too_long_for_typmod(bytes * 8, typmod));

    Bitvec* result = new_bitvec(bytes);
    decode_hex(text.digits, payload(result));
    return bitvec_datum(result);
}

NPHD_FUNCTION(bitvec_out) {
    const CodeBytes bytes = bytes_of(bitvec_of(PG_GETARG_DATUM(0)));
    auto* text = static_cast<char*>(palloc(bytes.size() * 2 + 1));
    write_hex(bytes, text);
    text[bytes.size() * 2] = '\0';
    PG_RETURN_CSTRING(text);
}

}  // namespace nphd
