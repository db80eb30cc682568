// A hash of a code's zero-padded record, within one process: nothing on disk depends on it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nphd {

/// `bytes` is a multiple of 8.
inline std::uint64_t hash_record(const std::byte* record, std::uint32_t bytes) noexcept {
    std::uint64_t h = 0x9E3779B97F4A7C15ull;
    for (std::uint32_t i = 0; i < bytes; i += 8) {
        std::uint64_t w;
        std::memcpy(&w, record + i, 8);
        h = (h ^ w) * 0xD6E8FEB86659FD93ull;
        h ^= h >> 32;
    }
    h *= 0xD6E8FEB86659FD93ull;
    return h ^ h >> 29;
}

}  // namespace nphd
