// x86-64 with AVX-512 and its vector popcount (VPOPCNTDQ): Ice Lake, Zen 4 and later.
#include "engine/distance/kernel_tables.hpp"
#include "engine/distance/target.hpp"

#if defined(__x86_64__)

#include <immintrin.h>

#include <utility>

#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"  // GCC 12 warns of its own intrinsics' undefined operands
#pragma GCC diagnostic ignored "-Wuninitialized"
#endif

NPHD_TARGET_BEGIN("popcnt,avx512f,avx512bw,avx512vl,avx512dq,avx512vpopcntdq,avx512vbmi,avx512vnni")
#include "engine/distance/record_kernels.hpp"
#include "engine/distance/word_kernels.hpp"

namespace nphd {
namespace {

using Words = WordKernels<InstructionCount>;

/// The low n lanes, n <= 8.
[[gnu::always_inline]] inline __mmask8 low_lanes(std::uint32_t n) noexcept {
    return static_cast<__mmask8>((1u << n) - 1);
}

/// The low n bytes, n <= 64.
[[gnu::always_inline]] inline __mmask64 low_bytes(std::size_t n) noexcept {
    return n == 64 ? ~__mmask64{0} : (__mmask64{1} << n) - 1;
}

/// The sums of the lanes of a[0], .., a[7].
[[gnu::always_inline]] inline __m512i sums_of_lanes(const __m512i (&a)[8]) noexcept {
    __m512i pair[4];  // lanes: a[2i], a[2i + 1], each four times
    NPHD_UNROLL
    for (unsigned i = 0; i < 4; ++i) {
        pair[i] = _mm512_add_epi64(_mm512_unpacklo_epi64(a[2 * i], a[2 * i + 1]),
                                   _mm512_unpackhi_epi64(a[2 * i], a[2 * i + 1]));
    }
    const __m512i low =
        _mm512_add_epi64(_mm512_shuffle_i64x2(pair[0], pair[1], 0x88), _mm512_shuffle_i64x2(pair[0], pair[1], 0xDD));
    const __m512i high =
        _mm512_add_epi64(_mm512_shuffle_i64x2(pair[2], pair[3], 0x88), _mm512_shuffle_i64x2(pair[2], pair[3], 0xDD));
    return _mm512_add_epi64(_mm512_shuffle_i64x2(low, high, 0x88), _mm512_shuffle_i64x2(low, high, 0xDD));
}

// --- contiguous records of few words: whole vectors hold several records ---

/// Where byte v of lane j, the count of word 8 v + j of a block, has to go so that a record's counts lie side by side.
template <unsigned kWords>
struct CountOrder {
    static constexpr unsigned kSlot = kWords == 8 ? 8 : 4;  // bytes for the counts of one record
    alignas(64) std::uint8_t from[64] = {};
    std::uint64_t used = 0;

    constexpr CountOrder() {
        for (unsigned record = 0; record < 64 / kSlot; ++record) {
            for (unsigned w = 0; w < kWords; ++w) {
                const unsigned word = record * kWords + w;
                const unsigned to = record * kSlot + w;
                from[to] = static_cast<std::uint8_t>(word % 8 * 8 + word / 8);
                used |= std::uint64_t{1} << to;
            }
        }
    }
};

/// Contiguous records of kWords words (1, 2, 3, 4 or 8), a block of 16 (or 8) at a time. Counts of single words
/// stay below 256: those of up to eight vectors are packed into the bytes of one, where one shuffle brings each
/// record's together and one instruction adds them up.
template <unsigned kWords>
class DenseHamming {
public:
    static constexpr unsigned kBlock = kWords == 8 ? 8 : 16;

    [[gnu::always_inline]] explicit DenseHamming(const Probe& probe) noexcept {
        const RepeatedProbe<kWords, 8 * kPeriod> repeated(probe);
        NPHD_UNROLL
        for (unsigned v = 0; v < kPeriod; ++v) {
            words_[v] = _mm512_load_si512(repeated.words + 8 * v);
            masks_[v] = _mm512_load_si512(repeated.masks + 8 * v);
        }
    }

    [[gnu::always_inline]] void block(const std::byte* records, std::uint32_t* out) const noexcept {
        const __m512i packed = pack(records, std::make_integer_sequence<unsigned, kVectors - 1>());
        const __m512i ordered = _mm512_maskz_permutexvar_epi8(kOrder.used, _mm512_load_si512(kOrder.from), packed);
        if constexpr (kWords == 1) {
            _mm512_storeu_si512(out, ordered);
        } else if constexpr (kWords == 8) {
            const __m512i sums = _mm512_sad_epu8(ordered, _mm512_setzero_si512());
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), _mm512_cvtepi64_epi32(sums));
        } else {
            _mm512_storeu_si512(out, _mm512_dpbusd_epi32(_mm512_setzero_si512(), ordered, _mm512_set1_epi8(1)));
        }
    }

private:
    static constexpr unsigned kPeriod = kWords == 3 ? 3 : 1;  // vectors until the probe's words repeat
    static constexpr unsigned kVectors = kBlock * kWords / 8;
    static constexpr CountOrder<kWords> kOrder{};

    template <unsigned... v>
    [[gnu::always_inline]] __m512i pack(const std::byte* records,
                                        std::integer_sequence<unsigned, v...>) const noexcept {
        const __m512i low_bytes = _mm512_set_epi64(0x0808080808080808, 0, 0x0808080808080808, 0, 0x0808080808080808, 0,
                                                   0x0808080808080808, 0);
        __m512i packed = counts<0>(records);
        ((packed = _mm512_mask_shuffle_epi8(packed, 0x0202020202020202u << v, counts<v + 1>(records), low_bytes)), ...);
        return packed;
    }

    template <unsigned v>
    [[gnu::always_inline]] __m512i counts(const std::byte* records) const noexcept {
        const __m512i differ = _mm512_xor_si512(_mm512_loadu_si512(records + 64 * v), words_[v % kPeriod]);
        return _mm512_popcnt_epi64(_mm512_and_si512(differ, masks_[v % kPeriod]));
    }

    __m512i words_[kPeriod];
    __m512i masks_[kPeriod];
};

// --- records of any width, eight at a time ---

/// The probe's last one to eight words; the vectors before them are whole.
struct ProbeTail {
    std::size_t at;  // word
    __mmask8 lanes;
    __m512i words;
    __m512i mask;

    [[gnu::always_inline]] explicit ProbeTail(const Probe& probe) noexcept
        : at((probe.n_words - 1) / 8 * 8), lanes(low_lanes(probe.n_words - static_cast<std::uint32_t>(at))) {
        words = _mm512_maskz_loadu_epi64(lanes, probe.words + at);
        const auto last = static_cast<__mmask8>(1u << (probe.n_words - 1 - at));
        mask = _mm512_mask_set1_epi64(_mm512_set1_epi64(-1), last, static_cast<long long>(probe.last_mask));
    }
};

// Records are read one after the other, from front to back: reads that alternate between records defeat the hardware's
// prefetching (measured on Zen 4: a third of the throughput). So does a copy of the loop for each of the eight where
// the loop is long; where it is short, the copies are better by a third in the cache and no worse outside it.

constexpr std::uint32_t kWideWords = 32;  // beyond, fewer than eight are better handled one by one than filled up

/// Differing bits of a record, spread over the lanes.
[[gnu::always_inline]] inline __m512i hamming_lanes(const Probe& probe, const ProbeTail& tail,
                                                    const std::byte* record) noexcept {
    __m512i sum = _mm512_setzero_si512();
    for (std::size_t w = 0; w < tail.at; w += 8) {
        const __m512i differ =
            _mm512_xor_si512(_mm512_loadu_si512(record + 8 * w), _mm512_loadu_si512(probe.words + w));
        sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(differ));
    }
    const __m512i last = _mm512_maskz_loadu_epi64(tail.lanes, record + 8 * tail.at);
    const __m512i differ = _mm512_and_si512(_mm512_xor_si512(last, tail.words), tail.mask);
    return _mm512_add_epi64(sum, _mm512_popcnt_epi64(differ));
}

/// Bits in both in the low half of each lane, bits in either in the high half. The tail comes first here: measured a
/// sixth faster for short records and no slower for long ones.
[[gnu::always_inline]] inline __m512i overlap_lanes(const Probe& probe, const ProbeTail& tail,
                                                    const std::byte* record) noexcept {
    const __m512i last = _mm512_maskz_loadu_epi64(tail.lanes, record + 8 * tail.at);
    __m512i both = _mm512_popcnt_epi64(_mm512_and_si512(last, tail.words));
    __m512i either = _mm512_popcnt_epi64(_mm512_or_si512(last, tail.words));
    for (std::size_t w = 0; w < tail.at; w += 8) {
        const __m512i x = _mm512_loadu_si512(record + 8 * w);
        const __m512i words = _mm512_loadu_si512(probe.words + w);
        both = _mm512_add_epi64(both, _mm512_popcnt_epi64(_mm512_and_si512(x, words)));
        either = _mm512_add_epi64(either, _mm512_popcnt_epi64(_mm512_or_si512(x, words)));
    }
    return _mm512_add_epi64(both, _mm512_slli_epi64(either, 32));
}

template <class Records>
[[gnu::always_inline]] inline __m512i hamming_eight(const Probe& probe, const ProbeTail& tail,
                                                    Records records) noexcept {
    __m512i sum[8];
    if (probe.n_words <= kWideWords) {
        NPHD_UNROLL
        for (unsigned i = 0; i < 8; ++i) sum[i] = hamming_lanes(probe, tail, records[i]);
    } else {
        NPHD_NO_UNROLL
        for (unsigned i = 0; i < 8; ++i) sum[i] = hamming_lanes(probe, tail, records[i]);
    }
    return sums_of_lanes(sum);
}

template <class Records>
[[gnu::always_inline]] inline __m512i overlap_eight(const Probe& probe, const ProbeTail& tail,
                                                    Records records) noexcept {
    __m512i sum[8];
    if (probe.n_words <= kWideWords) {
        NPHD_UNROLL
        for (unsigned i = 0; i < 8; ++i) sum[i] = overlap_lanes(probe, tail, records[i]);
    } else {
        NPHD_NO_UNROLL
        for (unsigned i = 0; i < 8; ++i) sum[i] = overlap_lanes(probe, tail, records[i]);
    }
    return sums_of_lanes(sum);
}

/// jaccard_key of each lane, by division of doubles. That is exact: a quotient lies at least 2^-16 below the next
/// integer unless it is one, and a double below 2^32 is rounded by less than that. 2^32 saturates in the conversion.
[[gnu::always_inline]] inline __m256i jaccard_keys(__m512i overlaps) noexcept {
    const __m256i both = _mm512_cvtepi64_epi32(overlaps);
    const __m256i either = _mm512_cvtepi64_epi32(_mm512_srli_epi64(overlaps, 32));
    const __m512d numerator =
        _mm512_mul_pd(_mm512_cvtepu32_pd(_mm256_sub_epi32(either, both)), _mm512_set1_pd(4294967296.0));
    return _mm512_maskz_cvttpd_epu32(_mm256_test_epi32_mask(either, either),
                                     _mm512_div_pd(numerator, _mm512_cvtepu32_pd(either)));
}

[[gnu::always_inline]] inline __m256i narrow(__m512i sums) noexcept { return _mm512_cvtepi64_epi32(sums); }

struct Avx512 {
    static std::uint32_t hamming(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
        if (bytes <= 8) return Words::hamming(a, b, bytes);
        __m512i sum = _mm512_setzero_si512();
        for (; bytes > 64; bytes -= 64, a += 64, b += 64) {
            sum = _mm512_add_epi64(sum,
                                   _mm512_popcnt_epi64(_mm512_xor_si512(_mm512_loadu_si512(a), _mm512_loadu_si512(b))));
        }
        const __mmask64 rest = low_bytes(bytes);
        const __m512i differ = _mm512_xor_si512(_mm512_maskz_loadu_epi8(rest, a), _mm512_maskz_loadu_epi8(rest, b));
        return static_cast<std::uint32_t>(_mm512_reduce_add_epi64(_mm512_add_epi64(sum, _mm512_popcnt_epi64(differ))));
    }

    static Overlap overlap(const std::uint8_t* a, const std::uint8_t* b, std::size_t bytes) {
        if (bytes <= 8) return Words::overlap(a, b, bytes);
        __m512i both = _mm512_setzero_si512();
        __m512i either = _mm512_setzero_si512();
        while (bytes > 0) {
            const std::size_t step = bytes < 64 ? bytes : 64;
            const __mmask64 lanes = low_bytes(step);
            const __m512i x = _mm512_maskz_loadu_epi8(lanes, a);
            const __m512i y = _mm512_maskz_loadu_epi8(lanes, b);
            both = _mm512_add_epi64(both, _mm512_popcnt_epi64(_mm512_and_si512(x, y)));
            either = _mm512_add_epi64(either, _mm512_popcnt_epi64(_mm512_or_si512(x, y)));
            bytes -= step;
            a += step;
            b += step;
        }
        return {static_cast<std::uint32_t>(_mm512_reduce_add_epi64(both)),
                static_cast<std::uint32_t>(_mm512_reduce_add_epi64(either))};
    }

    static std::uint32_t popcount(const std::uint8_t* a, std::size_t bytes) {
        if (bytes <= 8) return Words::popcount(a, bytes);
        __m512i sum = _mm512_setzero_si512();
        for (; bytes > 64; bytes -= 64, a += 64) {
            sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_loadu_si512(a)));
        }
        sum = _mm512_add_epi64(sum, _mm512_popcnt_epi64(_mm512_maskz_loadu_epi8(low_bytes(bytes), a)));
        return static_cast<std::uint32_t>(_mm512_reduce_add_epi64(sum));
    }

    template <class Records>
    [[gnu::always_inline]] static void hamming_records(const Probe& probe, Records records, std::uint32_t n,
                                                       std::uint32_t* out) noexcept {
        if (probe.n_words == 1) return Words::hamming_fixed<1>(probe, records, n, out);
        if (probe.n_words == 2) return Words::hamming_fixed<2>(probe, records, n, out);
        const ProbeTail tail(probe);
        std::uint32_t i = 0;
        for (; i + 8 <= n; i += 8) {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                                narrow(hamming_eight(probe, tail, records.from(i))));
        }
        if (i == n) return;
        if (probe.n_words > kWideWords) {
            for (; i < n; ++i) {
                out[i] = static_cast<std::uint32_t>(_mm512_reduce_add_epi64(hamming_lanes(probe, tail, records[i])));
            }
            return;
        }
        FilledGroup<8> filled;
        _mm256_mask_storeu_epi32(out + i, low_lanes(n - i),
                                 narrow(hamming_eight(probe, tail, filled.of(records.from(i), n - i))));
    }

    template <class Records>
    [[gnu::always_inline]] static void jaccard_records(const Probe& probe, Records records, std::uint32_t n,
                                                       std::uint32_t* out) noexcept {
        const ProbeTail tail(probe);
        std::uint32_t i = 0;
        for (; i + 8 <= n; i += 8) {
            _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i),
                                jaccard_keys(overlap_eight(probe, tail, records.from(i))));
        }
        if (i == n) return;
        if (probe.n_words > kWideWords) {
            for (; i < n; ++i) {
                const auto sum =
                    static_cast<std::uint64_t>(_mm512_reduce_add_epi64(overlap_lanes(probe, tail, records[i])));
                out[i] = jaccard_key({static_cast<std::uint32_t>(sum), static_cast<std::uint32_t>(sum >> 32)});
            }
            return;
        }
        FilledGroup<8> filled;
        _mm256_mask_storeu_epi32(out + i, low_lanes(n - i),
                                 jaccard_keys(overlap_eight(probe, tail, filled.of(records.from(i), n - i))));
    }
};

void hamming_range(const Probe& probe, const RecordArray& codes, NodeId first, std::uint32_t n, std::uint32_t* out) {
    using R = RecordKernels<Avx512>;
    if (probe.n_words > 0) {
        switch (codes.record_bytes) {
            case 8:
                return R::hamming_dense_range<DenseHamming<1>>(probe, codes, first, n, out);
            case 16:
                return R::hamming_dense_range<DenseHamming<2>>(probe, codes, first, n, out);
            case 24:
                return R::hamming_dense_range<DenseHamming<3>>(probe, codes, first, n, out);
            case 32:
                return R::hamming_dense_range<DenseHamming<4>>(probe, codes, first, n, out);
            case 64:
                return R::hamming_dense_range<DenseHamming<8>>(probe, codes, first, n, out);
            default:
                break;
        }
    }
    R::hamming_range(probe, codes, first, n, out);
}

}  // namespace

constexpr Kernels kAvx512Kernels = kernel_table<Avx512>("avx512", hamming_range);

}  // namespace nphd
NPHD_TARGET_END

#endif
