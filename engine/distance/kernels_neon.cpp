// AArch64, where every CPU has NEON and its byte popcount.
#include "engine/distance/kernel_tables.hpp"

#if defined(__aarch64__)

#include <arm_neon.h>

#include "engine/distance/record_kernels.hpp"
#include "engine/distance/target.hpp"
#include "engine/distance/word_kernels.hpp"

namespace nphd {
namespace {

[[gnu::always_inline]] inline uint8x16_t load(const void* p) noexcept {
    return vld1q_u8(static_cast<const std::uint8_t*>(p));
}

/// Eight bytes, and zeros.
[[gnu::always_inline]] inline uint8x16_t load_half(const void* p) noexcept {
    return vcombine_u8(vld1_u8(static_cast<const std::uint8_t*>(p)), vdup_n_u8(0));
}

/// Adds the bits set in each byte of x, by pairs.
[[gnu::always_inline]] inline uint16x8_t add_counts(uint16x8_t sum, uint8x16_t x) noexcept {
    return vpadalq_u8(sum, vcntq_u8(x));
}

/// The sums of the lanes of a[0], .., a[3]; pairs of lanes must not overflow.
[[gnu::always_inline]] inline uint32x4_t sums_of_lanes(const uint16x8_t (&a)[4]) noexcept {
    return vpaddlq_u16(vpaddq_u16(vpaddq_u16(a[0], a[1]), vpaddq_u16(a[2], a[3])));
}

// --- contiguous records of few words ---

/// Contiguous records of kWords words (1, 2 or 4), eight at a time. The counts of a record stay in bytes until two
/// are left of it, of at most 128 each.
template <unsigned kWords>
class DenseHamming {
public:
    static constexpr std::uint32_t kBlock = 8;

    [[gnu::always_inline]] explicit DenseHamming(const Probe& probe) noexcept {
        const RepeatedProbe<kWords, 2 * kPeriod> repeated(probe);
        NPHD_UNROLL
        for (unsigned v = 0; v < kPeriod; ++v) {
            words_[v] = load(repeated.words + 2 * v);
            masks_[v] = load(repeated.masks + 2 * v);
        }
    }

    [[gnu::always_inline]] void block(const std::byte* records, std::uint32_t* out) const noexcept {
        uint16x8_t sums;
        if constexpr (kWords == 1) {
            sums = vpaddlq_u8(vpaddq_u8(vpaddq_u8(counts(records, 0), counts(records, 1)),
                                        vpaddq_u8(counts(records, 2), counts(records, 3))));
        } else {
            sums = vpaddlq_u8(
                vpaddq_u8(vpaddq_u8(two(records, 0), two(records, 1)), vpaddq_u8(two(records, 2), two(records, 3))));
        }
        vst1q_u32(out, vmovl_u16(vget_low_u16(sums)));
        vst1q_u32(out + 4, vmovl_high_u16(sums));
    }

private:
    static constexpr unsigned kPeriod = kWords == 4 ? 2 : 1;  // vectors until the probe's words repeat

    /// Of the v-th vector.
    [[gnu::always_inline]] uint8x16_t counts(const std::byte* records, unsigned v) const noexcept {
        const uint8x16_t differ = veorq_u8(load(records + 16 * v), words_[v % kPeriod]);
        return vcntq_u8(vandq_u8(differ, masks_[v % kPeriod]));
    }

    /// Of records 2 i and 2 i + 1, eight bytes each.
    [[gnu::always_inline]] uint8x16_t two(const std::byte* records, unsigned i) const noexcept {
        if constexpr (kWords == 2) return vpaddq_u8(counts(records, 2 * i), counts(records, 2 * i + 1));
        return vpaddq_u8(vaddq_u8(counts(records, 4 * i), counts(records, 4 * i + 1)),
                         vaddq_u8(counts(records, 4 * i + 2), counts(records, 4 * i + 3)));
    }

    uint8x16_t words_[kPeriod];
    uint8x16_t masks_[kPeriod];
};

// --- records of any width, four at a time ---

/// The probe's last one or two words; the vectors before them are whole.
struct ProbeTail {
    std::size_t at;  // word
    bool whole;      // two words
    uint8x16_t words;
    uint8x16_t mask;

    [[gnu::always_inline]] explicit ProbeTail(const Probe& probe) noexcept
        : at((probe.n_words - 1) / 2 * 2), whole(at + 2 == probe.n_words) {
        const std::uint64_t bits[2] = {whole ? ~std::uint64_t{0} : probe.last_mask, whole ? probe.last_mask : 0};
        words = load_words(probe.words + at);
        mask = load(bits);
    }

    /// The tail's words at p, and zeros.
    [[gnu::always_inline]] uint8x16_t load_words(const void* p) const noexcept {
        return whole ? load(p) : load_half(p);
    }
};

/// Differing bits of a record, spread over the lanes.
[[gnu::always_inline]] inline uint16x8_t hamming_lanes(const Probe& probe, const ProbeTail& tail,
                                                       const std::byte* record) noexcept {
    uint16x8_t sum = vdupq_n_u16(0);
    for (std::size_t w = 0; w < tail.at; w += 2) {
        sum = add_counts(sum, veorq_u8(load(record + 8 * w), load(probe.words + w)));
    }
    const uint8x16_t differ = veorq_u8(tail.load_words(record + 8 * tail.at), tail.words);
    return add_counts(sum, vandq_u8(differ, tail.mask));
}

struct OverlapLanes {
    uint16x8_t both;
    uint16x8_t either;
};

[[gnu::always_inline]] inline OverlapLanes overlap_lanes(const Probe& probe, const ProbeTail& tail,
                                                         const std::byte* record) noexcept {
    OverlapLanes sum{vdupq_n_u16(0), vdupq_n_u16(0)};
    for (std::size_t w = 0; w < tail.at; w += 2) {
        const uint8x16_t x = load(record + 8 * w);
        const uint8x16_t words = load(probe.words + w);
        sum.both = add_counts(sum.both, vandq_u8(x, words));
        sum.either = add_counts(sum.either, vorrq_u8(x, words));
    }
    const uint8x16_t last = tail.load_words(record + 8 * tail.at);
    sum.both = add_counts(sum.both, vandq_u8(last, tail.words));
    sum.either = add_counts(sum.either, vorrq_u8(last, tail.words));
    return sum;
}

/// jaccard_key of two lanes, by division of doubles. That is exact: a quotient lies at least 2^-16 below the next
/// integer unless it is one, and a double below 2^32 is rounded by less than that. The conversions turn 0 / 0 into 0
/// and saturate 2^32.
[[gnu::always_inline]] inline uint32x2_t jaccard_keys(uint32x2_t both, uint32x2_t either) noexcept {
    const float64x2_t numerator = vmulq_n_f64(vcvtq_f64_u64(vmovl_u32(vsub_u32(either, both))), 4294967296.0);
    return vqmovn_u64(vcvtq_u64_f64(vdivq_f64(numerator, vcvtq_f64_u64(vmovl_u32(either)))));
}

struct Neon {
    static std::uint32_t hamming(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
        std::uint64_t sum = 0;
        while (bytes >= 16) {
            const std::size_t vectors = bytes / 16 < kVectorsPerSum ? bytes / 16 : kVectorsPerSum;
            uint16x8_t lanes = vdupq_n_u16(0);
            for (std::size_t i = 0; i < vectors; ++i, a += 16, b += 16)
                lanes = add_counts(lanes, veorq_u8(load(a), load(b)));
            sum += vaddlvq_u16(lanes);
            bytes -= 16 * vectors;
        }
        return static_cast<std::uint32_t>(sum) + Words::hamming(a, b, bytes);
    }

    static Overlap overlap(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
        std::uint32_t both = 0;
        std::uint32_t either = 0;
        while (bytes >= 16) {
            const std::size_t vectors = bytes / 16 < kVectorsPerSum ? bytes / 16 : kVectorsPerSum;
            uint16x8_t both_lanes = vdupq_n_u16(0);
            uint16x8_t either_lanes = vdupq_n_u16(0);
            for (std::size_t i = 0; i < vectors; ++i, a += 16, b += 16) {
                both_lanes = add_counts(both_lanes, vandq_u8(load(a), load(b)));
                either_lanes = add_counts(either_lanes, vorrq_u8(load(a), load(b)));
            }
            both += vaddlvq_u16(both_lanes);
            either += vaddlvq_u16(either_lanes);
            bytes -= 16 * vectors;
        }
        const Overlap rest = Words::overlap(a, b, bytes);
        return {both + rest.both, either + rest.either};
    }

    static std::uint32_t popcount(const std::uint8_t* a, std::size_t bytes) {
        std::uint32_t sum = 0;
        while (bytes >= 16) {
            const std::size_t vectors = bytes / 16 < kVectorsPerSum ? bytes / 16 : kVectorsPerSum;
            uint16x8_t lanes = vdupq_n_u16(0);
            for (std::size_t i = 0; i < vectors; ++i, a += 16) lanes = add_counts(lanes, load(a));
            sum += vaddlvq_u16(lanes);
            bytes -= 16 * vectors;
        }
        return sum + Words::popcount(a, bytes);
    }

    template <class Records>
    [[gnu::always_inline]] static void hamming_records(const Probe& probe, Records records, std::uint32_t n,
                                                       std::uint32_t* out) noexcept {
        const ProbeTail tail(probe);
        std::uint32_t i = 0;
        for (; i + 4 <= n; i += 4) vst1q_u32(out + i, hamming_four(probe, tail, records.from(i)));
        if (i == n) return;
        FilledGroup<4> filled;
        store_few(out + i, hamming_four(probe, tail, filled.of(records.from(i), n - i)), n - i);
    }

    template <class Records>
    [[gnu::always_inline]] static void jaccard_records(const Probe& probe, Records records, std::uint32_t n,
                                                       std::uint32_t* out) noexcept {
        const ProbeTail tail(probe);
        std::uint32_t i = 0;
        for (; i + 4 <= n; i += 4) vst1q_u32(out + i, jaccard_four(probe, tail, records.from(i)));
        if (i == n) return;
        FilledGroup<4> filled;
        store_few(out + i, jaccard_four(probe, tail, filled.of(records.from(i), n - i)), n - i);
    }

private:
    using Words = WordKernels<InstructionCount>;

    static constexpr std::size_t kVectorsPerSum = 4095;  // a 16-bit lane grows by at most 16 a vector

    // Loops over records are not unrolled: hardware prefetches best when the same instructions read all of them.

    template <class Records>
    [[gnu::always_inline]] static uint32x4_t hamming_four(const Probe& probe, const ProbeTail& tail,
                                                          Records r) noexcept {
        uint16x8_t sum[4];
        NPHD_NO_UNROLL
        for (std::size_t i = 0; i < 4; ++i) sum[i] = hamming_lanes(probe, tail, r[i]);
        return sums_of_lanes(sum);
    }

    template <class Records>
    [[gnu::always_inline]] static uint32x4_t jaccard_four(const Probe& probe, const ProbeTail& tail,
                                                          Records r) noexcept {
        uint16x8_t both[4];
        uint16x8_t either[4];
        NPHD_NO_UNROLL
        for (std::size_t i = 0; i < 4; ++i) {
            const OverlapLanes sum = overlap_lanes(probe, tail, r[i]);
            both[i] = sum.both;
            either[i] = sum.either;
        }
        const uint32x4_t b = sums_of_lanes(both);
        const uint32x4_t e = sums_of_lanes(either);
        return vcombine_u32(jaccard_keys(vget_low_u32(b), vget_low_u32(e)),
                            jaccard_keys(vget_high_u32(b), vget_high_u32(e)));
    }

    [[gnu::always_inline]] static void store_few(std::uint32_t* out, uint32x4_t x, std::uint32_t n) noexcept {
        std::uint32_t all[4];
        vst1q_u32(all, x);
        for (std::uint32_t i = 0; i < n; ++i) out[i] = all[i];
    }
};

void hamming_range(const Probe& probe, const RecordArray& codes, NodeId first, std::uint32_t n, std::uint32_t* out) {
    using R = RecordKernels<Neon>;
    if (probe.n_words > 0) {
        switch (codes.record_bytes) {
            case 8:
                return R::hamming_dense_range<DenseHamming<1>>(probe, codes, first, n, out);
            case 16:
                return R::hamming_dense_range<DenseHamming<2>>(probe, codes, first, n, out);
            case 32:
                return R::hamming_dense_range<DenseHamming<4>>(probe, codes, first, n, out);
            default:
                break;
        }
    }
    R::hamming_range(probe, codes, first, n, out);
}

}  // namespace

constexpr Kernels kNeonKernels = kernel_table<Neon>("neon", hamming_range);

}  // namespace nphd

#endif
