// Distances against known answers and exact arithmetic; every kernel table against loops over single bits.
#include "engine/distance/distance.hpp"

#include <gtest/gtest.h>
#include <sys/mman.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string_view>
#include <vector>

namespace nphd {
namespace {

/// New with every run; NPHD_TEST_SEED repeats one.
std::uint32_t test_seed() {
    const char* const given = std::getenv("NPHD_TEST_SEED");
    return given != nullptr ? static_cast<std::uint32_t>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
}

using Bytes = std::vector<std::uint8_t>;

Bytes hex(std::string_view digits) {
    Bytes bytes;
    const auto nibble = [](char c) { return c <= '9' ? c - '0' : c - 'a' + 10; };
    for (std::size_t i = 0; i < digits.size(); i += 2) {
        bytes.push_back(static_cast<std::uint8_t>(nibble(digits[i]) * 16 + nibble(digits[i + 1])));
    }
    return bytes;
}

/// Random codes. `density` of the bits are set, in expectation.
class RandomCodes {
public:
    explicit RandomCodes(std::uint32_t seed) : engine_(seed) {}

    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(engine_() % n); }

    void fill(std::uint8_t* p, std::size_t bytes) {
        const std::uint32_t kind = below(8);
        for (std::size_t i = 0; i < bytes; ++i) p[i] = byte(kind);
    }

    Bytes bytes(std::size_t n) {
        Bytes b(n);
        fill(b.data(), n);
        return b;
    }

private:
    std::uint8_t byte(std::uint32_t kind) {
        switch (kind) {
            case 0:
                return 0;
            case 1:
                return 0xFF;
            case 2:
                return static_cast<std::uint8_t>(engine_() & engine_() & engine_());
            case 3:
                return static_cast<std::uint8_t>(engine_() | engine_() | engine_());
            default:
                return static_cast<std::uint8_t>(engine_());
        }
    }

    std::mt19937_64 engine_;
};

/// Bytes that end exactly at an inaccessible page (or begin right behind one), so that a kernel which reads
/// beyond its input crashes whatever instruction it uses.
class GuardedBytes {
public:
    explicit GuardedBytes(std::size_t bytes, bool at_end = true) {
        const std::size_t page = 4096;
        const std::size_t inner = (bytes + page - 1) / page * page + page;
        size_ = inner + 2 * page;
        map_ = static_cast<std::uint8_t*>(
            mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        if (map_ == MAP_FAILED) throw std::bad_alloc();
        mprotect(map_, page, PROT_NONE);
        mprotect(map_ + page + inner, page, PROT_NONE);
        data_ = at_end ? map_ + page + inner - bytes : map_ + page;
    }
    GuardedBytes(const GuardedBytes&) = delete;
    GuardedBytes& operator=(const GuardedBytes&) = delete;
    ~GuardedBytes() { munmap(map_, size_); }

    std::uint8_t* data() { return data_; }

private:
    std::uint8_t* map_;
    std::uint8_t* data_;
    std::size_t size_;
};

bool bit(const std::uint8_t* p, std::size_t i) { return (p[i / 8] >> (i % 8)) & 1; }

std::uint32_t naive_hamming(const std::uint8_t* a, const std::uint8_t* b, std::size_t bits) {
    std::uint32_t sum = 0;
    for (std::size_t i = 0; i < bits; ++i) sum += bit(a, i) != bit(b, i);
    return sum;
}

Overlap naive_overlap(const std::uint8_t* a, const std::uint8_t* b, std::size_t bits) {
    Overlap sum{0, 0};
    for (std::size_t i = 0; i < bits; ++i) {
        sum.both += bit(a, i) && bit(b, i);
        sum.either += bit(a, i) || bit(b, i);
    }
    return sum;
}

std::uint32_t naive_jaccard(const std::uint8_t* a, const std::uint8_t* b, std::size_t bits) {
    const Overlap o = naive_overlap(a, b, bits);
    return o.either == 0 ? 0 : fraction_key(o.either - o.both, o.either);
}

// --- distances as SQL sees them ---

TEST(NphdDistanceTest, KnownAnswers) {
    EXPECT_EQ(nphd_distance(hex("aa00"), hex("aa")), 0.0);
    EXPECT_EQ(nphd_distance(hex("aa"), hex("aaff")), 0.0);
    EXPECT_EQ(nphd_distance(hex("aa00"), hex("aaff")), 0.5);
    EXPECT_EQ(nphd_distance(hex("aabbccdd"), hex("aabbcc00")), 0.1875);
    EXPECT_EQ(nphd_distance(hex("00"), hex("ff")), 1.0);
    EXPECT_EQ(nphd_distance(hex("00"), hex("ff00")), 1.0);
    EXPECT_EQ(nphd_distance(hex("01"), hex("00")), 0.125);
}

TEST(NphdDistanceTest, EmptyCodes) {
    EXPECT_EQ(nphd_distance({}, {}), 0.0);
    EXPECT_EQ(nphd_distance(hex("00"), {}), 1.0);
    EXPECT_EQ(nphd_distance({}, hex("aabb")), 1.0);
    EXPECT_EQ(distance_key(Metric::nphd, {}, {}), 0u);
    EXPECT_EQ(distance_key(Metric::nphd, hex("00"), {}), 0xFFFFFFFFu);
}

TEST(HammingDistanceTest, KnownAnswers) {
    EXPECT_EQ(hamming_distance(hex("aabbccdd"), hex("aabbcc00")), 6.0);
    EXPECT_EQ(hamming_distance({}, {}), 0.0);
    EXPECT_EQ(hamming_distance(Bytes(8000, 0x00), Bytes(8000, 0xFF)), 64000.0);
}

TEST(JaccardDistanceTest, KnownAnswers) {
    EXPECT_EQ(jaccard_distance(hex("0f"), hex("3c")), 4.0 / 6.0);
    EXPECT_EQ(jaccard_distance(hex("0000"), hex("0000")), 0.0);
    EXPECT_EQ(jaccard_distance(hex("0000"), hex("0001")), 1.0);
    EXPECT_EQ(jaccard_distance(hex("f00f"), hex("f00f")), 0.0);
    EXPECT_EQ(jaccard_distance({}, {}), 0.0);
    EXPECT_EQ(distance_key(Metric::jaccard, hex("0f"), hex("1f")), 0x33333333u);
}

TEST(DistanceTest, IdentitySymmetryAndRange) {
    const std::uint32_t seed = test_seed();
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomCodes random(seed);
    for (int round = 0; round < 2000; ++round) {
        const std::size_t bytes = random.below(200);
        const Bytes a = random.bytes(bytes);
        const Bytes b = random.bytes(bytes);
        const Bytes longer = random.bytes(bytes + random.below(50));
        for (const Metric metric : {Metric::nphd, Metric::hamming, Metric::jaccard}) {
            EXPECT_EQ(distance(metric, a, a), 0.0);
            EXPECT_EQ(distance_key(metric, a, a), 0u);
            EXPECT_EQ(distance(metric, a, b), distance(metric, b, a));
            EXPECT_EQ(distance_key(metric, a, b), distance_key(metric, b, a));
            EXPECT_GE(distance(metric, a, b), 0.0);
            if (metric != Metric::hamming) {
                EXPECT_LE(distance(metric, a, b), 1.0);
            }
        }
        EXPECT_EQ(nphd_distance(a, longer), nphd_distance(longer, a));
        if (bytes > 0) {
            EXPECT_EQ(nphd_distance(a, longer), nphd_distance(a, CodeBytes(longer).first(bytes)));
            EXPECT_EQ(nphd_distance(a, b), hamming_distance(a, b) / (8.0 * static_cast<double>(bytes)));
        }
    }
}

TEST(DistanceTest, KeysOrderCodesAsTheDistancesDo) {
    const std::uint32_t seed = test_seed();
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomCodes random(seed);
    for (int round = 0; round < 5000; ++round) {
        const Bytes query = random.bytes(1 + random.below(40));
        const Bytes a = random.bytes(1 + random.below(40));
        const Bytes b = random.bytes(1 + random.below(40));
        const double da = nphd_distance(query, a);
        const double db = nphd_distance(query, b);
        const DistanceKey ka = distance_key(Metric::nphd, query, a);
        const DistanceKey kb = distance_key(Metric::nphd, query, b);
        EXPECT_EQ(da < db, ka < kb);
        EXPECT_EQ(da == db, ka == kb);
    }
}

/// The order of n1/d1 and n2/d2 by cross multiplication must be the order of their keys.
void expect_exact_order(std::uint64_t n1, std::uint64_t d1, std::uint64_t n2, std::uint64_t d2) {
    const auto exact = n1 * d2 <=> n2 * d1;
    const auto keys = fraction_key(static_cast<std::uint32_t>(n1), static_cast<std::uint32_t>(d1)) <=>
                      fraction_key(static_cast<std::uint32_t>(n2), static_cast<std::uint32_t>(d2));
    ASSERT_TRUE(exact == keys) << n1 << "/" << d1 << " and " << n2 << "/" << d2;
}

TEST(DistanceKeyTest, OrdersAllFractionsWithSmallDenominatorsExactly) {
    for (std::uint32_t d1 = 1; d1 <= 48; ++d1) {
        for (std::uint32_t n1 = 0; n1 <= d1; ++n1) {
            for (std::uint32_t d2 = 1; d2 <= 48; ++d2) {
                for (std::uint32_t n2 = 0; n2 <= d2; ++n2) expect_exact_order(n1, d1, n2, d2);
            }
        }
    }
}

TEST(DistanceKeyTest, OrdersLargeFractionsExactly) {
    const std::uint32_t seed = test_seed();
    SCOPED_TRACE(testing::Message() << "seed " << seed);
    RandomCodes random(seed);
    for (int round = 0; round < 300000; ++round) {
        const std::uint32_t d1 = 0xFFFF - random.below(random.below(2) ? 100 : 60000);
        const std::uint32_t d2 = 0xFFFF - random.below(random.below(2) ? 100 : 60000);
        const std::uint32_t n1 = random.below(d1 + 1);
        expect_exact_order(n1, d1, random.below(d2 + 1), d2);
        // The nearest neighbour of n1/d1 with the other denominator: the hardest case.
        const auto near = static_cast<std::uint32_t>(static_cast<std::uint64_t>(n1) * d2 / d1);
        expect_exact_order(n1, d1, near, d2);
        if (near < d2) expect_exact_order(n1, d1, near + 1, d2);
    }
}

// --- every table against single bits ---

class KernelTest : public testing::TestWithParam<const Kernels*> {
protected:
    const Kernels& k = *GetParam();
    std::uint32_t seed = test_seed();
    RandomCodes random{seed};
    testing::ScopedTrace trace{__FILE__, __LINE__, testing::Message() << "seed " << seed};

    void expect_pair(std::size_t bytes, bool at_end, std::size_t shift) {
        GuardedBytes a(bytes + (at_end ? 0 : shift), at_end);
        GuardedBytes b(bytes + (at_end ? shift : 0), at_end);
        std::uint8_t* pa = a.data() + (at_end ? 0 : shift);
        std::uint8_t* pb = b.data();
        random.fill(pa, bytes);
        random.fill(pb, bytes);
        const Overlap exact = naive_overlap(pa, pb, 8 * bytes);
        const Overlap got = k.overlap(pa, pb, bytes);
        EXPECT_EQ(k.hamming(pa, pb, bytes), exact.either - exact.both) << bytes << " bytes, shift " << shift;
        EXPECT_EQ(got.both, exact.both) << bytes << " bytes, shift " << shift;
        EXPECT_EQ(got.either, exact.either) << bytes << " bytes, shift " << shift;
        EXPECT_EQ(k.popcount(pa, bytes), naive_overlap(pa, pa, 8 * bytes).both) << bytes << " bytes";
    }
};

TEST_P(KernelTest, CountsPairsOfEveryLengthAndAlignment) {
    for (std::size_t bytes = 0; bytes <= 640; ++bytes) {
        expect_pair(bytes, true, 0);
        expect_pair(bytes, false, random.below(64));
        expect_pair(bytes, true, random.below(64));
    }
    for (const std::size_t bytes : {1000u, 4095u, 7999u, 8000u, 8191u, 30000u})
        expect_pair(bytes, true, random.below(64));
}

TEST_P(KernelTest, CountsExtremes) {
    for (const std::size_t bytes : {1u, 8u, 31u, 64u, 255u, 512u, 8000u, 65536u}) {
        const Bytes zeros(bytes, 0x00);
        const Bytes ones(bytes, 0xFF);
        EXPECT_EQ(k.hamming(zeros.data(), ones.data(), bytes), 8 * bytes);
        EXPECT_EQ(k.hamming(ones.data(), ones.data(), bytes), 0u);
        EXPECT_EQ(k.popcount(ones.data(), bytes), 8 * bytes);
        EXPECT_EQ(k.overlap(ones.data(), zeros.data(), bytes).both, 0u);
        EXPECT_EQ(k.overlap(ones.data(), zeros.data(), bytes).either, 8 * bytes);
    }
}

/// Records of one width in plain memory or on pages, ending at an inaccessible page, and a probe for them.
struct Lane {
    Lane(RandomCodes& random, std::uint32_t record_words, std::uint32_t count, bool paged, std::uint32_t misalign = 0)
        : record_bytes(8 * record_words),
          memory(paged ? RecordArray::pages_for(count, record_bytes) * kPageBytes : record_bytes * count + misalign,
                 misalign == 0) {
        if (paged) {
            random.fill(memory.data(), RecordArray::pages_for(count, record_bytes) * kPageBytes);
            codes = RecordArray::paged(memory.data(), record_bytes, count);
        } else {
            codes = RecordArray::plain(memory.data() + misalign, record_bytes, count);
        }
        for (std::uint32_t i = 0; i < count; ++i) random.fill(record(i), record_bytes);
    }

    std::uint8_t* record(std::uint32_t i) {
        return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(codes.at(i)));
    }

    std::uint32_t record_bytes;
    GuardedBytes memory;
    RecordArray codes;
};

struct ProbeWords {
    /// The first `bytes` bytes of a random code, or of one of the lane's.
    ProbeWords(RandomCodes& random, Lane& lane, std::uint32_t bytes)
        : code(random.bytes(bytes)), words((bytes + 7) / 8) {
        if (bytes > 0 && random.below(4) == 0) {
            std::memcpy(code.data(), lane.record(random.below(lane.codes.count)), bytes);
        }
        if (bytes > 0) std::memcpy(words.data(), code.data(), bytes);
        probe.words = words.data();
        probe.n_words = static_cast<std::uint32_t>(words.size());
        probe.bits = 8 * bytes;
        if (bytes % 8 != 0) probe.last_mask = ~0ull >> (64 - 8 * (bytes % 8));
    }

    Bytes code;
    std::vector<std::uint64_t> words;
    Probe probe;
};

/// Checks a range and a gather of n records, and that nothing is written behind out[n - 1].
void expect_lane(const Kernels& k, RandomCodes& random, Lane& lane, std::uint32_t probe_bytes, std::uint32_t n) {
    const ProbeWords p(random, lane, probe_bytes);
    const bool whole = p.probe.n_words * 8 == lane.record_bytes;
    const std::uint32_t first = random.below(lane.codes.count - n + 1);
    std::vector<NodeId> ids(n);
    for (NodeId& id : ids) id = random.below(lane.codes.count);

    SCOPED_TRACE(testing::Message() << "records of " << lane.record_bytes << " bytes, probe of " << probe_bytes << ", "
                                    << n << " from " << first);
    GuardedBytes memory(4 * n + 4);
    auto* out = reinterpret_cast<std::uint32_t*>(memory.data());
    const auto check = [&](const char* what, auto kernel, auto id, auto naive) {
        out[n] = 0xDEADBEEF;
        kernel();
        for (std::uint32_t i = 0; i < n; ++i) {
            ASSERT_EQ(out[i], naive(p.code.data(), lane.record(id(i)), p.probe.bits)) << what << " " << i;
        }
        ASSERT_EQ(out[n], 0xDEADBEEF) << what << " wrote too much";
    };
    const auto at_range = [&](std::uint32_t i) { return first + i; };
    const auto at_ids = [&](std::uint32_t i) { return ids[i]; };
    check(
        "hamming_range", [&] { k.hamming_range(p.probe, lane.codes, first, n, out); }, at_range, naive_hamming);
    check(
        "hamming_gather", [&] { k.hamming_gather(p.probe, lane.codes, ids.data(), n, out); }, at_ids, naive_hamming);
    if (!whole || p.probe.last_mask != ~0ull) return;
    check(
        "jaccard_range", [&] { k.jaccard_range(p.probe, lane.codes, first, n, out); }, at_range, naive_jaccard);
    check(
        "jaccard_gather", [&] { k.jaccard_gather(p.probe, lane.codes, ids.data(), n, out); }, at_ids, naive_jaccard);
}

TEST_P(KernelTest, RangesAndGathersOfEveryWidth) {
    for (std::uint32_t words = 1; words <= 70; ++words) {
        for (const bool paged : {false, true}) {
            Lane lane(random, words, 90, paged, paged ? 0 : random.below(2) * random.below(8));
            expect_lane(k, random, lane, 8 * words, 1 + random.below(90));
            expect_lane(k, random, lane, 8 * words, 90);
            expect_lane(k, random, lane, random.below(8 * words), 1 + random.below(90));
        }
    }
}

TEST_P(KernelTest, RangesAndGathersOfEveryCount) {
    for (const std::uint32_t words : {1u, 2u, 3u, 4u, 5u, 8u, 16u, 32u}) {
        for (const bool paged : {false, true}) {
            Lane lane(random, words, 100, paged);
            for (std::uint32_t n = 0; n <= 70; ++n) {
                expect_lane(k, random, lane, 8 * words, n);
                expect_lane(k, random, lane, random.below(8 * words), n);
            }
        }
    }
}

TEST_P(KernelTest, PrefixProbesOfEveryLength) {
    for (const std::uint32_t words : {1u, 2u, 3u, 4u, 5u, 8u, 9u, 16u}) {
        Lane lane(random, words, 64, true);
        for (std::uint32_t bytes = 0; bytes <= 8 * words; ++bytes) expect_lane(k, random, lane, bytes, 40);
    }
}

TEST_P(KernelTest, RangesCrossPages) {
    for (const std::uint32_t words : {1u, 2u, 3u, 4u, 6u, 8u, 16u, 32u, 33u, 500u, 508u, 509u, 1000u}) {
        const std::uint32_t per_page = RecordArray::records_per_page(8 * words);
        const std::uint32_t count = 3 * per_page + per_page / 2 + 1;
        Lane lane(random, words, count, true);
        expect_lane(k, random, lane, 8 * words, count);
        expect_lane(k, random, lane, 8 * words, per_page);
        expect_lane(k, random, lane, random.below(8 * words), 1 + random.below(count));
    }
}

TEST_P(KernelTest, EmptyProbeIsAtDistanceZeroOfEverything) {
    Lane lane(random, 4, 50, true);
    std::vector<std::uint32_t> out(50, 7);
    k.hamming_range(Probe{}, lane.codes, 0, 50, out.data());
    EXPECT_EQ(out, std::vector<std::uint32_t>(50, 0));
    const std::vector<NodeId> ids(50, 3);
    out.assign(50, 7);
    k.hamming_gather(Probe{}, lane.codes, ids.data(), 50, out.data());
    EXPECT_EQ(out, std::vector<std::uint32_t>(50, 0));
    out.assign(50, 7);
    k.jaccard_range(Probe{}, lane.codes, 0, 50, out.data());
    EXPECT_EQ(out, std::vector<std::uint32_t>(50, 0));
    out.assign(50, 7);
    k.jaccard_gather(Probe{}, lane.codes, ids.data(), 50, out.data());
    EXPECT_EQ(out, std::vector<std::uint32_t>(50, 0));
}

/// Sets the first n bits.
void set_prefix(std::uint8_t* p, std::size_t bytes, std::uint32_t n) {
    std::memset(p, 0, bytes);
    std::memset(p, 0xFF, n / 8);
    if (n % 8 != 0) p[n / 8] = static_cast<std::uint8_t>((1u << (n % 8)) - 1);
}

/// Codes whose first bits are set have overlaps of any wanted size: both = min, either = max.
void expect_jaccard_keys(const Kernels& k, std::uint32_t words, const std::vector<std::uint32_t>& record_bits,
                         std::uint32_t probe_bits) {
    const auto count = static_cast<std::uint32_t>(record_bits.size());
    Bytes memory(static_cast<std::size_t>(8) * words * count);
    for (std::uint32_t i = 0; i < count; ++i)
        set_prefix(&memory[std::size_t{8} * words * i], 8 * words, record_bits[i]);
    std::vector<std::uint64_t> probe_words(words);
    set_prefix(reinterpret_cast<std::uint8_t*>(probe_words.data()), 8 * words, probe_bits);
    const Probe probe{probe_words.data(), words, 64 * words};
    std::vector<std::uint32_t> out(count);
    k.jaccard_range(probe, RecordArray::plain(memory.data(), 8 * words, count), 0, count, out.data());
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::uint32_t both = std::min(probe_bits, record_bits[i]);
        const std::uint32_t either = std::max(probe_bits, record_bits[i]);
        ASSERT_EQ(out[i], either == 0 ? 0 : fraction_key(either - both, either)) << both << " of " << either;
    }
}

TEST_P(KernelTest, JaccardKeysAreExactForEveryOverlapOf512Bits) {
    std::vector<std::uint32_t> record_bits(513);
    for (std::uint32_t i = 0; i <= 512; ++i) record_bits[i] = i;
    for (std::uint32_t probe_bits = 0; probe_bits <= 512; ++probe_bits)
        expect_jaccard_keys(k, 8, record_bits, probe_bits);
}

TEST_P(KernelTest, JaccardKeysAreExactForLongCodes) {
    for (int round = 0; round < 40; ++round) {
        std::vector<std::uint32_t> record_bits(50);
        for (std::uint32_t& bits : record_bits) bits = 64000 - random.below(random.below(2) ? 64001 : 200);
        expect_jaccard_keys(k, 1000, record_bits, 64000 - random.below(random.below(2) ? 64001 : 200));
    }
}

INSTANTIATE_TEST_SUITE_P(Tables, KernelTest, testing::ValuesIn(available_kernels().begin(), available_kernels().end()),
                         [](const testing::TestParamInfo<const Kernels*>& i) { return std::string(i.param->name); });

TEST(DispatchTest, ScalarIsFirstAndTheBestTableIsOneOfTheAvailable) {
    ASSERT_FALSE(available_kernels().empty());
    EXPECT_STREQ(available_kernels().front()->name, "scalar");
    EXPECT_NE(std::ranges::find(available_kernels(), &kernels()), available_kernels().end());
}

}  // namespace
}  // namespace nphd
