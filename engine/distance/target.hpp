// Compiler directives of the kernels.
//
// NPHD_TARGET_BEGIN(features) opens, NPHD_TARGET_END closes a region that is compiled for more than the baseline
// instruction set. Include every header that defines inline functions before the region (or have them in an anonymous
// namespace): the linker keeps one copy of an inline function, and that must not be one with instructions the CPU
// lacks.
#pragma once

#define NPHD_PRAGMA(text) _Pragma(#text)

#if defined(__clang__)
#define NPHD_TARGET_BEGIN(features) \
    NPHD_PRAGMA(clang attribute push(__attribute__((target(features))), apply_to = function))
#define NPHD_TARGET_END NPHD_PRAGMA(clang attribute pop)
#else
#define NPHD_TARGET_BEGIN(features) NPHD_PRAGMA(GCC push_options) NPHD_PRAGMA(GCC target(features))
#define NPHD_TARGET_END NPHD_PRAGMA(GCC pop_options)
#endif

// Before a loop of few, constantly many turns: unrolled, or kept a loop, at any optimisation level.
#if defined(__clang__)
#define NPHD_UNROLL _Pragma("unroll")
#define NPHD_NO_UNROLL _Pragma("nounroll")
#else
#define NPHD_UNROLL _Pragma("GCC unroll 16")
#define NPHD_NO_UNROLL _Pragma("GCC unroll 1")
#endif
