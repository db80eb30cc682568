// The k-th smallest of a growing set of small integers, for two values of k.
#pragma once

#include <vector>

#include "engine/base/types.hpp"

namespace nphd {

/// A histogram with running thresholds (counting selection in place of a heap).
class KthBest {
public:
    static constexpr std::uint32_t kNone = ~0u;

    /// Values will be at most max_value; 0 < k0 <= k1.
    void start(std::uint32_t max_value, std::uint32_t k0, std::uint32_t k1) {
        count_.assign(std::size_t{max_value} + 1, 0);
        total_ = 0;
        mark_[0] = {k0};
        mark_[1] = {k1};
    }
    /// Only values that matter need to be added.
    bool matters(std::uint32_t value) const noexcept { return value < mark_[1].value; }
    void add(std::uint32_t value) noexcept {
        ++count_[value];
        ++total_;
        for (Mark& m : mark_) update(m, value);
    }
    /// The k0-th and k1-th smallest value so far, kNone while there are fewer.
    std::uint32_t first() const noexcept { return mark_[0].value; }
    std::uint32_t second() const noexcept { return mark_[1].value; }

private:
    struct Mark {
        std::uint32_t k = 1;
        std::uint32_t value = kNone;
        std::uint32_t below = 0;  // how many are smaller than value; < k
    };
    void update(Mark& m, std::uint32_t added) const noexcept {
        if (total_ < m.k) return;
        if (m.value == kNone) {
            for (m.value = 0; m.below + count_[m.value] < m.k; ++m.value) m.below += count_[m.value];
        } else if (added < m.value) {
            for (++m.below; m.below >= m.k; m.below -= count_[m.value]) --m.value;
        }
    }

    std::vector<std::uint32_t> count_;
    std::uint32_t total_ = 0;
    Mark mark_[2];
};

}  // namespace nphd
