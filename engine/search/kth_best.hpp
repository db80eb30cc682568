// The k-th smallest of a growing set of small integers.
#pragma once

#include <vector>

#include "engine/base/types.hpp"

namespace nphd {

/// A histogram with a running threshold (counting selection in place of a heap). k > 0.
class KthBest {
public:
    static constexpr std::uint32_t kNone = ~0u;

    /// Values will be at most max_value.
    void start(std::uint32_t max_value, std::uint32_t k) {
        count_.assign(std::size_t{max_value} + 1, 0);
        k_ = k;
        total_ = below_ = 0;
        value_ = kNone;
    }
    /// The k-th smallest value so far, kNone while there are fewer. Values that are not smaller need not be added.
    std::uint32_t get() const noexcept { return value_; }
    void add(std::uint32_t value) noexcept {
        ++count_[value];
        if (++total_ < k_) return;
        if (value_ == kNone) {
            for (value_ = 0; below_ + count_[value_] < k_; ++value_) below_ += count_[value_];
        } else if (value < value_) {
            for (++below_; below_ >= k_; below_ -= count_[value_]) --value_;
        }
    }

private:
    std::vector<std::uint32_t> count_;
    std::uint32_t k_ = 1;
    std::uint32_t total_ = 0;
    std::uint32_t value_ = kNone;
    std::uint32_t below_ = 0;  // how many are smaller than value_; < k_
};

}  // namespace nphd
