#include <cstring>
#include <stdexcept>

#include "engine/shard/lane_input.hpp"

namespace nphd {

namespace {
constexpr std::size_t kFirstChunkBytes = 4096;
constexpr std::size_t kLastChunkBytes = std::size_t{16} << 20;
constexpr std::uint32_t kMaxRows = kNoNode - 1;

/// Of the largest power of two of rows, at least one, that take at most `bytes`.
std::uint32_t shift_for(std::size_t bytes, std::uint32_t row_bytes) {
    const std::size_t rows = bytes / row_bytes;
    return rows == 0 ? 0 : static_cast<std::uint32_t>(std::bit_width(rows) - 1);
}
}  // namespace

LaneInput::LaneInput(MemoryBudget& budget, std::uint32_t code_bytes, const FilterLayout& layout)
    : budget_(&budget),
      code_bytes_(code_bytes),
      record_bytes_(record_bytes_for(code_bytes)),
      layout_(layout),
      filter_bytes_(layout.record_bytes()),
      first_shift_(shift_for(kFirstChunkBytes, record_bytes_ + filter_bytes_)),
      last_shift_(shift_for(kLastChunkBytes, record_bytes_ + filter_bytes_)) {}

void LaneInput::add(const std::uint8_t* code, RowId row, const std::byte* filters) {
    if (rows_ >= kMaxRows) throw std::length_error("too many codes of one length in a shard");
    const Place p = place(rows_);
    if (p.chunk == chunks_.size()) {
        const std::size_t n = chunk_rows(p.chunk);
        chunks_.push_back({LargeArray<std::byte>(*budget_, n * record_bytes_), LargeArray<PackedRowId>(*budget_, n),
                           LargeArray<std::byte>(*budget_, n * filter_bytes_)});
    }
    Chunk& chunk = chunks_[p.chunk];
    // Blocks of a MemoryBudget are zero-filled: the padding is there already.
    if (code_bytes_ != 0) std::memcpy(chunk.codes.data() + std::size_t{p.offset} * record_bytes_, code, code_bytes_);
    chunk.ids[p.offset] = PackedRowId::pack(row);
    if (filter_bytes_ != 0) {
        std::memcpy(chunk.filters.data() + std::size_t{p.offset} * filter_bytes_, filters, filter_bytes_);
        null_columns_ |= std::to_integer<unsigned>(filters[0]);
    }
    ++rows_;
}

ShardInput::ShardInput(MemoryBudget& budget, const FilterLayout& filters)
    : lanes_(std::make_unique<Lanes>(budget, filters)) {}
ShardInput::~ShardInput() = default;

void ShardInput::add(std::span<const std::uint8_t> code, RowId row, const std::byte* filters) {
    if (code.size() > kMaxCodeBytes) throw std::length_error("code too long for a shard");
    auto& by_length = lanes_->by_length;
    if (code.size() >= by_length.size()) by_length.resize(code.size() + 1);
    auto& lane = by_length[code.size()];
    if (!lane)
        lane = std::make_unique<LaneInput>(lanes_->budget, static_cast<std::uint32_t>(code.size()), lanes_->layout);
    lane->add(code.data(), row, filters);
    ++lanes_->rows;
}

void ShardInput::add_codeless(RowId row, const std::byte* filters) {
    auto& lane = lanes_->codeless;
    if (!lane) lane = std::make_unique<LaneInput>(lanes_->budget, 0, lanes_->layout);
    lane->add(nullptr, row, filters);
    ++lanes_->rows;
}

std::uint64_t ShardInput::rows() const noexcept { return lanes_->rows; }

}  // namespace nphd
