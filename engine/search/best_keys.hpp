// The best few distances found so far, over all lanes.
#pragma once

#include "engine/base/types.hpp"

namespace nphd {

/// The k-th smallest of the keys given to it, by insertion into a short sorted array.
class BestKeys {
public:
    static constexpr std::uint32_t kCount = 10;

    void clear() noexcept { n_ = 0; }
    void add(DistanceKey key) noexcept {
        std::uint32_t at = n_ < kCount ? n_++ : kCount;
        if (at == kCount) {
            if (key >= keys_[kCount - 1]) return;
            at = kCount - 1;
        }
        for (; at > 0 && keys_[at - 1] > key; --at) keys_[at] = keys_[at - 1];
        keys_[at] = key;
    }
    /// The kCount-th; beyond every key while there are fewer.
    std::uint64_t worst() const noexcept { return n_ < kCount ? std::uint64_t{1} << 32 : keys_[kCount - 1]; }

private:
    std::uint32_t n_ = 0;
    DistanceKey keys_[kCount];
};

}  // namespace nphd
