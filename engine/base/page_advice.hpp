// Words to the kernel about pages of a mapped file.
#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>

namespace nphd {

/// The bytes, at least one, will be read soon: pages that are not in memory are read in the background, so that several
/// are under way at once. Only a hint: nothing can go wrong, whatever the memory is.
inline void will_need(const std::byte* first, std::size_t bytes) noexcept {
    constexpr std::uintptr_t kSystemPage = 4096;  // on systems with larger pages the kernel refuses what does not fit
    const auto begin = reinterpret_cast<std::uintptr_t>(first) / kSystemPage * kSystemPage;
    const auto end = reinterpret_cast<std::uintptr_t>(first) + bytes;
    (void)madvise(reinterpret_cast<void*>(begin), end - begin, MADV_WILLNEED);
}

}  // namespace nphd
