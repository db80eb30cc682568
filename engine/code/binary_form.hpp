// The binary form of a code, that of PostgreSQL's varbit: the number of bits, 32 bits in network order, then the bytes.
#pragma once

#include <cstdint>
#include <span>

namespace nphd {

inline constexpr std::size_t kBinaryHead = 4;  // bytes before those of the code

struct BinaryForm {
    enum Fault { none, too_short, bad_length } fault;
    std::int32_t bits;                    // as the message says; 0 if it is too short for that
    std::span<const std::uint8_t> bytes;  // of the code, inside of the message, if there is no fault
};

/// What a message begins with; bytes behind it are the caller's business. A code has whole bytes and at most
/// `most_bits`.
BinaryForm read_binary(std::span<const std::uint8_t> message, std::int32_t most_bits) noexcept;

}  // namespace nphd
