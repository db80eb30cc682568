// Mixes of code lengths: what the benchmarks of codes of several lengths store.
#pragma once

#include <cstdint>
#include <vector>

namespace nphd::bench {

constexpr std::uint32_t kLongestBytes = 64;

/// A length and how many of a hundred codes have it.
struct Share {
    std::uint32_t bits, percent;
    std::uint32_t bytes() const { return bits / 8; }
};

struct Mix {
    const char* name;
    std::vector<Share> shares;  // ascending by length
};

inline const std::vector<Mix>& mixes() {
    static const std::vector<Mix> all = {
        {"1 % of 64, 99 % of 256", {{64, 1}, {256, 99}}},
        {"10 % of 64, 90 % of 256", {{64, 10}, {256, 90}}},
        {"50 % of 64, 50 % of 256", {{64, 50}, {256, 50}}},
        {"90 % of 64, 10 % of 256", {{64, 90}, {256, 10}}},
        {"99 % of 64, 1 % of 256", {{64, 99}, {256, 1}}},
        {"64, 128, 192, 256 alike", {{64, 25}, {128, 25}, {192, 25}, {256, 25}}},
        {"32, 96, 160, 224, 512 alike", {{32, 20}, {96, 20}, {160, 20}, {224, 20}, {512, 20}}},
    };
    return all;
}

/// What row number `row` of a table of the mix is cut to.
inline std::uint32_t bytes_of_row(const Mix& mix, std::uint32_t row) {
    // 37 has no factor in common with 100, so neighbours in the table differ in length.
    std::uint32_t at = row * 37 % 100;
    for (const Share& share : mix.shares) {
        if (at < share.percent) return share.bytes();
        at -= share.percent;
    }
    return mix.shares.back().bytes();
}

}  // namespace nphd::bench
