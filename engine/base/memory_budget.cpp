#include "engine/base/memory_budget.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

namespace nphd {

namespace {
constexpr std::size_t kSystemPage = 4096;
constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::size_t round_up(std::size_t bytes, std::size_t unit) {
    if (bytes > ~std::size_t{0} - unit) throw std::bad_alloc();
    return (bytes + unit - 1) / unit * unit;
}
}  // namespace

void* MemoryBudget::allocate(std::size_t bytes) {
    const std::size_t length = round_up(bytes, kSystemPage);
    const std::size_t after = in_use_.fetch_add(length) + length;
    void* block = MAP_FAILED;
    if (after <= limit_ || spill_fd_ < 0) {
        block = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        // Random reads over tens of megabytes pay for each TLB miss; refusal is no error.
        if (block != MAP_FAILED && length >= kHugePage) madvise(block, length, MADV_HUGEPAGE);
    } else {
        const std::size_t at = spill_end_.fetch_add(length);
        int error = EINTR;
        while (error == EINTR) error = posix_fallocate(spill_fd_, static_cast<off_t>(at), static_cast<off_t>(length));
        if (error == 0)
            block = mmap(nullptr, length, PROT_READ | PROT_WRITE, MAP_SHARED, spill_fd_, static_cast<off_t>(at));
    }
    if (block == MAP_FAILED) {
        in_use_.fetch_sub(length);
        throw std::bad_alloc();
    }
    return block;
}

void MemoryBudget::release(void* block, std::size_t bytes) noexcept {
    const std::size_t length = (bytes + kSystemPage - 1) / kSystemPage * kSystemPage;
    munmap(block, length);
    in_use_.fetch_sub(length);
}

}  // namespace nphd
