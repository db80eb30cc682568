// x86-64 with AVX2. Bits are counted by looking nibbles up with a byte shuffle (Mula's method).
#include "engine/distance/kernel_tables.hpp"
#include "engine/distance/target.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

NPHD_TARGET_BEGIN("popcnt,avx2")
#include "engine/distance/record_kernels.hpp"
#include "engine/distance/word_kernels.hpp"

namespace nphd {
namespace {

using Words = WordKernels<InstructionCount>;

[[gnu::always_inline]] inline __m256i load(const void* p) noexcept {
    return _mm256_loadu_si256(static_cast<const __m256i*>(p));
}

/// Bits set in each byte of x, where `low` and `high` select the bits that count in its low and high nibble.
[[gnu::always_inline]] inline __m256i byte_counts(__m256i x, __m256i low, __m256i high) noexcept {
    const __m256i table = _mm256_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4, 0, 1, 1, 2, 1, 2, 2, 3, 1, 2,
                                           2, 3, 2, 3, 3, 4);
    return _mm256_add_epi8(_mm256_shuffle_epi8(table, _mm256_and_si256(x, low)),
                           _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(x, 4), high)));
}

[[gnu::always_inline]] inline __m256i byte_counts(__m256i x) noexcept {
    const __m256i nibble = _mm256_set1_epi8(0x0F);
    return byte_counts(x, nibble, nibble);
}

/// The sum of each eight bytes.
[[gnu::always_inline]] inline __m256i sums_of_bytes(__m256i x) noexcept {
    return _mm256_sad_epu8(x, _mm256_setzero_si256());
}

/// Byte counts of so many vectors can be added before a byte may overflow.
constexpr std::size_t kVectorsPerSum = 31;

[[gnu::always_inline]] inline std::uint64_t sum_of_lanes(__m256i x) noexcept {
    const __m128i half = _mm_add_epi64(_mm256_castsi256_si128(x), _mm256_extracti128_si256(x, 1));
    return static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm_add_epi64(half, _mm_unpackhi_epi64(half, half))));
}

/// The sums of the 64-bit lanes of a[0], .., a[3].
[[gnu::always_inline]] inline __m256i sums_of_lanes(const __m256i (&a)[4]) noexcept {
    const __m256i low = _mm256_add_epi64(_mm256_unpacklo_epi64(a[0], a[1]), _mm256_unpackhi_epi64(a[0], a[1]));
    const __m256i high = _mm256_add_epi64(_mm256_unpacklo_epi64(a[2], a[3]), _mm256_unpackhi_epi64(a[2], a[3]));
    return _mm256_add_epi64(_mm256_permute2x128_si256(low, high, 0x20), _mm256_permute2x128_si256(low, high, 0x31));
}

/// The low halves of the 64-bit lanes of a, then of b.
[[gnu::always_inline]] inline __m256i narrow(__m256i a, __m256i b) noexcept {
    const __m256 mixed = _mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88);
    return _mm256_permute4x64_epi64(_mm256_castps_si256(mixed), 0xD8);
}

/// The low halves of the 64-bit lanes.
[[gnu::always_inline]] inline __m128i narrow(__m256i a) noexcept { return _mm256_castsi256_si128(narrow(a, a)); }

// --- contiguous records of few words: a vector holds one record or several ---

/// Contiguous records of kWords words (1, 2 or 4), eight at a time.
template <unsigned kWords>
class DenseHamming {
public:
    static constexpr std::uint32_t kBlock = 8;

    [[gnu::always_inline]] explicit DenseHamming(const Probe& probe) noexcept {
        const RepeatedProbe<kWords, 4> repeated(probe);
        const __m256i nibble = _mm256_set1_epi8(0x0F);
        words_ = load(repeated.words);
        low_ = _mm256_and_si256(load(repeated.masks), nibble);
        high_ = _mm256_and_si256(_mm256_srli_epi16(load(repeated.masks), 4), nibble);
    }

    [[gnu::always_inline]] void block(const std::byte* records, std::uint32_t* out) const noexcept {
        __m256i distances;
        if constexpr (kWords == 1) {
            distances = narrow(sums_of_bytes(counts(records)), sums_of_bytes(counts(records + 32)));
        } else if constexpr (kWords == 2) {
            distances = narrow(sums_of_bytes(four_of_two(records)), sums_of_bytes(four_of_two(records + 64)));
        } else {
            distances = narrow(sums_of_bytes(four_of_four(records)), sums_of_bytes(four_of_four(records + 128)));
        }
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), distances);
    }

private:
    [[gnu::always_inline]] __m256i counts(const std::byte* p) const noexcept {
        return byte_counts(_mm256_xor_si256(load(p), words_), low_, high_);
    }

    /// Four records of two words each, in order.
    [[gnu::always_inline]] __m256i four_of_two(const std::byte* p) const noexcept {
        const __m256i a = counts(p);
        const __m256i b = counts(p + 32);
        const __m256i sums = _mm256_add_epi8(_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
        return _mm256_permute4x64_epi64(sums, 0xD8);
    }

    /// Four records of four words each, in order. Bytes are added while they stay small, at most 32 here.
    [[gnu::always_inline]] __m256i four_of_four(const std::byte* p) const noexcept {
        const __m256i bytes[4] = {counts(p), counts(p + 32), counts(p + 64), counts(p + 96)};
        return sums_of_lanes(bytes);
    }

    __m256i words_;
    __m256i low_;
    __m256i high_;
};

// --- records of any width, four at a time ---

/// The probe's last one to four words; the vectors before them are whole.
struct ProbeTail {
    std::size_t at;  // word
    bool whole;      // four words
    __m256i lanes;
    __m256i words;
    __m256i low;
    __m256i high;

    [[gnu::always_inline]] explicit ProbeTail(const Probe& probe) noexcept
        : at((probe.n_words - 1) / 4 * 4), whole(at + 4 == probe.n_words) {
        alignas(32) std::uint64_t used[4];
        alignas(32) std::uint64_t mask[4];
        for (std::size_t i = 0; i < 4; ++i) {
            used[i] = at + i < probe.n_words ? ~std::uint64_t{0} : 0;
            mask[i] = at + i + 1 == probe.n_words ? probe.last_mask : used[i];
        }
        const __m256i nibble = _mm256_set1_epi8(0x0F);
        lanes = load(used);
        words = load_words(probe.words + at);
        low = _mm256_and_si256(load(mask), nibble);
        high = _mm256_and_si256(_mm256_srli_epi16(load(mask), 4), nibble);
    }

    /// Where to stop adding bytes that are added from word w on; the tail, if reached, still has room.
    [[gnu::always_inline]] std::size_t end_of_sum(std::size_t w) const noexcept {
        constexpr std::size_t kWordsPerSum = 4 * (kVectorsPerSum - 1);
        return at - w < kWordsPerSum ? at : w + kWordsPerSum;
    }

    /// The tail's words at p and zeros.
    [[gnu::always_inline]] __m256i load_words(const void* p) const noexcept {
        return whole ? load(p) : _mm256_maskload_epi64(static_cast<const long long*>(p), lanes);
    }
};

// Records are read one after the other by the same instructions: a copy of the loop for each of the four defeats the
// hardware's prefetching (measured on Zen 4: a tenth of the throughput).

/// Differing bits of a record, spread over the 64-bit lanes.
[[gnu::always_inline]] inline __m256i hamming_lanes(const Probe& probe, const ProbeTail& tail,
                                                    const std::byte* record) noexcept {
    __m256i sum = _mm256_setzero_si256();
    std::size_t w = 0;
    do {
        const std::size_t end = tail.end_of_sum(w);
        __m256i bytes = _mm256_setzero_si256();
        for (; w < end; w += 4) {
            bytes = _mm256_add_epi8(bytes, byte_counts(_mm256_xor_si256(load(record + 8 * w), load(probe.words + w))));
        }
        if (w == tail.at) {
            const __m256i differ = _mm256_xor_si256(tail.load_words(record + 8 * w), tail.words);
            bytes = _mm256_add_epi8(bytes, byte_counts(differ, tail.low, tail.high));
        }
        sum = _mm256_add_epi64(sum, sums_of_bytes(bytes));
    } while (w < tail.at);
    return sum;
}

/// Bits in both in the low half of each 64-bit lane, bits in either in the high half.
[[gnu::always_inline]] inline __m256i overlap_lanes(const Probe& probe, const ProbeTail& tail,
                                                    const std::byte* record) noexcept {
    __m256i both_sum = _mm256_setzero_si256();
    __m256i either_sum = _mm256_setzero_si256();
    std::size_t w = 0;
    do {
        const std::size_t end = tail.end_of_sum(w);
        __m256i both = _mm256_setzero_si256();
        __m256i either = _mm256_setzero_si256();
        for (; w < end; w += 4) {
            const __m256i x = load(record + 8 * w);
            const __m256i words = load(probe.words + w);
            both = _mm256_add_epi8(both, byte_counts(_mm256_and_si256(x, words)));
            either = _mm256_add_epi8(either, byte_counts(_mm256_or_si256(x, words)));
        }
        if (w == tail.at) {
            const __m256i last = tail.load_words(record + 8 * w);
            both = _mm256_add_epi8(both, byte_counts(_mm256_and_si256(last, tail.words)));
            either = _mm256_add_epi8(either, byte_counts(_mm256_or_si256(last, tail.words)));
        }
        both_sum = _mm256_add_epi64(both_sum, sums_of_bytes(both));
        either_sum = _mm256_add_epi64(either_sum, sums_of_bytes(either));
    } while (w < tail.at);
    return _mm256_add_epi64(both_sum, _mm256_slli_epi64(either_sum, 32));
}

/// jaccard_key of each lane, by division of doubles. That is exact: a quotient lies at least 2^-16 below the next
/// integer unless it is one, and a double below 2^32 is rounded by less than that.
[[gnu::always_inline]] inline __m128i jaccard_keys(__m256i overlaps) noexcept {
    const __m128i both = narrow(overlaps);
    const __m128i either = narrow(_mm256_srli_epi64(overlaps, 32));
    const __m256d numerator =
        _mm256_mul_pd(_mm256_cvtepi32_pd(_mm_sub_epi32(either, both)), _mm256_set1_pd(4294967296.0));
    const __m256d quotient = _mm256_floor_pd(_mm256_div_pd(numerator, _mm256_cvtepi32_pd(either)));
    // Added to 2^52, an integer stands in the low bits of a double.
    const __m256d key =
        _mm256_add_pd(_mm256_min_pd(quotient, _mm256_set1_pd(4294967295.0)), _mm256_set1_pd(4503599627370496.0));
    return _mm_andnot_si128(_mm_cmpeq_epi32(either, _mm_setzero_si128()), narrow(_mm256_castpd_si256(key)));
}

[[gnu::always_inline]] inline void store(std::uint32_t* out, __m128i x) noexcept {
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), x);
}

[[gnu::always_inline]] inline void store_few(std::uint32_t* out, __m128i x, std::uint32_t n) noexcept {
    std::uint32_t all[4];
    store(all, x);
    for (std::uint32_t i = 0; i < n; ++i) out[i] = all[i];
}

struct Avx2 {
    static std::uint32_t hamming(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
        if (bytes < kLongBytes) return Words::hamming(a, b, bytes);
        __m256i sum = _mm256_setzero_si256();
        while (bytes >= kLongBytes) {
            const std::size_t vectors = bytes / 32 < kVectorsPerSum ? bytes / 32 : kVectorsPerSum;
            __m256i counts = _mm256_setzero_si256();
            for (std::size_t i = 0; i < vectors; ++i, a += 32, b += 32) {
                counts = _mm256_add_epi8(counts, byte_counts(_mm256_xor_si256(load(a), load(b))));
            }
            sum = _mm256_add_epi64(sum, sums_of_bytes(counts));
            bytes -= 32 * vectors;
        }
        return static_cast<std::uint32_t>(sum_of_lanes(sum)) + Words::hamming(a, b, bytes);
    }

    static Overlap overlap(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
        if (bytes < kLongBytes) return Words::overlap(a, b, bytes);
        // a + b = (a & b) + (a | b) bit by bit, so the union follows from the counts of both codes.
        const std::uint32_t in_a = popcount(a, bytes);
        const std::uint32_t in_b = popcount(b, bytes);
        const std::uint32_t differ = hamming(a, b, bytes);
        const std::uint32_t both = (in_a + in_b - differ) / 2;
        return {both, both + differ};
    }

    static std::uint32_t popcount(const std::uint8_t* a, std::size_t bytes) {
        if (bytes < kLongBytes) return Words::popcount(a, bytes);
        __m256i sum = _mm256_setzero_si256();
        while (bytes >= kLongBytes) {
            const std::size_t vectors = bytes / 32 < kVectorsPerSum ? bytes / 32 : kVectorsPerSum;
            __m256i counts = _mm256_setzero_si256();
            for (std::size_t i = 0; i < vectors; ++i, a += 32) counts = _mm256_add_epi8(counts, byte_counts(load(a)));
            sum = _mm256_add_epi64(sum, sums_of_bytes(counts));
            bytes -= 32 * vectors;
        }
        return static_cast<std::uint32_t>(sum_of_lanes(sum)) + Words::popcount(a, bytes);
    }

    template <class Records>
    [[gnu::always_inline]] static void hamming_records(const Probe& probe, Records records, std::uint32_t n,
                                                       std::uint32_t* out) noexcept {
        if (probe.n_words <= kNarrowWords) return Words::hamming_records(probe, records, n, out);
        const ProbeTail tail(probe);
        std::uint32_t i = 0;
        for (; i + 4 <= n; i += 4) store(out + i, hamming_four(probe, tail, records.from(i)));
        if (i == n) return;
        if (probe.n_words > kWideWords) {
            for (; i < n; ++i) {
                out[i] = static_cast<std::uint32_t>(sum_of_lanes(hamming_lanes(probe, tail, records[i])));
            }
            return;
        }
        FilledGroup<4> filled;
        store_few(out + i, hamming_four(probe, tail, filled.of(records.from(i), n - i)), n - i);
    }

    template <class Records>
    [[gnu::always_inline]] static void jaccard_records(const Probe& probe, Records records, std::uint32_t n,
                                                       std::uint32_t* out) noexcept {
        if (probe.n_words <= kNarrowWords) return Words::jaccard_records(probe, records, n, out);
        const ProbeTail tail(probe);
        std::uint32_t i = 0;
        for (; i + 4 <= n; i += 4) store(out + i, jaccard_four(probe, tail, records.from(i)));
        if (i == n) return;
        if (probe.n_words > kWideWords) {
            for (; i < n; ++i) {
                const std::uint64_t sum = sum_of_lanes(overlap_lanes(probe, tail, records[i]));
                out[i] = jaccard_key({static_cast<std::uint32_t>(sum), static_cast<std::uint32_t>(sum >> 32)});
            }
            return;
        }
        FilledGroup<4> filled;
        store_few(out + i, jaccard_four(probe, tail, filled.of(records.from(i), n - i)), n - i);
    }

private:
    static constexpr std::size_t kLongBytes = 64;
    static constexpr std::uint32_t kNarrowWords = 8;  // up to here counting by words is as fast or faster
    static constexpr std::uint32_t kWideWords = 32;   // beyond, fewer than four are better handled one by one

    template <class Records>
    [[gnu::always_inline]] static __m128i hamming_four(const Probe& probe, const ProbeTail& tail, Records r) noexcept {
        __m256i sum[4];
        NPHD_NO_UNROLL
        for (std::size_t i = 0; i < 4; ++i) sum[i] = hamming_lanes(probe, tail, r[i]);
        return narrow(sums_of_lanes(sum));
    }

    template <class Records>
    [[gnu::always_inline]] static __m128i jaccard_four(const Probe& probe, const ProbeTail& tail, Records r) noexcept {
        __m256i sum[4];
        NPHD_NO_UNROLL
        for (std::size_t i = 0; i < 4; ++i) sum[i] = overlap_lanes(probe, tail, r[i]);
        return jaccard_keys(sums_of_lanes(sum));
    }
};

void hamming_range(const Probe& probe, const RecordArray& codes, NodeId first, std::uint32_t n, std::uint32_t* out) {
    using R = RecordKernels<Avx2>;
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

constexpr Kernels kAvx2Kernels = kernel_table<Avx2>("avx2", hamming_range);

}  // namespace nphd
NPHD_TARGET_END

#endif
