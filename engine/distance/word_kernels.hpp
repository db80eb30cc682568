// Kernels over 64-bit words, as a template of the way to count the bits of a word.
// Everything has internal linkage: each including file gets its own copy, compiled for its own instruction set.
#pragma once

#include "engine/distance/record_walk.hpp"
#include "engine/distance/target.hpp"

namespace nphd {
namespace {

[[gnu::always_inline]] inline std::uint64_t load_word(const void* p) noexcept {
    std::uint64_t w;
    __builtin_memcpy(&w, p, sizeof w);
    return w;
}

/// The last `bytes` (1..7) bytes as a zero-padded word.
[[gnu::always_inline]] inline std::uint64_t load_tail(const std::uint8_t* p, std::size_t bytes) noexcept {
    std::uint64_t w = 0;
    for (std::size_t i = 0; i < bytes; ++i) w |= static_cast<std::uint64_t>(p[i]) << (8 * i);
    return w;
}

/// The raw Jaccard distance.
[[gnu::always_inline]] inline DistanceKey jaccard_key(Overlap o) noexcept {
    return o.either == 0 ? 0 : fraction_key(o.either - o.both, o.either);
}

/// Counts with one instruction; for targets that have it.
struct InstructionCount {
    static constexpr bool kCheap = true;
    [[gnu::always_inline]] static std::uint32_t of(std::uint64_t w) noexcept {
        return static_cast<std::uint32_t>(__builtin_popcountll(w));
    }
};

/// `Count::of(word)` counts; where that is cheap, loops of the common widths are unrolled.
template <class Count>
struct WordKernels {
    static std::uint32_t hamming(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
        std::uint32_t sum = 0;
        for (; bytes >= 8; bytes -= 8, a += 8, b += 8) sum += Count::of(load_word(a) ^ load_word(b));
        return bytes == 0 ? sum : sum + Count::of(load_tail(a, bytes) ^ load_tail(b, bytes));
    }

    static Overlap overlap(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
        Overlap sum{0, 0};
        for (; bytes >= 8; bytes -= 8, a += 8, b += 8) add(sum, load_word(a), load_word(b));
        if (bytes > 0) add(sum, load_tail(a, bytes), load_tail(b, bytes));
        return sum;
    }

    static std::uint32_t popcount(const std::uint8_t* a, std::size_t bytes) {
        std::uint32_t sum = 0;
        for (; bytes >= 8; bytes -= 8, a += 8) sum += Count::of(load_word(a));
        return bytes == 0 ? sum : sum + Count::of(load_tail(a, bytes));
    }

    /// Hamming distances of n records, kWords words each.
    template <unsigned kWords, class Records>
    [[gnu::always_inline]] static void hamming_fixed(const Probe& probe, Records records, std::uint32_t n,
                                                     std::uint32_t* out) noexcept {
        std::uint64_t words[kWords];
        __builtin_memcpy(words, probe.words, sizeof words);
        const std::uint64_t last_mask = probe.last_mask;
        for (std::uint32_t i = 0; i < n; ++i) {
            const std::byte* const record = records[i];
            std::uint32_t sum = 0;
            NPHD_UNROLL
            for (unsigned w = 0; w + 1 < kWords; ++w) sum += Count::of(words[w] ^ load_word(record + 8 * w));
            out[i] = sum + Count::of((words[kWords - 1] ^ load_word(record + 8 * (kWords - 1))) & last_mask);
        }
    }

    /// Hamming distances of n records, probe.n_words > 0 words each.
    template <class Records>
    [[gnu::always_inline]] static void hamming_records(const Probe& probe, Records records, std::uint32_t n,
                                                       std::uint32_t* out) noexcept {
        if constexpr (Count::kCheap) {
            switch (probe.n_words) {
                case 1:
                    return hamming_fixed<1>(probe, records, n, out);
                case 2:
                    return hamming_fixed<2>(probe, records, n, out);
                case 3:
                    return hamming_fixed<3>(probe, records, n, out);
                case 4:
                    return hamming_fixed<4>(probe, records, n, out);
                case 5:
                    return hamming_fixed<5>(probe, records, n, out);
                case 6:
                    return hamming_fixed<6>(probe, records, n, out);
                case 7:
                    return hamming_fixed<7>(probe, records, n, out);
                case 8:
                    return hamming_fixed<8>(probe, records, n, out);
                case 12:
                    return hamming_fixed<12>(probe, records, n, out);
                case 16:
                    return hamming_fixed<16>(probe, records, n, out);
                default:
                    break;
            }
        }
        for (std::uint32_t i = 0; i < n; ++i) out[i] = hamming_long(probe, records[i]);
    }

    template <class Records>
    [[gnu::always_inline]] static void jaccard_records(const Probe& probe, Records records, std::uint32_t n,
                                                       std::uint32_t* out) noexcept {
        for (std::uint32_t i = 0; i < n; ++i) {
            const std::byte* const record = records[i];
            Overlap sum{0, 0};
            for (std::size_t w = 0; w < probe.n_words; ++w) add(sum, probe.words[w], load_word(record + 8 * w));
            out[i] = jaccard_key(sum);
        }
    }

private:
    [[gnu::always_inline]] static std::uint32_t hamming_long(const Probe& probe, const std::byte* record) noexcept {
        const std::size_t last = probe.n_words - 1;
        std::uint32_t sum[4] = {};
        std::size_t w = 0;
        for (; w + 4 <= last; w += 4) {
            NPHD_UNROLL
            for (std::size_t i = 0; i < 4; ++i) {
                sum[i] += Count::of(probe.words[w + i] ^ load_word(record + 8 * (w + i)));
            }
        }
        for (; w < last; ++w) sum[0] += Count::of(probe.words[w] ^ load_word(record + 8 * w));
        sum[1] += Count::of((probe.words[last] ^ load_word(record + 8 * last)) & probe.last_mask);
        return sum[0] + sum[1] + sum[2] + sum[3];
    }

    [[gnu::always_inline]] static void add(Overlap& sum, std::uint64_t a, std::uint64_t b) noexcept {
        sum.both += Count::of(a & b);
        sum.either += Count::of(a | b);
    }
};

}  // namespace
}  // namespace nphd
