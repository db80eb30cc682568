// The three distances as SQL sees them: float8 values of two whole codes.
#pragma once

#include <span>

#include "engine/distance/kernels.hpp"

namespace nphd {

using CodeBytes = std::span<const std::uint8_t>;

/// Normalised prefix Hamming distance (ISO 24138): differing bits over compared bits, both codes cut to the shorter
/// length. Both empty: 0; exactly one empty: 1. In [0, 1].
double nphd_distance(CodeBytes a, CodeBytes b) noexcept;

/// Differing bits of two codes of the same length.
double hamming_distance(CodeBytes a, CodeBytes b) noexcept;

/// 1 - |a & b| / |a | b| of two codes of the same length; 0 when neither has a bit set. In [0, 1].
double jaccard_distance(CodeBytes a, CodeBytes b) noexcept;

/// Any of the three; Hamming and Jaccard want equal lengths.
double distance(Metric metric, CodeBytes a, CodeBytes b) noexcept;

/// The same distance as an order-preserving key; Hamming's is taken relative to the length.
DistanceKey distance_key(Metric metric, CodeBytes a, CodeBytes b) noexcept;

}  // namespace nphd
