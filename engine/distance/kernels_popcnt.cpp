// x86-64 with the POPCNT instruction.
#include "engine/distance/kernel_tables.hpp"
#include "engine/distance/target.hpp"

#if defined(__x86_64__)

NPHD_TARGET_BEGIN("popcnt")
#include "engine/distance/record_kernels.hpp"
#include "engine/distance/word_kernels.hpp"

namespace nphd {
constexpr Kernels kPopcntKernels = kernel_table<WordKernels<InstructionCount>>("popcnt");

}  // namespace nphd
NPHD_TARGET_END

#endif
