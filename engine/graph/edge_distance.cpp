#include "engine/graph/edge_distance.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

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

void LocalCodes::load(const RecordArray& codes, std::span<const NodeId> ids) {
    const std::size_t bytes = std::size_t{kind_.record_words} * 8;
    if (words_.size() < ids.size() * kind_.record_words) words_.resize(ids.size() * kind_.record_words);
    auto* to = reinterpret_cast<std::byte*>(words_.data());
    if (bytes == 32) {  // the common case, as two moves without a call
        for (std::size_t i = 0; i < ids.size(); ++i) std::memcpy(to + i * 32, codes.at(ids[i]), 32);
    } else {
        for (std::size_t i = 0; i < ids.size(); ++i) std::memcpy(to + i * bytes, codes.at(ids[i]), bytes);
    }
    rows_ = RecordArray::plain(to, static_cast<std::uint32_t>(bytes), static_cast<std::uint32_t>(ids.size()));
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
    std::uint32_t* const prefix = out + n;
    kernels().hamming_range(probe, rows_, first, n, prefix);
    for (std::uint32_t j = 0; j < n; ++j) out[j] = prefix[j] << kind_.prefix_shift | out[j] >> kind_.tie_shift;
}

void LocalCodes::distances_to(std::uint32_t i, std::span<const std::uint32_t> places, std::uint32_t* out) const {
    const auto n = static_cast<std::uint32_t>(places.size());
    Probe probe;
    probe.words = reinterpret_cast<const std::uint64_t*>(rows_.at(i));
    probe.n_words = kind_.record_words;
    probe.bits = kind_.code_bits;
    if (kind_.metric == Metric::jaccard) {
        kernels().jaccard_gather(probe, rows_, places.data(), n, out);
        for (std::uint32_t j = 0; j < n; ++j) out[j] >>= 16;
        return;
    }
    kernels().hamming_gather(probe, rows_, places.data(), n, out);
    if (kind_.prefix_bits == 0) return;
    probe.bits = kind_.prefix_bits;
    probe.n_words = (kind_.prefix_bits + 63) / 64;
    if (const std::uint32_t rest = kind_.prefix_bits % 64) probe.last_mask = (std::uint64_t{1} << rest) - 1;
    std::uint32_t* const prefix = out + n;
    kernels().hamming_gather(probe, rows_, places.data(), n, prefix);
    for (std::uint32_t j = 0; j < n; ++j) out[j] = prefix[j] << kind_.prefix_shift | out[j] >> kind_.tie_shift;
}

}  // namespace nphd
