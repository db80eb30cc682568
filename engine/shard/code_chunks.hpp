// The chunks of a code that radius tables are ordered by. Part of the shard format.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nphd {

/// Bits [chunk * bits, (chunk + 1) * bits) of a zero-padded record, as a number whose lowest bit is the first of them.
/// Bit j of a record is bit j % 64 of its little-endian word j / 64. 0 < bits <= 32; the chunk lies inside the record,
/// and nothing beyond the words that it touches is read.
[[gnu::always_inline]] inline std::uint32_t code_chunk(const std::byte* record, std::uint32_t chunk,
                                                       std::uint32_t bits) noexcept {
    const std::uint32_t from = chunk * bits, shift = from % 64;
    const std::byte* const at = record + std::size_t{from / 64} * 8;
    std::uint64_t word;
    std::memcpy(&word, at, 8);
    std::uint64_t value = word >> shift;
    if (shift + bits > 64) {
        std::memcpy(&word, at + 8, 8);
        value |= word << (64 - shift);
    }
    return static_cast<std::uint32_t>(value & ((std::uint64_t{1} << bits) - 1));
}
inline std::uint32_t code_chunk(const std::uint64_t* words, std::uint32_t chunk, std::uint32_t bits) noexcept {
    return code_chunk(reinterpret_cast<const std::byte*>(words), chunk, bits);
}

}  // namespace nphd
