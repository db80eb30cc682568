// Chooses the kernels for the CPU at hand, once.
#include <algorithm>
#include <array>

#include "engine/distance/kernel_tables.hpp"

namespace nphd {
namespace {

struct Available {
    std::array<const Kernels*, 5> tables{};
    std::size_t count = 0;

    Available() noexcept {
        add(kScalarKernels);
#if defined(__x86_64__)
        __builtin_cpu_init();
        if (__builtin_cpu_supports("popcnt")) add(kPopcntKernels);
        if (__builtin_cpu_supports("avx2")) add(kAvx2Kernels);
        if (__builtin_cpu_supports("avx512vpopcntdq") && __builtin_cpu_supports("avx512vbmi") &&
            __builtin_cpu_supports("avx512vnni") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq"))
            add(kAvx512Kernels);
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

std::span<const Kernels* const> available_kernels() noexcept {
    const Available& a = available();
    return {a.tables.data(), a.count};
}

}  // namespace nphd
