#include <cstring>
#include <stdexcept>

#include "engine/shard/lane_input.hpp"

namespace nphd {

namespace {
constexpr std::size_t kFirstChunkBytes = 4096;
constexpr std::size_t kLastChunkBytes = std::size_t{16} << 20;
constexpr std::uint32_t kMaxRows = kNoNode - 1;

std::uint32_t shift_for(std::size_t bytes, std::uint32_t record_bytes) {
    const std::size_t rows = bytes / record_bytes;
    return rows == 0 ? 0 : static_cast<std::uint32_t>(std::bit_width(rows) - 1);
}
}  // namespace

LaneInput::LaneInput(MemoryBudget& budget, std::uint32_t code_bytes)
    : budget_(&budget),
      code_bytes_(code_bytes),
      record_bytes_(record_bytes_for(code_bytes)),
      first_shift_(shift_for(kFirstChunkBytes, record_bytes_)),
      last_shift_(shift_for(kLastChunkBytes, record_bytes_)) {}

void LaneInput::add(const std::uint8_t* code, RowId row) {
    if (rows_ >= kMaxRows) throw std::length_error("too many codes of one length in a shard");
    const Place p = place(rows_);
    if (p.chunk == chunks_.size()) {
        const std::size_t n = chunk_rows(p.chunk);
        chunks_.push_back({LargeArray<std::byte>(*budget_, n * record_bytes_), LargeArray<PackedRowId>(*budget_, n)});
    }
    Chunk& chunk = chunks_[p.chunk];
    // Blocks of a MemoryBudget are zero-filled: the padding is there already.
    if (code_bytes_ != 0) std::memcpy(chunk.codes.data() + std::size_t{p.offset} * record_bytes_, code, code_bytes_);
    chunk.ids[p.offset] = PackedRowId::pack(row);
    ++rows_;
}

ShardInput::ShardInput(MemoryBudget& budget) : lanes_(std::make_unique<Lanes>(budget)) {}
ShardInput::~ShardInput() = default;

void ShardInput::add(std::span<const std::uint8_t> code, RowId row) {
    if (code.size() > kMaxCodeBytes) throw std::length_error("code too long for a shard");
    auto& by_length = lanes_->by_length;
    if (code.size() >= by_length.size()) by_length.resize(code.size() + 1);
    auto& lane = by_length[code.size()];
    if (!lane) lane = std::make_unique<LaneInput>(lanes_->budget, static_cast<std::uint32_t>(code.size()));
    lane->add(code.data(), row);
    ++lanes_->rows;
}

std::uint64_t ShardInput::rows() const noexcept { return lanes_->rows; }

}  // namespace nphd
