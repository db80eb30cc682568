// Distance kernels: one table per instruction set, all bit-identical to the scalar one, chosen once at run time.
#pragma once

#include <span>
#include <vector>

#include "engine/base/record_array.hpp"
#include "engine/base/types.hpp"

namespace nphd {

/// Bits set in both codes and bits set in at least one.
struct Overlap {
    std::uint32_t both;
    std::uint32_t either;
};

/// A query prepared for one lane: the bytes that are compared, as little-endian words padded with zeros.
/// Records of a lane are padded with zero bytes to whole words, so only a query shorter than the lane needs the mask.
struct Probe {
    const std::uint64_t* words = nullptr;
    std::uint32_t n_words = 0;        // words compared; 0 when nothing is compared
    std::uint32_t bits = 0;           // bits compared
    std::uint64_t last_mask = ~0ull;  // of the last compared word
};

/// A "raw" distance orders the codes of one lane for one probe: the number of differing bits for NPHD and Hamming,
/// the DistanceKey for Jaccard.
struct Kernels {
    const char* name;  // "scalar", "popcnt", "avx2", "avx512", "neon"

    /// Differing bits of two codes of `bytes` bytes, any alignment, any length (0 included).
    std::uint32_t (*hamming)(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes);
    Overlap (*overlap)(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes);
    std::uint32_t (*popcount)(const std::uint8_t* a, std::size_t bytes);

    /// out[i] = raw distance of the probe to record ids[i] (gather) or first + i (range), for i in [0, n).
    /// Records are whole words, at least probe.n_words of them; ids are in range. Jaccard compares whole records.
    void (*hamming_gather)(const Probe&, const RecordArray& codes, const NodeId* ids, std::uint32_t n,
                           std::uint32_t* out);
    void (*hamming_range)(const Probe&, const RecordArray& codes, NodeId first, std::uint32_t n, std::uint32_t* out);
    void (*jaccard_gather)(const Probe&, const RecordArray& codes, const NodeId* ids, std::uint32_t n,
                           std::uint32_t* out);
    void (*jaccard_range)(const Probe&, const RecordArray& codes, NodeId first, std::uint32_t n, std::uint32_t* out);
};

/// The best table for this CPU.
const Kernels& kernels() noexcept;

/// Every table that this CPU can run, the scalar one first.
std::span<const Kernels* const> available_kernels() noexcept;

}  // namespace nphd
