// The hash of a code's zero-padded record, and of a filter value. Part of the shard format: the key directory and the
// bloom filters on disk are ordered by it, so it never changes (test/engine/lookup_tables_test.cpp has known values).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "engine/shard/filter_record.hpp"

namespace nphd {

/// Word by word, the first one first: start with the default, add() each word, take value().
class RecordHash {
public:
    void add(std::uint64_t word) noexcept {
        h_ = (h_ ^ word) * kFactor;
        h_ ^= h_ >> 32;
    }
    std::uint64_t value() const noexcept {
        const std::uint64_t h = h_ * kFactor;
        return h ^ h >> 29;
    }

private:
    static constexpr std::uint64_t kFactor = 0xD6E8FEB86659FD93ull;
    std::uint64_t h_ = 0x9E3779B97F4A7C15ull;
};

/// Of a value of a filter column.
inline std::uint64_t hash_filter_value(FilterValue value) noexcept {
    RecordHash hash;
    hash.add(static_cast<std::uint64_t>(value));
    hash.add(static_cast<std::uint64_t>(value >> 64));
    return hash.value();
}

/// `bytes` is a multiple of 8.
inline std::uint64_t hash_record(const std::byte* record, std::uint32_t bytes) noexcept {
    RecordHash hash;
    for (std::uint32_t i = 0; i < bytes; i += 8) {
        std::uint64_t w;
        std::memcpy(&w, record + i, 8);
        hash.add(w);
    }
    return hash.value();
}

/// hash_record() of the record that a lane keeps of this code.
inline std::uint64_t hash_code(std::span<const std::uint8_t> code) noexcept {
    RecordHash hash;
    std::size_t i = 0;
    for (; i + 8 <= code.size(); i += 8) {
        std::uint64_t w;
        std::memcpy(&w, code.data() + i, 8);
        hash.add(w);
    }
    if (i < code.size() || code.empty()) {
        std::uint64_t w = 0;
        if (!code.empty()) std::memcpy(&w, code.data() + i, code.size() - i);
        hash.add(w);
    }
    return hash.value();
}

}  // namespace nphd
