// Fixed-size records in plain memory or laid over pages, behind one address computation.
#pragma once

#include <cstring>

#include "engine/base/types.hpp"

namespace nphd {

/// `count` records of `record_bytes` each. On pages, each page holds `per_page` whole records from byte
/// kPageDataOffset on; in plain memory they are contiguous. A trivial view: it owns nothing.
struct RecordArray {
    const std::byte* base = nullptr;    // the first record
    std::uint64_t page_reciprocal = 0;  // ceil(2^64 / per_page); 0: plain memory, one endless page
    std::uint32_t page_gap = 0;         // bytes from the end of a page's records to the next page's first
    std::uint32_t record_bytes = 0;
    std::uint32_t count = 0;

    /// The record's address; i must be below count: ids that come from a page are checked by the caller.
    [[gnu::always_inline]] const std::byte* at(std::uint32_t i) const noexcept {
        const auto page = static_cast<std::uint64_t>((static_cast<unsigned __int128>(page_reciprocal) * i) >> 64);
        return base + static_cast<std::uint64_t>(i) * record_bytes + page * page_gap;
    }

    /// The i-th record as a value of type T (sizeof(T) <= record_bytes); records need not be aligned.
    template <class T>
    [[gnu::always_inline]] T value(std::uint32_t i) const noexcept {
        T v;
        std::memcpy(&v, at(i), sizeof v);
        return v;
    }

    /// The i-th record as a number of 3 or 4 bytes (shard/packed_numbers.hpp). Reads 4, which end before the page does.
    [[gnu::always_inline]] std::uint32_t number(std::uint32_t i) const noexcept {
        std::uint32_t number;
        std::memcpy(&number, at(i), sizeof number);
        return record_bytes == 3 ? number & 0xFFFFFF : number;
    }

    static constexpr std::uint32_t records_per_page(std::uint32_t record_bytes) noexcept {
        return static_cast<std::uint32_t>(kPageDataBytes / record_bytes);
    }
    static constexpr std::uint32_t pages_for(std::uint64_t count, std::uint32_t record_bytes) noexcept {
        const std::uint32_t per_page = records_per_page(record_bytes);
        return static_cast<std::uint32_t>((count + per_page - 1) / per_page);
    }

    static RecordArray plain(const void* first, std::uint32_t record_bytes, std::uint32_t count) noexcept {
        return {static_cast<const std::byte*>(first), 0, 0, record_bytes, count};
    }
    /// `first_page` is the address of the first page, 0 < record_bytes <= kPageDataBytes.
    static RecordArray paged(const void* first_page, std::uint32_t record_bytes, std::uint32_t count) noexcept {
        const std::uint32_t per_page = records_per_page(record_bytes);
        RecordArray a;
        a.base = static_cast<const std::byte*>(first_page) + kPageDataOffset;
        // per_page == 1 has no 64-bit reciprocal; a record of a whole page is addressed by its gap alone.
        a.page_reciprocal = per_page > 1 ? ~std::uint64_t{0} / per_page + 1 : 0;
        a.page_gap = static_cast<std::uint32_t>(kPageBytes) - per_page * record_bytes;
        a.record_bytes = record_bytes;
        if (per_page == 1) {
            a.record_bytes = static_cast<std::uint32_t>(kPageBytes);
            a.page_gap = 0;
        }
        a.count = count;
        return a;
    }
};

}  // namespace nphd
