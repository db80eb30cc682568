// Synthetic codes for tests and benchmarks: what the data of real users looks like, the same for the same seed.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "engine/base/record_array.hpp"
#include "engine/distance/kernels.hpp"

namespace nphd::test {

/// A small generator (Vigna's splitmix64) whose values do not depend on the standard library.
class TestRandom {
public:
    explicit TestRandom(std::uint64_t seed) : state_(seed * 0x9E3779B97F4A7C15 + 0x1234567) {}
    std::uint64_t next() {
        std::uint64_t z = (state_ += 0x9E3779B97F4A7C15);
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    /// Uniform in [0, n), n > 0.
    std::uint32_t below(std::uint32_t n) { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }
    /// Uniform in (0, 1].
    double unit() { return (static_cast<double>(next() >> 11) + 1) * 0x1p-53; }
    /// A standard normal pair (Box and Muller), one of them kept for the next call.
    double normal() {
        if (spare_ready_) {
            spare_ready_ = false;
            return spare_;
        }
        const double r = std::sqrt(-2 * std::log(unit())), angle = 6.283185307179586 * unit();
        spare_ = r * std::sin(angle);
        spare_ready_ = true;
        return r * std::cos(angle);
    }

private:
    std::uint64_t state_;
    double spare_ = 0;
    bool spare_ready_ = false;
};

/// Codes of one length as a lane holds them: zero-padded to whole words, at least one.
class CodeSet {
public:
    explicit CodeSet(std::uint32_t code_bytes)
        : code_bytes_(code_bytes), words_per_code_(std::max(1u, (code_bytes + 7) / 8)) {}

    std::uint32_t code_bytes() const { return code_bytes_; }
    std::uint32_t record_bytes() const { return words_per_code_ * 8; }
    std::uint32_t size() const { return static_cast<std::uint32_t>(words_.size() / words_per_code_); }
    void reserve(std::size_t n) { words_.reserve(n * words_per_code_); }

    std::span<std::uint64_t> words(std::uint32_t i) {
        return {&words_[std::size_t{i} * words_per_code_], words_per_code_};
    }
    std::span<const std::uint64_t> words(std::uint32_t i) const {
        return {&words_[std::size_t{i} * words_per_code_], words_per_code_};
    }
    std::span<const std::uint8_t> code(std::uint32_t i) const {
        return {reinterpret_cast<const std::uint8_t*>(words(i).data()), code_bytes_};
    }
    /// All zero bits; returns its number.
    std::uint32_t add() {
        words_.resize(words_.size() + words_per_code_);
        return size() - 1;
    }
    std::uint32_t add(std::span<const std::uint8_t> code) {
        const std::uint32_t i = add();
        if (!code.empty()) std::memcpy(words(i).data(), code.data(), std::min<std::size_t>(code.size(), code_bytes_));
        return i;
    }
    void flip_bit(std::uint32_t i, std::uint32_t bit) { words(i)[bit / 64] ^= std::uint64_t{1} << bit % 64; }
    void set_random(std::uint32_t i, TestRandom& random) {
        for (auto& w : words(i)) w = random.next();
        clear_padding(i);
    }
    /// Flips each bit with probability p.
    void add_noise(std::uint32_t i, double p, TestRandom& random) {
        // Distances between flips are geometric, which costs one draw per flip and not one per bit.
        const double scale = std::log1p(-p);
        for (double bit = std::floor(std::log(random.unit()) / scale); bit < 8.0 * code_bytes_;
             bit += 1 + std::floor(std::log(random.unit()) / scale))
            flip_bit(i, static_cast<std::uint32_t>(bit));
    }
    void clear_padding(std::uint32_t i) {
        if (const std::uint32_t rest = code_bytes_ % 8) words(i).back() &= (std::uint64_t{1} << 8 * rest) - 1;
        if (code_bytes_ == 0) words(i).back() = 0;
    }
    /// The codes' shuffled copy.
    void shuffle(TestRandom& random) {
        for (std::uint32_t i = size(); i > 1; --i) {
            const auto a = words(i - 1), b = words(random.below(i));
            std::swap_ranges(a.begin(), a.end(), b.begin());
        }
    }

    RecordArray records() const { return RecordArray::plain(words_.data(), record_bytes(), size()); }
    /// A query over the first `query_bytes` of code i (all of it by default) against codes of at least that length.
    Probe probe(std::uint32_t i, std::uint32_t query_bytes = ~0u) const {
        const std::uint32_t bytes = std::min(query_bytes, code_bytes_);
        Probe p;
        p.words = words(i).data();
        p.n_words = (bytes + 7) / 8;
        p.bits = 8 * bytes;
        if (bytes % 8) p.last_mask = (std::uint64_t{1} << 8 * (bytes % 8)) - 1;
        return p;
    }

private:
    std::uint32_t code_bytes_;
    std::uint32_t words_per_code_;
    std::vector<std::uint64_t> words_;
};

/// The same codes without repetitions, each at its first place.
inline CodeSet distinct(const CodeSet& codes) {
    CodeSet out(codes.code_bytes());
    out.reserve(codes.size());
    std::vector<std::uint32_t> order(codes.size());
    for (std::uint32_t i = 0; i < codes.size(); ++i) order[i] = i;
    const auto before = [&](std::uint32_t a, std::uint32_t b) {
        const auto x = codes.words(a), y = codes.words(b);
        const int c = std::memcmp(x.data(), y.data(), x.size_bytes());
        return c != 0 ? c < 0 : a < b;
    };
    std::sort(order.begin(), order.end(), before);
    std::vector<bool> repeated(codes.size());
    for (std::uint32_t i = 1; i < codes.size(); ++i) {
        const auto x = codes.words(order[i - 1]), y = codes.words(order[i]);
        repeated[order[i]] = std::memcmp(x.data(), y.data(), x.size_bytes()) == 0;
    }
    for (std::uint32_t i = 0; i < codes.size(); ++i)
        if (!repeated[i]) out.add(codes.code(i));
    return out;
}

/// "E": binary-quantised embeddings. Signs of random projections of a 48-dimensional Gaussian mixture with 2,000
/// clusters of Zipf-like sizes; any prefix of a code is a coarser code of the same vector.
class ClusteredSource {
public:
    ClusteredSource(std::uint32_t code_bytes, std::uint64_t seed, double spread = 0.5)
        : code_bytes_(code_bytes), spread_(spread) {
        TestRandom random(seed);
        planes_.resize(std::size_t{8} * code_bytes * kDimensions);
        for (auto& x : planes_) x = static_cast<float>(random.normal());
        centres_.resize(std::size_t{kClusters} * kDimensions);
        for (auto& x : centres_) x = static_cast<float>(random.normal());
        double sum = 0;
        for (std::uint32_t i = 0; i < kClusters; ++i) cumulative_.push_back(sum += std::pow(i + 1.0, -0.7));
    }
    CodeSet take(std::uint32_t n, std::uint64_t seed) const {
        TestRandom random(seed);
        CodeSet out(code_bytes_);
        out.reserve(n);
        for (std::uint32_t i = 0; i < n; ++i) {
            const double u = random.unit() * cumulative_.back();
            const auto cluster = std::min<std::size_t>(
                kClusters - 1, static_cast<std::size_t>(std::lower_bound(cumulative_.begin(), cumulative_.end(), u) -
                                                        cumulative_.begin()));
            float x[kDimensions];
            for (std::uint32_t d = 0; d < kDimensions; ++d)
                x[d] = centres_[cluster * kDimensions + d] + static_cast<float>(spread_ * random.normal());
            const std::uint32_t at = out.add();
            for (std::uint32_t b = 0; b < 8 * code_bytes_; ++b) {
                const float* plane = &planes_[std::size_t{b} * kDimensions];
                float lane[4] = {};
                for (std::uint32_t d = 0; d < kDimensions; d += 4)
                    for (std::uint32_t j = 0; j < 4; ++j) lane[j] += plane[d + j] * x[d + j];
                if (lane[0] + lane[1] + lane[2] + lane[3] > 0) out.flip_bit(at, b);
            }
        }
        return out;
    }

private:
    static constexpr std::uint32_t kDimensions = 48, kClusters = 2000;
    std::uint32_t code_bytes_;
    double spread_;
    std::vector<float> planes_, centres_;
    std::vector<double> cumulative_;
};

/// Codes to index and codes to ask for, of the same distribution.
struct DataSet {
    CodeSet codes;
    CodeSet queries;
};

inline DataSet clustered_data(std::uint32_t n, std::uint32_t n_queries, std::uint32_t code_bytes, std::uint64_t seed) {
    const ClusteredSource source(code_bytes, seed);
    return {distinct(source.take(n, seed * 2 + 1)), source.take(n_queries, seed * 2 + 2)};
}

/// "N": near-duplicates of unrelated contents, as perceptual hashes have them. Uniformly random bases, each with a
/// family of noisy copies (each bit flipped with probability `noise`); queries are further copies of the bases.
inline DataSet near_duplicate_data(std::uint32_t n, std::uint32_t n_queries, std::uint32_t code_bytes,
                                   std::uint64_t seed, std::uint32_t family = 10, double noise = 0.03) {
    TestRandom random(seed);
    DataSet out{CodeSet(code_bytes), CodeSet(code_bytes)};
    out.codes.reserve(n);
    for (std::uint32_t base = 0; base < n; base += family) {
        out.codes.add();
        out.codes.set_random(base, random);
        for (std::uint32_t i = base + 1; i < std::min(n, base + family); ++i) {
            out.codes.add();
            std::copy(out.codes.words(base).begin(), out.codes.words(base).end(), out.codes.words(i).begin());
            out.codes.add_noise(i, noise, random);
        }
    }
    for (std::uint32_t i = 0; i < n_queries; ++i) {
        out.queries.add(out.codes.code(random.below((n + family - 1) / family) * family));
        out.queries.add_noise(i, noise, random);
    }
    out.codes.shuffle(random);
    out.codes = distinct(out.codes);
    return out;
}

/// In the order of CodeSet::shuffle() with the same numbers.
inline void shuffle(std::vector<std::uint32_t>& numbers, TestRandom& random) {
    for (std::size_t i = numbers.size(); i > 1; --i)
        std::swap(numbers[i - 1], numbers[random.below(static_cast<std::uint32_t>(i))]);
}

struct FamilyData : DataSet {
    std::vector<std::uint32_t> family, query_family;  // of each code and query
};

/// Clustered bases, each with a family of near-duplicates; queries are further near-duplicates. Codes may repeat.
inline FamilyData clustered_family_data(std::uint32_t n, std::uint32_t n_queries, std::uint32_t code_bytes,
                                        std::uint64_t seed, std::uint32_t family = 10, double noise = 0.03) {
    const ClusteredSource source(code_bytes, seed);
    const CodeSet bases = source.take((n + family - 1) / family, seed + 1);
    TestRandom random(seed + 2);
    FamilyData out{{CodeSet(code_bytes), CodeSet(code_bytes)}, {}, {}};
    out.codes.reserve(n);
    for (std::uint32_t i = 0; i < n; ++i) {
        out.codes.add(bases.code(i / family));
        if (i % family != 0) out.codes.add_noise(i, noise, random);
        out.family.push_back(i / family);
    }
    for (std::uint32_t i = 0; i < n_queries; ++i) {
        out.query_family.push_back(random.below(bases.size()));
        out.queries.add(bases.code(out.query_family.back()));
        out.queries.add_noise(i, noise, random);
    }
    TestRandom same = random;
    out.codes.shuffle(random);
    shuffle(out.family, same);
    return out;
}

inline DataSet uniform_data(std::uint32_t n, std::uint32_t n_queries, std::uint32_t code_bytes, std::uint64_t seed) {
    TestRandom random(seed);
    DataSet out{CodeSet(code_bytes), CodeSet(code_bytes)};
    for (std::uint32_t i = 0; i < n; ++i) out.codes.set_random(out.codes.add(), random);
    for (std::uint32_t i = 0; i < n_queries; ++i) out.queries.set_random(out.queries.add(), random);
    out.codes = distinct(out.codes);
    return out;
}

/// Few distances that differ: 16 random bits, each repeated over a sixteenth of the code (code_bytes % 2 == 0, at most
/// 65,536 codes remain). Every distance is a multiple of code_bytes / 2 bits.
inline DataSet low_entropy_data(std::uint32_t n, std::uint32_t n_queries, std::uint32_t code_bytes,
                                std::uint64_t seed) {
    TestRandom random(seed);
    const auto spread_out = [&](CodeSet& set) {
        const auto pattern = static_cast<std::uint32_t>(random.next() >> 48);
        const std::uint32_t at = set.add(), run = code_bytes / 2;
        for (std::uint32_t b = 0; b < 8 * code_bytes; ++b)
            if (pattern >> b / run & 1) set.flip_bit(at, b);
    };
    DataSet out{CodeSet(code_bytes), CodeSet(code_bytes)};
    for (std::uint32_t i = 0; i < n; ++i) spread_out(out.codes);
    for (std::uint32_t i = 0; i < n_queries; ++i) spread_out(out.queries);
    out.codes = distinct(out.codes);
    return out;
}

/// One random code with up to `flips` bits changed: all codes are almost the same.
inline DataSet near_identical_data(std::uint32_t n, std::uint32_t n_queries, std::uint32_t code_bytes,
                                   std::uint64_t seed, std::uint32_t flips = 3) {
    TestRandom random(seed);
    CodeSet base(code_bytes);
    base.set_random(base.add(), random);
    const auto vary = [&](CodeSet& set) {
        const std::uint32_t at = set.add(base.code(0));
        for (std::uint32_t i = 0; i < flips; ++i) set.flip_bit(at, random.below(8 * code_bytes));
    };
    DataSet out{CodeSet(code_bytes), CodeSet(code_bytes)};
    for (std::uint32_t i = 0; i < n; ++i) vary(out.codes);
    for (std::uint32_t i = 0; i < n_queries; ++i) vary(out.queries);
    out.codes = distinct(out.codes);
    return out;
}

/// 8 * code_bytes codes with one bit set each: every pair is at the same distance of two bits.
inline CodeSet equidistant_codes(std::uint32_t code_bytes) {
    CodeSet out(code_bytes);
    for (std::uint32_t b = 0; b < 8 * code_bytes; ++b) out.flip_bit(out.add(), b);
    return out;
}

/// Sparse fingerprints for Jaccard: families of codes with about `ones` bits set, a tenth of them exchanged per copy.
inline DataSet sparse_data(std::uint32_t n, std::uint32_t n_queries, std::uint32_t code_bytes, std::uint64_t seed,
                           std::uint32_t ones = 60, std::uint32_t family = 20) {
    TestRandom random(seed);
    const auto set_bit = [&](CodeSet& set, std::uint32_t at) {
        const std::uint32_t b = random.below(8 * code_bytes);
        set.words(at)[b / 64] |= std::uint64_t{1} << b % 64;
    };
    const auto vary = [&](CodeSet& set, std::uint32_t at) {
        for (std::uint32_t b = 0; b < 8 * code_bytes; ++b)
            if (set.words(at)[b / 64] >> b % 64 & 1 && random.below(10) == 0) {
                set.flip_bit(at, b);
                set_bit(set, at);
            }
    };
    DataSet out{CodeSet(code_bytes), CodeSet(code_bytes)};
    CodeSet bases(code_bytes);
    for (std::uint32_t i = 0; i < (n + family - 1) / family; ++i) {
        bases.add();
        for (std::uint32_t j = 0; j < ones; ++j) set_bit(bases, i);
    }
    for (std::uint32_t i = 0; i < n; ++i) vary(out.codes, out.codes.add(bases.code(i / family)));
    for (std::uint32_t i = 0; i < n_queries; ++i)
        vary(out.queries, out.queries.add(bases.code(random.below(bases.size()))));
    out.codes.shuffle(random);
    out.codes = distinct(out.codes);
    return out;
}

/// Codes of two lengths, `short_percent` of them of `short_bytes`, the rest of `long_bytes`; repetitions happen. A
/// short code is the prefix of a further clustered long code, so that it has relatives among the long ones.
inline std::vector<std::vector<std::uint8_t>> mixed_length_codes(std::uint32_t n, std::uint32_t short_percent,
                                                                 std::uint64_t seed, std::uint32_t short_bytes = 8,
                                                                 std::uint32_t long_bytes = 32) {
    const ClusteredSource source(long_bytes, seed);
    const CodeSet codes = source.take(n, seed * 2 + 1);
    TestRandom random(seed * 2 + 5);
    std::vector<std::vector<std::uint8_t>> out;
    out.reserve(n);
    for (std::uint32_t i = 0; i < n; ++i) {
        const auto code = codes.code(i).first(random.below(100) < short_percent ? short_bytes : long_bytes);
        out.emplace_back(code.begin(), code.end());
    }
    return out;
}

/// Codes of any whole length in [min_bytes, max_bytes], in families that share prefixes.
inline std::vector<std::vector<std::uint8_t>> variable_length_codes(std::uint32_t n, std::uint32_t min_bytes,
                                                                    std::uint32_t max_bytes, std::uint64_t seed) {
    TestRandom random(seed);
    std::vector<std::vector<std::uint8_t>> out;
    out.reserve(n);
    for (std::uint32_t i = 0; i < n; ++i) {
        std::vector<std::uint8_t> code(min_bytes + random.below(max_bytes - min_bytes + 1));
        for (auto& b : code) b = static_cast<std::uint8_t>(random.next() >> 56);
        if (i > 0 && random.below(4) != 0) {
            const auto& relative = out[random.below(i)];
            const std::size_t shared = std::min(relative.size(), code.size());
            std::copy_n(relative.begin(), shared, code.begin());
            if (shared > 0)
                code[random.below(static_cast<std::uint32_t>(shared))] ^=
                    static_cast<std::uint8_t>(1u << random.below(8));
        }
        out.push_back(std::move(code));
    }
    return out;
}

/// The k smallest raw distances (or all), ascending, by scanning: the oracle of every recall figure. Recall counts a
/// result when its distance is at most the true k-th, for among equal distances no choice is better than another.
inline std::vector<std::uint32_t> exact_distances(const RecordArray& codes, const Probe& probe, std::uint32_t k,
                                                  Metric metric) {
    std::vector<std::uint32_t> d(codes.count);
    (metric == Metric::jaccard ? kernels().jaccard_range : kernels().hamming_range)(probe, codes, 0, codes.count,
                                                                                    d.data());
    const auto end = d.begin() + std::min<std::ptrdiff_t>(k, static_cast<std::ptrdiff_t>(d.size()));
    std::partial_sort(d.begin(), end, d.end());
    d.erase(end, d.end());
    return d;
}

}  // namespace nphd::test
