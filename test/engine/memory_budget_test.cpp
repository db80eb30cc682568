// Large blocks come from memory up to the limit and from the file beyond it, and all is accounted for.
#include "engine/base/memory_budget.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <thread>
#include <vector>

namespace nphd::test {
namespace {

constexpr std::size_t kMegabyte = std::size_t{1} << 20;

class SpillFile {
public:
    SpillFile() : file_(std::tmpfile()) {}
    ~SpillFile() { std::fclose(file_); }
    SpillFile(const SpillFile&) = delete;
    int fd() const { return fileno(file_); }
    std::size_t size() const {
        struct stat s {};
        fstat(fd(), &s);
        return static_cast<std::size_t>(s.st_size);
    }

private:
    std::FILE* file_;
};

TEST(MemoryBudget, BlocksAreZeroAlignedAndAccountedFor) {
    MemoryBudget budget;
    std::vector<std::pair<unsigned char*, std::size_t>> blocks;
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{4096}, std::size_t{100000}, 5 * kMegabyte}) {
        auto* const block = static_cast<unsigned char*>(budget.allocate(bytes));
        EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 64, 0u);
        for (std::size_t i = 0; i < bytes; ++i) ASSERT_EQ(block[i], 0);
        std::fill(block, block + bytes, static_cast<unsigned char>(0xFF));
        blocks.emplace_back(block, bytes);
    }
    EXPECT_GE(budget.in_use(), 1 + 4096 + 100000 + 5 * kMegabyte);
    for (const auto& [block, bytes] : blocks) budget.release(block, bytes);
    EXPECT_EQ(budget.in_use(), 0u);
}

TEST(MemoryBudget, GoesToTheFileBeyondTheLimitOnly) {
    const SpillFile file;
    MemoryBudget budget(2 * kMegabyte, file.fd());
    LargeArray<std::uint64_t> first(budget, kMegabyte / 8), second(budget, kMegabyte / 8);
    EXPECT_EQ(budget.spilled(), 0u);
    LargeArray<std::uint64_t> third(budget, kMegabyte / 8);
    EXPECT_EQ(budget.spilled(), kMegabyte);
    EXPECT_EQ(file.size(), kMegabyte);
    for (std::size_t i = 0; i < third.size(); ++i) ASSERT_EQ(third[i], 0u);
    third[5] = 77;
    std::uint64_t stored = 0;
    ASSERT_EQ(pread(file.fd(), &stored, sizeof stored, 40), static_cast<ssize_t>(sizeof stored));
    EXPECT_EQ(stored, 77u);
    first = {};
    third = {};
    const LargeArray<std::uint64_t> fourth(budget, 16);
    EXPECT_EQ(budget.spilled(), kMegabyte) << "there is room in memory again";
}

TEST(MemoryBudget, WithoutAFileTheLimitDoesNotBind) {
    MemoryBudget budget(kMegabyte, -1);
    const LargeArray<char> a(budget, 8 * kMegabyte);
    EXPECT_EQ(budget.spilled(), 0u);
    EXPECT_EQ(budget.in_use(), 8 * kMegabyte);
}

TEST(MemoryBudget, FailureIsBadAllocAndLeavesTheAccountsRight) {
    const int read_only = open("/dev/null", O_RDONLY);
    MemoryBudget budget(kMegabyte, read_only);
    EXPECT_THROW(LargeArray<char>(budget, 2 * kMegabyte), std::bad_alloc);
    EXPECT_EQ(budget.in_use(), 0u);
    EXPECT_THROW(LargeArray<std::uint64_t>(budget, ~std::size_t{0} / 4), std::bad_alloc);
    EXPECT_THROW(budget.allocate(~std::size_t{0}), std::bad_alloc);
    EXPECT_EQ(budget.in_use(), 0u);
    MemoryBudget unlimited;
    EXPECT_THROW(unlimited.allocate(std::size_t{1} << 60), std::bad_alloc);
    EXPECT_EQ(unlimited.in_use(), 0u);
    close(read_only);
}

TEST(MemoryBudget, ArraysMoveAndReleaseOnce) {
    MemoryBudget budget;
    LargeArray<int> a(budget, 1000);
    a[999] = 5;
    LargeArray<int> b(std::move(a));
    EXPECT_EQ(b[999], 5);
    LargeArray<int> c(budget, 10);
    c = std::move(b);
    EXPECT_EQ(c.size(), 1000u);
    EXPECT_EQ(c[999], 5);
    c = {};
    EXPECT_EQ(budget.in_use(), 0u);
    const LargeArray<int> empty(budget, 0);
    EXPECT_EQ(empty.begin(), empty.end());
}

TEST(MemoryBudget, ThreadsGetBlocksOfTheirOwn) {
    const SpillFile file;
    MemoryBudget budget(4 * kMegabyte, file.fd());
    const auto work = [&](std::uint64_t mark) {
        for (int round = 0; round < 50; ++round) {
            LargeArray<std::uint64_t> a(budget, 40000), b(budget, 90000);
            std::fill(a.begin(), a.end(), mark);
            std::fill(b.begin(), b.end(), mark);
            for (const auto x : a) ASSERT_EQ(x, mark);
            for (const auto x : b) ASSERT_EQ(x, mark);
        }
    };
    std::vector<std::thread> threads;
    for (std::uint64_t t = 1; t <= 6; ++t) threads.emplace_back(work, t);
    for (auto& t : threads) t.join();
    EXPECT_EQ(budget.in_use(), 0u);
    EXPECT_GT(budget.spilled(), 0u);
}

}  // namespace
}  // namespace nphd::test
