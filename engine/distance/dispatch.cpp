// Chooses the kernels for the CPU at hand, once.
#include <array>

#include "engine/distance/kernel_tables.hpp"

namespace nphd {
namespace {

#if defined(__x86_64__)
/// All that kernels_avx512.cpp is compiled for.
bool has_avx512() noexcept {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("avx512vbmi") && __builtin_cpu_supports("avx512vnni") &&
           __builtin_cpu_supports("avx512vpopcntdq");
}
#endif

/// From the slowest to the fastest.
struct Available {
    std::array<const Kernels*, 4> tables{};
    std::size_t count = 0;

    Available() noexcept {
        add(kScalarKernels);
#if defined(__x86_64__)
        __builtin_cpu_init();
        if (!__builtin_cpu_supports("popcnt")) return;
        add(kPopcntKernels);
        if (!__builtin_cpu_supports("avx2")) return;
        add(kAvx2Kernels);
        if (has_avx512()) add(kAvx512Kernels);
#elif defined(__aarch64__)
        add(kNeonKernels);
#endif
    }

    void add(const Kernels& k) noexcept { tables[count++] = &k; }
};

const Available& available() noexcept {
    static const Available a;
    return a;
}

}  // namespace

const Kernels& kernels() noexcept {
    static const Kernels& best = *available_kernels().back();
    return best;
}

std::span<const Kernels* const> available_kernels() noexcept { return {available().tables.data(), available().count}; }

}  // namespace nphd
