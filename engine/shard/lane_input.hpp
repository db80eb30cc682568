// Codes of one length with their row ids and filter records, in the order of arrival.
#pragma once

#include <bit>
#include <vector>

#include "engine/base/memory_budget.hpp"
#include "engine/base/types.hpp"
#include "engine/shard/format.hpp"
#include "engine/shard/shard_build.hpp"

namespace nphd {

/// Bytes that a lane keeps per code: whole words, at least one.
constexpr std::uint32_t record_bytes_for(std::uint32_t code_bytes) noexcept {
    return code_bytes == 0 ? 8u : (code_bytes + 7u) & ~7u;
}

/// Append-only and chunked, so that growing never copies: chunks double from 4 KiB to 16 MiB of codes and filter
/// records, then stay that size. A row costs record_bytes + 6 bytes and those of its filter record; at most half of a
/// small lane, or a chunk of a large one, is slack.
class LaneInput {
public:
    LaneInput(MemoryBudget& budget, std::uint32_t code_bytes, const FilterLayout& layout);

    /// `filters` is read if there are filter columns. Throws std::bad_alloc, and std::length_error beyond 2^32 - 2
    /// rows.
    void add(const std::uint8_t* code, RowId row, const std::byte* filters);

    std::uint32_t rows() const noexcept { return rows_; }
    std::uint32_t code_bytes() const noexcept { return code_bytes_; }
    std::uint32_t record_bytes() const noexcept { return record_bytes_; }
    /// The zero-padded record of row < rows(); record_bytes() bytes, 8-byte aligned.
    const std::byte* code(std::uint32_t row) const noexcept {
        const Place p = place(row);
        return chunks_[p.chunk].codes.data() + std::size_t{p.offset} * record_bytes_;
    }
    PackedRowId row_id(std::uint32_t row) const noexcept {
        const Place p = place(row);
        return chunks_[p.chunk].ids[p.offset];
    }
    const FilterLayout& layout() const noexcept { return layout_; }
    /// The filter record of a row; layout().record_bytes() bytes, more than 0 of them.
    const std::byte* filters(std::uint32_t row) const noexcept {
        const Place p = place(row);
        return chunks_[p.chunk].filters.data() + std::size_t{p.offset} * filter_bytes_;
    }
    /// Whether the column is NULL in any row.
    bool has_null(std::uint32_t column) const noexcept { return (null_columns_ >> column & 1) != 0; }
    /// From here on code() is off limits.
    void release_codes() noexcept {
        for (Chunk& c : chunks_) c.codes = {};
    }

private:
    struct Chunk {
        LargeArray<std::byte> codes;
        LargeArray<PackedRowId> ids;
        LargeArray<std::byte> filters;
    };
    struct Place {
        std::size_t chunk;
        std::uint32_t offset;
    };
    /// Chunk 0 holds 2^first_shift_ rows, chunk j > 0 the rows from 2^(first_shift_ + j - 1) to twice that, and from
    /// 2^last_shift_ on each chunk holds 2^last_shift_ rows.
    Place place(std::uint32_t row) const noexcept {
        const std::uint32_t above = row >> first_shift_;
        if (above == 0) return {0, row};
        if (row >> last_shift_ == 0) {
            const auto j = static_cast<std::uint32_t>(std::bit_width(above));
            return {j, row - (1u << (first_shift_ + j - 1))};
        }
        return {last_shift_ - first_shift_ + (row >> last_shift_), row & ((1u << last_shift_) - 1)};
    }
    std::uint32_t chunk_rows(std::size_t chunk) const noexcept {
        if (chunk == 0) return 1u << first_shift_;
        const auto shift = static_cast<std::uint32_t>(first_shift_ + chunk - 1);
        return 1u << (shift < last_shift_ ? shift : last_shift_);
    }

    MemoryBudget* budget_;
    std::uint32_t code_bytes_;
    std::uint32_t record_bytes_;
    FilterLayout layout_;
    std::uint32_t filter_bytes_;
    unsigned null_columns_ = 0;
    std::uint32_t first_shift_;
    std::uint32_t last_shift_;
    std::uint32_t rows_ = 0;
    std::vector<Chunk> chunks_;
};

struct ShardInput::Lanes {
    Lanes(MemoryBudget& b, const FilterLayout& l) : budget(b), layout(l) {}
    MemoryBudget& budget;
    FilterLayout layout;
    std::vector<std::unique_ptr<LaneInput>> by_length;  // index: code_bytes
    std::unique_ptr<LaneInput> codeless;
    std::uint64_t rows = 0;
};

}  // namespace nphd
