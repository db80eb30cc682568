// What a row carries beside its code for filters: the values of an index's further key columns. The engine knows them
// as unsigned numbers whose order is that of the values; what they stand for is the caller's business.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace nphd {

inline constexpr std::uint32_t kMaxFilterColumns = 8;

using FilterValue = unsigned __int128;

constexpr bool valid_filter_width(std::uint32_t bytes) noexcept {
    return bytes == 1 || bytes == 2 || bytes == 4 || bytes == 8 || bytes == 16;
}

/// A value of `width` bytes, little-endian, at any alignment.
inline FilterValue load_filter_value(const std::byte* at, std::uint32_t width) noexcept {
    const auto load = [at]<class T>(T v) {
        std::memcpy(&v, at, sizeof v);
        return FilterValue{v};
    };
    switch (width) {
        case 1:
            return load(std::uint8_t{});
        case 2:
            return load(std::uint16_t{});
        case 4:
            return load(std::uint32_t{});
        case 8:
            return load(std::uint64_t{});
        default:
            return load(FilterValue{});
    }
}
inline void store_filter_value(std::byte* at, std::uint32_t width, FilterValue value) noexcept {
    std::memcpy(at, &value, width);
}

/// The columns of an index, and where their values stand in a row's record: a byte with bit c set where column c is
/// NULL, then the values back to back, zero where NULL. Part of the format of pending pages.
struct FilterLayout {
    std::uint8_t columns = 0;
    std::uint8_t width[kMaxFilterColumns] = {};  // bytes of a value: 1, 2, 4, 8 or 16

    constexpr std::uint32_t offset(std::uint32_t column) const noexcept {
        std::uint32_t at = 1;
        for (std::uint32_t c = 0; c < column; ++c) at += width[c];
        return at;
    }
    /// 0 without columns.
    constexpr std::uint32_t record_bytes() const noexcept { return columns == 0 ? 0 : offset(columns); }
    constexpr bool valid() const noexcept {
        if (columns > kMaxFilterColumns) return false;
        for (std::uint32_t c = 0; c < kMaxFilterColumns; ++c)
            if (c < columns ? !valid_filter_width(width[c]) : width[c] != 0) return false;
        return true;
    }
    friend bool operator==(const FilterLayout&, const FilterLayout&) = default;
};
static_assert(sizeof(FilterLayout) == 1 + kMaxFilterColumns);

inline constexpr std::uint32_t kMaxFilterRecordBytes = 1 + 16 * kMaxFilterColumns;

inline bool filter_is_null(const std::byte* record, std::uint32_t column) noexcept {
    return (std::to_integer<unsigned>(record[0]) >> column & 1) != 0;
}
/// Marks the column as NULL; its value is left alone.
inline void set_filter_null(std::byte* record, std::uint32_t column) noexcept {
    record[0] |= static_cast<std::byte>(1u << column);
}

}  // namespace nphd
