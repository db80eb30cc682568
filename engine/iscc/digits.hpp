// Bytes as digits of a text: the bases that an ISCC may be written in.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <span>
#include <string_view>

namespace nphd::iscc {

/// Why a text is refused. `position` is the place, from 1, of the byte of the text that `reason` is a predicate of;
/// where it is 0, `reason` is a sentence of its own, about the whole. Neither has a full stop.
struct Failure {
    std::size_t position = 0;
    std::array<char, 120> reason{};

    template <class... Values>
    bool set(std::size_t at, const char* format, Values... values) noexcept {
        position = at;
        if constexpr (sizeof...(Values) == 0) {
            std::snprintf(reason.data(), reason.size(), "%s", format);
        } else {
            std::snprintf(reason.data(), reason.size(), format, values...);
        }
        return false;
    }
};

/// Room for whatever can be an ISCC: five units of 256 bits with their headers, and a multicodec prefix.
struct Bytes {
    static constexpr std::size_t kCapacity = 176;

    std::array<std::uint8_t, kCapacity> data;
    std::size_t size = 0;

    /// False if there is no room.
    bool push(std::uint8_t byte) noexcept {
        if (size == kCapacity) return false;
        data[size++] = byte;
        return true;
    }
    std::span<const std::uint8_t> from(std::size_t offset) const noexcept {
        return {data.data() + offset, size - offset};
    }
};

enum class Base : std::uint8_t { base16, base32, base32hex, base58, base64url };

/// A piece of a text that knows where it begins there, so that an error can name a place.
struct Piece {
    std::string_view text;
    std::size_t begin = 0;
};

/// Appends to `out` what `digits` stand for, without padding, and returns true; or says why not. All but base58 and
/// base64url take letters of either case. In base32 hyphens are skipped once two digits were read, if `hyphens` says
/// so, and spare bits of the last digit may have any value; in the others they are zero.
bool read_digits(Base base, Piece digits, bool hyphens, Bytes* out, Failure* failure) noexcept;

/// Writes `bytes` in base32 without padding, (8 * size + 4) / 5 upper-case digits, and returns the place after them.
char* write_base32(std::span<const std::uint8_t> bytes, char* out) noexcept;

}  // namespace nphd::iscc
