// x86-64 with the POPCNT instruction.
#include "engine/distance/kernel_tables.hpp"
#include "engine/distance/target.hpp"

#if defined(__x86_64__)

NPHD_TARGET_BEGIN("popcnt")
#include "engine/distance/record_kernels.hpp"
#include "engine/distance/word_kernels.hpp"

namespace nphd {
namespace {

struct InstructionCount {
    [[gnu::always_inline]] static std::uint32_t of(std::uint64_t w) noexcept {
        return static_cast<std::uint32_t>(__builtin_popcountll(w));
    }
};

}  // namespace

constexpr Kernels kPopcntKernels = kernel_table<WordKernels<InstructionCount>>("popcnt");

}  // namespace nphd
NPHD_TARGET_END

#endif
