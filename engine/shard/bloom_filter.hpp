// A split-block Bloom filter: Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters" (2007), in the
// form and with the salts of Apache Parquet's specification (BloomFilter.md). A key sets one bit in each of the eight
// words of one 32-byte block, so asking reads one cache line. Part of the shard format.
#pragma once

#include <cstring>

#include "engine/base/record_array.hpp"

namespace nphd {

inline constexpr std::uint32_t kBloomBlockBytes = 32;
/// 0.6 % of the keys that are not in the filter pass it.
inline constexpr std::uint32_t kBloomBitsPerKey = 12;

/// Blocks of a filter for `keys` keys; at least one.
constexpr std::uint32_t bloom_blocks(std::uint32_t keys) noexcept {
    const std::uint64_t bits = std::uint64_t{keys} * kBloomBitsPerKey;
    return static_cast<std::uint32_t>((bits + 8 * kBloomBlockBytes - 1) / (8 * kBloomBlockBytes)) + (keys == 0 ? 1 : 0);
}

/// The block of a hash among `blocks` of them; ascends with the hash.
constexpr std::uint32_t bloom_block(std::uint64_t hash, std::uint32_t blocks) noexcept {
    return static_cast<std::uint32_t>((hash >> 32) * blocks >> 32);
}

/// The bits of a hash in its block.
struct BloomMask {
    static constexpr std::uint32_t kSalt[8] = {0x47b6137bu, 0x44974d91u, 0x8824ad5bu, 0xa2b7289du,
                                               0x705495c7u, 0x2df1424bu, 0x9efc4947u, 0x5c6bfb31u};
    std::uint32_t word[8];

    explicit BloomMask(std::uint64_t hash) noexcept {
        for (int i = 0; i < 8; ++i) word[i] = 1u << (static_cast<std::uint32_t>(hash) * kSalt[i] >> 27);
    }
};

/// Adds a key to its block, kBloomBlockBytes at any alignment.
inline void bloom_add(std::byte* block, std::uint64_t hash) noexcept {
    const BloomMask mask(hash);
    std::uint32_t word[8];
    std::memcpy(word, block, sizeof word);
    for (int i = 0; i < 8; ++i) word[i] |= mask.word[i];
    std::memcpy(block, word, sizeof word);
}

/// False: no key with this hash was added. `blocks` has at least one record, of kBloomBlockBytes.
inline bool bloom_may_contain(const RecordArray& blocks, std::uint64_t hash) noexcept {
    const BloomMask mask(hash);
    std::uint32_t word[8];
    std::memcpy(word, blocks.at(bloom_block(hash, blocks.count)), sizeof word);
    std::uint32_t missing = 0;
    for (int i = 0; i < 8; ++i) missing |= mask.word[i] & ~word[i];
    return missing == 0;
}

}  // namespace nphd
