#include "engine/graph/edge_distance.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/graph/distance_rows.hpp"

namespace nphd {

EdgeKind EdgeKind::whole(Metric metric, std::uint32_t code_bytes, std::uint32_t record_bytes) noexcept {
    return {metric, record_bytes / 8, 8 * code_bytes};
}

EdgeKind EdgeKind::prefix(std::uint32_t prefix_bytes, std::uint32_t code_bytes, std::uint32_t record_bytes) noexcept {
    EdgeKind k = whole(Metric::nphd, code_bytes, record_bytes);
    k.prefix_bits = 8 * prefix_bytes;
    k.prefix_shift = 16 - static_cast<std::uint32_t>(std::bit_width(k.prefix_bits));
    const auto width = static_cast<std::uint32_t>(std::bit_width(k.code_bits));
    k.tie_shift = width > k.prefix_shift ? width - k.prefix_shift : 0;
    return k;
}

namespace {

/// Copies the first `words` words of each record into `to`.
RecordArray copy_records(const RecordArray& codes, std::span<const NodeId> ids, std::uint32_t words,
                         std::vector<std::uint64_t>& to) {
    const std::size_t bytes = std::size_t{words} * 8;
    if (to.size() < ids.size() * words) to.resize(ids.size() * words);
    auto* const base = reinterpret_cast<std::byte*>(to.data());
    if (bytes == 32) {  // the common case, as two moves without a call
        for (std::size_t i = 0; i < ids.size(); ++i) std::memcpy(base + i * 32, codes.at(ids[i]), 32);
    } else {
        for (std::size_t i = 0; i < ids.size(); ++i) std::memcpy(base + i * bytes, codes.at(ids[i]), bytes);
    }
    return RecordArray::plain(base, 8 * words, static_cast<std::uint32_t>(ids.size()));
}

}  // namespace

void LocalCodes::load(const RecordArray& codes, std::span<const NodeId> ids) {
    rows_ = copy_records(codes, ids, kind_.record_words, words_);
    if (kind_.prefix_bits > 0) prefix_rows_ = copy_records(codes, ids, (kind_.prefix_bits + 63) / 64, prefix_words_);
}

void LocalCodes::distances(const std::byte* record, std::uint32_t first, std::uint32_t n, std::uint32_t* out) const {
    Probe probe;
    probe.words = reinterpret_cast<const std::uint64_t*>(record);
    probe.n_words = kind_.record_words;
    probe.bits = kind_.code_bits;
    if (kind_.metric == Metric::jaccard) {
        kernels().jaccard_range(probe, rows_, first, n, out);
        for (std::uint32_t j = 0; j < n; ++j) out[j] >>= 16;
        return;
    }
    kernels().hamming_range(probe, rows_, first, n, out);
    if (kind_.prefix_bits == 0) return;
    probe.bits = kind_.prefix_bits;
    probe.n_words = (kind_.prefix_bits + 63) / 64;
    if (const std::uint32_t rest = kind_.prefix_bits % 64) probe.last_mask = (std::uint64_t{1} << rest) - 1;
    std::uint32_t* const prefix = out + (n + 3) / 4 * 4;
    kernels().hamming_range(probe, prefix_rows_, first, n, prefix);
    combine(prefix, n, out);
}

/// Makes whole distances tie-breaks of prefix distances, four at a time.
void LocalCodes::combine(const std::uint32_t* prefix, std::uint32_t n, std::uint32_t* distance) const {
    const auto prefix_shift = static_cast<std::int32_t>(kind_.prefix_shift);
    const auto tie_shift = static_cast<std::int32_t>(kind_.tie_shift);
    for (std::uint32_t j = 0; j < n; j += 4) {
        const Int4 combined = load4(prefix + j) << prefix_shift | load4(distance + j) >> tie_shift;
        std::memcpy(distance + j, &combined, sizeof combined);
    }
}

}  // namespace nphd
