#include "engine/shard/plain_lanes.hpp"

#include <algorithm>
#include <cstring>
#include <numeric>

#include "engine/shard/lane_input.hpp"

namespace nphd {

void PlainLanes::add(std::span<const std::uint8_t> code, RowId row) {
    const auto code_bytes = static_cast<std::uint32_t>(code.size());
    Lane& lane = by_length_[code_bytes];
    lane.words = record_bytes_for(code_bytes) / 8;
    const std::size_t at = lane.codes.size();
    lane.codes.resize(at + lane.words);
    if (code_bytes > 0) std::memcpy(&lane.codes[at], code.data(), code_bytes);
    lane.rows.push_back(PackedRowId::pack(row));
    // A vector has up to twice what it holds; seal() has a second copy and the order.
    bytes_ += 3 * (std::size_t{lane.words} * 8 + sizeof(PackedRowId)) + 8;
}

/// Nodes in the order of their codes, each with its rows as they came.
void PlainLanes::Lane::seal(std::uint32_t code_bytes, std::uint64_t posting_base, LaneView& view) {
    const std::size_t n = rows.size();
    const auto code = [&](std::uint32_t i) { return &codes[std::size_t{i} * words]; };
    std::vector<std::uint32_t> order(n);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        return std::memcmp(code(a), code(b), std::size_t{words} * 8) < 0;
    });
    std::vector<std::uint64_t> distinct;
    distinct.reserve(codes.size());
    std::vector<PackedRowId> sorted(n);
    for (std::uint32_t i = 0; i < n; ++i) {
        sorted[i] = rows[order[i]];
        if (i > 0 && std::memcmp(code(order[i]), code(order[i - 1]), std::size_t{words} * 8) == 0) continue;
        distinct.insert(distinct.end(), code(order[i]), code(order[i]) + words);
        offsets.push_back(i);
    }
    const auto nodes = static_cast<std::uint32_t>(offsets.size());
    offsets.push_back(static_cast<std::uint32_t>(n));
    codes.swap(distinct);
    rows.swap(sorted);

    view.code_bytes = code_bytes;
    view.nodes = nodes;
    view.postings = static_cast<std::uint32_t>(n);
    view.posting_base = posting_base;
    view.codes = RecordArray::plain(codes.data(), words * 8, nodes);
    view.posting_offsets = RecordArray::plain(offsets.data(), sizeof(std::uint32_t), nodes + 1);
    view.row_ids = RecordArray::plain(rows.data(), sizeof(PackedRowId), static_cast<std::uint32_t>(n));
}

void PlainLanes::seal() {
    std::uint64_t base = 0;
    views_.resize(by_length_.size());
    auto view = views_.begin();
    for (auto& [code_bytes, lane] : by_length_) {
        lane.seal(code_bytes, base, *view++);
        base += lane.rows.size();
    }
}

}  // namespace nphd
