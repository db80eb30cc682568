// What the fuzz targets share. A target is a function of libFuzzer's: it is given any bytes, and dies if something is
// wrong.
#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <span>

namespace nphd::fuzz {

/// Unlike assert(): in every build, and with a text that says what should have been.
inline void require(bool condition, const char* what) {
    if (condition) return;
    std::fprintf(stderr, "fuzz: not so: %s\n", what);
    std::abort();
}

/// Takes what was read, so that the compiler cannot leave the reading out.
inline volatile std::uint64_t sink;

/// The bytes of an input, one after the other; zeros when there are no more.
class Bytes {
public:
    Bytes(const std::uint8_t* data, std::size_t size) : rest_(data, size) {}

    bool empty() const { return rest_.empty(); }
    std::uint8_t byte() {
        if (rest_.empty()) return 0;
        const std::uint8_t value = rest_.front();
        rest_ = rest_.subspan(1);
        return value;
    }
    std::uint32_t word() {
        std::uint32_t value = 0;
        for (int shift = 0; shift < 32; shift += 8) value |= std::uint32_t{byte()} << shift;
        return value;
    }

private:
    std::span<const std::uint8_t> rest_;
};

}  // namespace nphd::fuzz
