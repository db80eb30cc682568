// The text form of bitvec: which texts are digits, and what they stand for.
#include "engine/code/hex_text.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <string>
#include <vector>

namespace nphd::test {
namespace {

std::string digits_of(std::string_view text) { return std::string(scan_hex(text).digits); }

TEST(HexText, MayHaveAPrefix) {
    for (const char* text : {"00ff", "\\x00ff", "0x00ff", "0X00ff"}) {
        EXPECT_EQ(digits_of(text), "00ff") << text;
        EXPECT_EQ(scan_hex(text).end, std::string_view(text).size()) << text;
    }
    EXPECT_EQ(digits_of(""), "");
    EXPECT_EQ(digits_of("0x"), "");
    EXPECT_EQ(digits_of("0"), "0");
}

TEST(HexText, EndsBeforeWhatIsNoDigit) {
    EXPECT_EQ(scan_hex("00fg").end, 3u);
    EXPECT_EQ(scan_hex(" 00").end, 0u);
    EXPECT_EQ(scan_hex("0x0x").end, 3u);
    EXPECT_EQ(scan_hex("\\X00").end, 0u);
    EXPECT_EQ(scan_hex("x00").end, 0u);
    EXPECT_EQ(scan_hex(std::string_view("00\0ff", 5)).end, 2u);
    for (int byte = 0; byte < 256; ++byte) {
        const std::string text(1, static_cast<char>(byte));
        const bool digit = std::string_view("0123456789abcdefABCDEF").find(text) != std::string_view::npos;
        EXPECT_EQ(scan_hex(text).end, digit ? 1u : 0u) << byte;
    }
}

TEST(HexText, IsTwoDigitsToAByte) {
    std::vector<std::uint8_t> all(256);
    std::string lower, upper;
    for (unsigned byte = 0; byte < 256; ++byte) {
        char digits[3];
        all[byte] = static_cast<std::uint8_t>(byte);
        std::snprintf(digits, sizeof digits, "%02x", byte);
        lower += digits;
        std::snprintf(digits, sizeof digits, "%02X", byte);
        upper += digits;
    }
    for (const std::string& text : {lower, upper}) {
        std::vector<std::uint8_t> read(256);
        decode_hex(digits_of(text), read.data());
        EXPECT_EQ(read, all);
    }
    std::string written(512, ' ');
    write_hex(all, written.data());
    EXPECT_EQ(written, lower);
}

}  // namespace
}  // namespace nphd::test
