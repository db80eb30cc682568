// The kernel tables of the instruction sets; only dispatch.cpp chooses between them.
#pragma once

#include "engine/distance/kernels.hpp"

namespace nphd {

/// Runs everywhere.
extern const Kernels kScalarKernels;

#if defined(__x86_64__)
/// Words with the POPCNT instruction.
extern const Kernels kPopcntKernels;
extern const Kernels kAvx2Kernels;
extern const Kernels kAvx512Kernels;
#endif

#if defined(__aarch64__)
extern const Kernels kNeonKernels;
#endif

}  // namespace nphd
