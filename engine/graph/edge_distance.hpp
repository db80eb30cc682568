// Distances as the graph builder sees them: 16-bit numbers between members of a small, contiguous copy of codes.
#pragma once

#include <span>
#include <vector>

#include "engine/base/record_array.hpp"
#include "engine/distance/kernels.hpp"

namespace nphd {

/// What a kind of edge is chosen by: the whole code, or a prefix of it with ties broken by the whole code.
/// Every distance fits into 16 bits, which halves the candidate lists: bits are counted exactly (a code has at most
/// 64,000), a Jaccard key keeps its upper half, and a prefix distance takes as many of the lower bits for the tie-break
/// as it leaves.
struct EdgeKind {
    Metric metric;
    std::uint32_t record_words;
    std::uint32_t code_bits;
    std::uint32_t prefix_bits = 0;   // 0: the whole code
    std::uint32_t prefix_shift = 0;  // of the prefix distance
    std::uint32_t tie_shift = 0;     // right shift of the whole distance as tie-break

    static EdgeKind whole(Metric, std::uint32_t code_bytes, std::uint32_t record_bytes) noexcept;
    /// 0 < prefix_bytes < code_bytes; not for Jaccard.
    static EdgeKind prefix(std::uint32_t prefix_bytes, std::uint32_t code_bytes, std::uint32_t record_bytes) noexcept;
};

/// A contiguous copy of some codes, for all-pairs work out of the cache. Keeps its memory from one load to the next.
class LocalCodes {
public:
    explicit LocalCodes(const EdgeKind& kind) : kind_(kind) {}

    /// Copies codes[ids[i]] to place i.
    void load(const RecordArray& codes, std::span<const NodeId> ids);
    std::uint32_t size() const noexcept { return rows_.count; }
    /// The codes, by place.
    const RecordArray& rows() const noexcept { return rows_; }

    /// out[j] = distance of the record of a code to place first + j, for j in [0, n). `out` has room for
    /// 2 n + kDistanceSlack values; those beyond n are scratch.
    void distances(const std::byte* record, std::uint32_t first, std::uint32_t n, std::uint32_t* out) const;
    static constexpr std::uint32_t kDistanceSlack = 8;

private:
    void combine(const std::uint32_t* prefix, std::uint32_t n, std::uint32_t* distance) const;

    EdgeKind kind_;
    std::vector<std::uint64_t> words_, prefix_words_;
    RecordArray rows_, prefix_rows_;  // the latter: prefixes alone, which are read much faster than as parts of rows_
};

}  // namespace nphd
