#include "engine/iscc/digits.hpp"

#include <algorithm>

namespace nphd::iscc {
namespace {

constexpr std::uint8_t kNoDigit = 0xFF;

struct Alphabet {
    const char* name;
    std::string_view digits;
    unsigned bits;  // per digit; 0: the base is no power of two
    std::array<std::uint8_t, 256> value{};

    constexpr Alphabet(const char* alphabet_name, unsigned bits_per_digit, std::string_view all, bool any_case) noexcept
        : name(alphabet_name), digits(all), bits(bits_per_digit) {
        value.fill(kNoDigit);
        for (std::size_t i = 0; i < all.size(); ++i) {
            const char c = all[i];
            value[static_cast<std::uint8_t>(c)] = static_cast<std::uint8_t>(i);
            if (any_case && c >= 'A' && c <= 'Z')
                value[static_cast<std::uint8_t>(c - 'A' + 'a')] = static_cast<std::uint8_t>(i);
        }
    }
};

constexpr std::string_view kBase32Digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

constexpr Alphabet kAlphabets[] = {
    {"hexadecimal", 4, "0123456789ABCDEF", true},
    {"base32", 5, kBase32Digits, true},
    {"base32hex", 5, "0123456789ABCDEFGHIJKLMNOPQRSTUV", true},
    {"base58", 0, "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz", false},
    {"base64url", 6, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_", false},
};

bool too_long(Failure* failure) noexcept {
    return failure->set(0, "The text stands for more than the %zu bytes that an ISCC can have", Bytes::kCapacity);
}

bool no_digit(const Alphabet& alphabet, Piece digits, std::size_t i, Failure* failure) noexcept {
    return failure->set(digits.begin + i + 1, "is not a %s digit", alphabet.name);
}

bool read_bits(const Alphabet& alphabet, Piece digits, bool hyphens, bool spare_bits, Bytes* out,
               Failure* failure) noexcept {
    unsigned pending = 0, pending_bits = 0;
    std::size_t count = 0;
    for (std::size_t i = 0; i < digits.text.size(); ++i) {
        const char c = digits.text[i];
        if (hyphens && c == '-' && count >= 2) continue;
        const std::uint8_t value = alphabet.value[static_cast<std::uint8_t>(c)];
        if (value == kNoDigit) return no_digit(alphabet, digits, i, failure);
        ++count;
        pending = pending << alphabet.bits | value;
        pending_bits += alphabet.bits;
        if (pending_bits < 8) continue;
        pending_bits -= 8;
        if (!out->push(static_cast<std::uint8_t>(pending >> pending_bits))) return too_long(failure);
        pending &= (1u << pending_bits) - 1;
    }
    // Where a whole digit is left over, no number of bytes has that many digits.
    if (pending_bits >= alphabet.bits)
        return failure->set(0, "%zu %s digits are no whole number of bytes", count, alphabet.name);
    if (pending != 0 && !spare_bits)
        return failure->set(0, "The last %s digit has bits that belong to no byte", alphabet.name);
    return true;
}

bool read_base58(const Alphabet& alphabet, Piece digits, Bytes* out, Failure* failure) noexcept {
    // Zero bytes in front are a digit each, as they do not change the number.
    std::size_t i = 0;
    for (; i < digits.text.size() && digits.text[i] == alphabet.digits[0]; ++i)
        if (!out->push(0)) return too_long(failure);
    const std::size_t begin = out->size;
    for (; i < digits.text.size(); ++i) {
        unsigned carry = alphabet.value[static_cast<std::uint8_t>(digits.text[i])];
        if (carry == kNoDigit) return no_digit(alphabet, digits, i, failure);
        for (std::size_t at = out->size; at > begin; --at) {
            carry += 58u * out->data[at - 1];
            out->data[at - 1] = static_cast<std::uint8_t>(carry);
            carry >>= 8;
        }
        if (carry == 0) continue;
        if (!out->push(0)) return too_long(failure);
        std::move_backward(out->data.begin() + static_cast<std::ptrdiff_t>(begin),
                           out->data.begin() + static_cast<std::ptrdiff_t>(out->size - 1),
                           out->data.begin() + static_cast<std::ptrdiff_t>(out->size));
        out->data[begin] = static_cast<std::uint8_t>(carry);
    }
    return true;
}

}  // namespace

bool read_digits(Base base, Piece digits, bool hyphens, Bytes* out, Failure* failure) noexcept {
    const Alphabet& alphabet = kAlphabets[static_cast<std::size_t>(base)];
    if (base == Base::base58) return read_base58(alphabet, digits, out, failure);
    const bool base32 = base == Base::base32;
    return read_bits(alphabet, digits, hyphens && base32, base32, out, failure);
}

char* write_base32(std::span<const std::uint8_t> bytes, char* out) noexcept {
    unsigned pending = 0, pending_bits = 0;
    for (const std::uint8_t byte : bytes) {
        pending = pending << 8 | byte;
        for (pending_bits += 8; pending_bits >= 5; pending_bits -= 5)
            *out++ = kBase32Digits[pending >> (pending_bits - 5) & 31];
        pending &= (1u << pending_bits) - 1;
    }
    if (pending_bits > 0) *out++ = kBase32Digits[pending << (5 - pending_bits) & 31];
    return out;
}

}  // namespace nphd::iscc
