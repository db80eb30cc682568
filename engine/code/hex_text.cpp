#include "engine/code/hex_text.hpp"

#include <array>

namespace nphd {

static constexpr std::uint8_t kNoDigit = 0xFF;
static constexpr auto kDigitValue = [] {
    std::array<std::uint8_t, 256> value{};
    value.fill(kNoDigit);
    for (std::uint8_t i = 0; i < 10; ++i) value[static_cast<std::size_t>('0' + i)] = i;
    for (std::uint8_t i = 0; i < 6; ++i) {
        value[static_cast<std::size_t>('a' + i)] = static_cast<std::uint8_t>(10 + i);
        value[static_cast<std::size_t>('A' + i)] = static_cast<std::uint8_t>(10 + i);
    }
    return value;
}();

static std::uint8_t digit_value(char c) noexcept { return kDigitValue[static_cast<std::uint8_t>(c)]; }

static std::size_t prefix_size(std::string_view text) noexcept {
    return text.starts_with("\\x") || text.starts_with("0x") || text.starts_with("0X") ? 2 : 0;
}

HexText scan_hex(std::string_view text) noexcept {
    const std::size_t begin = prefix_size(text);
    std::size_t end = begin;
    while (end < text.size() && digit_value(text[end]) != kNoDigit) ++end;
    return {text.substr(begin, end - begin), end};
}

void decode_hex(std::string_view digits, std::uint8_t* out) noexcept {
    for (std::size_t i = 0; i < digits.size(); i += 2)
        *out++ = static_cast<std::uint8_t>(digit_value(digits[i]) << 4 | digit_value(digits[i + 1]));
}

void write_hex(std::span<const std::uint8_t> bytes, char* out) noexcept {
    static constexpr char kDigits[] = "0123456789abcdef";
    for (const std::uint8_t byte : bytes) {
        *out++ = kDigits[byte >> 4];
        *out++ = kDigits[byte & 15];
    }
}

}  // namespace nphd
