// Random numbers that depend on a seed and a position only, so that no result depends on the order of threads.
#pragma once

#include <cstdint>

namespace nphd {

/// A stream of its own for each (seed, a, b); Vigna's splitmix64.
class RandomStream {
public:
    explicit RandomStream(std::uint64_t seed, std::uint64_t a = 0, std::uint64_t b = 0) noexcept
        : state_(mix(mix(mix(seed + kStep) + a) + b)) {}

    std::uint64_t next() noexcept { return mix(state_ += kStep); }
    /// In [0, n), n > 0; the bias of n / 2^32 does not matter for sampling.
    std::uint32_t below(std::uint32_t n) noexcept { return static_cast<std::uint32_t>(((next() >> 32) * n) >> 32); }

private:
    static constexpr std::uint64_t kStep = 0x9E3779B97F4A7C15;
    static constexpr std::uint64_t mix(std::uint64_t z) noexcept {
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }
    std::uint64_t state_;
};

}  // namespace nphd
