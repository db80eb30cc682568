// Distances of whole codes, out of the kernels' bit counts.
#include "engine/distance/distance.hpp"

#include <algorithm>

namespace nphd {
namespace {

/// numerator / denominator, both exact.
struct Fraction {
    std::uint32_t numerator;
    std::uint32_t denominator;  // 0: the distance is 0
};

Fraction nphd_fraction(CodeBytes a, CodeBytes b) noexcept {
    const std::size_t bytes = std::min(a.size(), b.size());
    if (bytes == 0) return a.size() == b.size() ? Fraction{0, 0} : Fraction{1, 1};
    return {kernels().hamming(a.data(), b.data(), bytes), static_cast<std::uint32_t>(8 * bytes)};
}

Fraction jaccard_fraction(CodeBytes a, CodeBytes b) noexcept {
    const Overlap o = kernels().overlap(a.data(), b.data(), a.size());
    return {o.either - o.both, o.either};
}

double value(Fraction f) noexcept {
    return f.denominator == 0 ? 0.0 : static_cast<double>(f.numerator) / static_cast<double>(f.denominator);
}

}  // namespace

double nphd_distance(CodeBytes a, CodeBytes b) noexcept { return value(nphd_fraction(a, b)); }

double hamming_distance(CodeBytes a, CodeBytes b) noexcept {
    return static_cast<double>(kernels().hamming(a.data(), b.data(), a.size()));
}

double jaccard_distance(CodeBytes a, CodeBytes b) noexcept { return value(jaccard_fraction(a, b)); }

double distance(Metric metric, CodeBytes a, CodeBytes b) noexcept {
    switch (metric) {
        case Metric::hamming:
            return hamming_distance(a, b);
        case Metric::jaccard:
            return jaccard_distance(a, b);
        case Metric::nphd:
            break;
    }
    return nphd_distance(a, b);
}

DistanceKey distance_key(Metric metric, CodeBytes a, CodeBytes b) noexcept {
    // Hamming relative to one common length is NPHD.
    const Fraction f = metric == Metric::jaccard ? jaccard_fraction(a, b) : nphd_fraction(a, b);
    return f.denominator == 0 ? 0 : fraction_key(f.numerator, f.denominator);
}

}  // namespace nphd
