// Where the engine's big arrays come from: anonymous memory up to a limit, a mapped temporary file beyond it.
#pragma once

#include <atomic>
#include <cstddef>
#include <new>
#include <type_traits>
#include <utility>

namespace nphd {

/// Hands out large blocks. While the sum in use is at most `limit` they are anonymous memory; what goes beyond
/// lives in `spill_fd` (an open, unlinked temporary file), mapped shared, so that the kernel can write it
/// out instead of the process growing. Without a file (-1) everything is anonymous memory. Thread-safe.
class MemoryBudget {
public:
    explicit MemoryBudget(std::size_t limit = ~std::size_t{0}, int spill_fd = -1) noexcept
        : limit_(limit), spill_fd_(spill_fd) {}
    MemoryBudget(const MemoryBudget&) = delete;
    MemoryBudget& operator=(const MemoryBudget&) = delete;

    /// A zero-filled block, 64-byte aligned at least. Throws std::bad_alloc when neither memory nor disk space
    /// is to be had (space in the file is allocated at once, so no later access can fail for lack of it).
    void* allocate(std::size_t bytes);
    void release(void* block, std::size_t bytes) noexcept;

    std::size_t in_use() const noexcept { return in_use_.load(std::memory_order_relaxed); }
    std::size_t spilled() const noexcept {
        return static_cast<std::size_t>(spill_end_.load(std::memory_order_relaxed));
    }

private:
    std::size_t limit_;
    int spill_fd_;
    std::atomic<std::size_t> in_use_{0};
    std::atomic<std::size_t> spill_end_{0};
};

/// A fixed-size array of trivial values out of a MemoryBudget, zero-filled. Movable, not copyable.
template <class T>
class LargeArray {
    static_assert(std::is_trivially_copyable_v<T>);

public:
    LargeArray() = default;
    LargeArray(MemoryBudget& budget, std::size_t count)
        : budget_(&budget), size_(count), data_(count ? static_cast<T*>(budget.allocate(bytes(count))) : nullptr) {}
    LargeArray(LargeArray&& o) noexcept { swap(o); }
    LargeArray& operator=(LargeArray&& o) noexcept {
        LargeArray(std::move(o)).swap(*this);
        return *this;
    }
    ~LargeArray() {
        if (data_) budget_->release(data_, size_ * sizeof(T));
    }

    T* data() noexcept { return data_; }
    const T* data() const noexcept { return data_; }
    std::size_t size() const noexcept { return size_; }
    T& operator[](std::size_t i) noexcept { return data_[i]; }
    const T& operator[](std::size_t i) const noexcept { return data_[i]; }
    T* begin() noexcept { return data_; }
    T* end() noexcept { return data_ + size_; }
    const T* begin() const noexcept { return data_; }
    const T* end() const noexcept { return data_ + size_; }

private:
    static std::size_t bytes(std::size_t count) {
        if (count > ~std::size_t{0} / sizeof(T)) throw std::bad_alloc();
        return count * sizeof(T);
    }
    void swap(LargeArray& o) noexcept {
        std::swap(budget_, o.budget_);
        std::swap(size_, o.size_);
        std::swap(data_, o.data_);
    }

    MemoryBudget* budget_ = nullptr;
    std::size_t size_ = 0;
    T* data_ = nullptr;
};

}  // namespace nphd
