// The text form of a code: hexadecimal digits, two to a byte, the first digit of a pair being the high half.
//
// Reading is strict: an optional prefix \x, 0x or 0X, then digits of either case and nothing else, no white space.
// Writing is in lower case without prefix. Nothing here allocates or throws.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace nphd {

struct HexText {
    std::string_view digits;  // without the prefix, up to the first byte that is none
    std::size_t end;          // where in the text that byte is; the text's size: there is none
};

HexText scan_hex(std::string_view text) noexcept;

/// The bytes that digits stand for, digits.size() / 2 of them; digits.size() is even.
void decode_hex(std::string_view digits, std::uint8_t* out) noexcept;

/// Writes 2 * bytes.size() digits.
void write_hex(std::span<const std::uint8_t> bytes, char* out) noexcept;

}  // namespace nphd
