// The text form of bitvec: hexadecimal digits, two to a byte, the first digit of a pair being the high half.
//
// Input is strict, as bit's and uuid's: an optional prefix \x, 0x or 0X, then digits of either case and nothing else,
// no white space. Output is lower case without prefix and depends on no setting, so a dump reads back anywhere.
#include "src/type/bitvec.hpp"
#include "src/type/shown_input.hpp"

#include <array>

namespace nphd {

static constexpr uint8 kNoDigit = 0xFF;
static constexpr auto kDigitValue = [] {
    std::array<uint8, 256> value{};
    value.fill(kNoDigit);
    for (uint8 i = 0; i < 10; ++i) value[static_cast<size_t>('0' + i)] = i;
    for (uint8 i = 0; i < 6; ++i) {
        value[static_cast<size_t>('a' + i)] = static_cast<uint8>(10 + i);
        value[static_cast<size_t>('A' + i)] = static_cast<uint8>(10 + i);
    }
    return value;
}();

static uint8 digit_value(char c) { return kDigitValue[static_cast<uint8>(c)]; }

static const char* skip_prefix(const char* text) {
    const bool backslash = text[0] == '\\' && text[1] == 'x';
    const bool zero = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
    return backslash || zero ? text + 2 : text;
}

static size_t count_digits(const char* text) {
    size_t n = 0;
    while (digit_value(text[n]) != kNoDigit) ++n;
    return n;
}

static void decode(const char* digits, uint8* out, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i)
        out[i] = static_cast<uint8>(digit_value(digits[2 * i]) << 4 | digit_value(digits[2 * i + 1]));
}

NPHD_FUNCTION(bitvec_in) {
    const char* input = PG_GETARG_CSTRING(0);
    const int32 typmod = PG_GETARG_INT32(2);

    const char* digits = skip_prefix(input);
    const size_t count = count_digits(digits);
    const char* rest = digits + count;
    if (*rest != '\0')
        NPHD_INPUT_ERROR(fcinfo, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
                         errmsg("invalid input syntax for type %s: \"%s\"", "bitvec", shown(input)),
                         errdetail("\"%.*s\" at position %zu is not a hexadecimal digit.", character_bytes(rest), rest,
                                   static_cast<size_t>(rest - input) + 1));
    if (count % 2 != 0)
        NPHD_INPUT_ERROR(
            fcinfo, errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
            errmsg("invalid input syntax for type %s: \"%s\"", "bitvec", shown(input)),
            errdetail("A bitvec is made of whole bytes, two hexadecimal digits each; there are %zu.", count));
    const size_t bytes = count / 2;
    if (bytes > static_cast<size_t>(kMaxBitvecBytes)) NPHD_INPUT_ERROR(fcinfo, limit_exceeded(bytes * 8));
    if (exceeds_typmod(bytes * 8, typmod)) NPHD_INPUT_ERROR(fcinfo, too_long_for_typmod(bytes * 8, typmod));

    Bitvec* result = new_bitvec(bytes);
    decode(digits, payload(result), bytes);
    return bitvec_datum(result);
}

NPHD_FUNCTION(bitvec_out) {
    static constexpr char kDigits[] = "0123456789abcdef";
    const CodeBytes bytes = bytes_of(bitvec_of(PG_GETARG_DATUM(0)));
    auto* text = static_cast<char*>(palloc(bytes.size() * 2 + 1));
    char* out = text;
    for (const uint8 byte : bytes) {
        *out++ = kDigits[byte >> 4];
        *out++ = kDigits[byte & 15];
    }
    *out = '\0';
    PG_RETURN_CSTRING(text);
}

}  // namespace nphd
