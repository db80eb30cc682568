// The portable kernels: plain integer arithmetic, the meaning that every other table is tested against.
#include "engine/distance/kernel_tables.hpp"
#include "engine/distance/record_kernels.hpp"
#include "engine/distance/word_kernels.hpp"

namespace nphd {
namespace {

struct ArithmeticCount {
    static constexpr bool kCheap = false;
    /// Sums bits in parallel within the word (Warren, Hacker's Delight, 5-1).
    [[gnu::always_inline]] static std::uint32_t of(std::uint64_t w) noexcept {
        w -= (w >> 1) & 0x5555555555555555;
        w = (w & 0x3333333333333333) + ((w >> 2) & 0x3333333333333333);
        w = (w + (w >> 4)) & 0x0F0F0F0F0F0F0F0F;
        return static_cast<std::uint32_t>((w * 0x0101010101010101) >> 56);
    }
};

}  // namespace

constexpr Kernels kScalarKernels = kernel_table<WordKernels<ArithmeticCount>>("scalar");

}  // namespace nphd
