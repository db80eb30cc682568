// The text form of bitvec: every text is read as a reader that goes digit by digit reads it, and what was read is
// written as it came.
#include <cctype>
#include <string>
#include <vector>

#include "engine/code/hex_text.hpp"
#include "test/fuzz/fuzz.hpp"

using namespace nphd;

static bool is_digit(char c) { return std::isxdigit(static_cast<unsigned char>(c)) != 0; }

static bool has_prefix(const std::string& text) {
    const std::string start = text.substr(0, 2);
    return start == "\\x" || start == "0x" || start == "0X";
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    // Of its exact size, so that a byte too many is noticed.
    const std::vector<char> exact(data, data + size);
    const std::string text(exact.begin(), exact.end());
    const HexText read = scan_hex({exact.data(), exact.size()});

    std::size_t end = has_prefix(text) ? 2 : 0;
    std::string digits;
    for (; end < size && is_digit(text[end]); ++end) digits += static_cast<char>(std::tolower(text[end]));
    fuzz::require(read.end == end, "it ends where the digits end");
    fuzz::require(read.digits.size() == digits.size(), "all digits are read");
    if (digits.size() % 2 != 0) return 0;

    std::vector<std::uint8_t> bytes(digits.size() / 2);
    decode_hex(read.digits, bytes.data());
    for (std::size_t i = 0; i < bytes.size(); ++i)
        fuzz::require(bytes[i] == std::stoi(digits.substr(2 * i, 2), nullptr, 16), "a byte is what its digits say");
    std::vector<char> written(digits.size());
    write_hex(bytes, written.data());
    fuzz::require(std::string(written.begin(), written.end()) == digits, "what is written is what was read");
    return 0;
}
