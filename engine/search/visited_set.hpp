// Which nodes of a lane were met: a bitmap that is cleared in proportion to what was set.
#pragma once

#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

#include "engine/base/types.hpp"

namespace nphd {

/// One bit per node and one per cache line of bits. Nodes are numbered by locality, so the lines that a walk touches
/// are few and stay in the nearest cache, and clearing costs a fraction of the walk. Memory: nodes / 8 bytes of address
/// space, of which only what was touched is ever backed.
class VisitedSet {
public:
    /// Empties the set and makes room for ids below `nodes`. Throws std::bad_alloc.
    void start(std::uint32_t nodes) {
        clear();
        const std::size_t lines = (std::size_t{nodes} + kLineBits - 1) / kLineBits;
        if (lines <= lines_) return;
        bits_.reset();
        lines_ = 0;
        bits_.reset(static_cast<std::uint64_t*>(std::calloc(lines, kLineBits / 8)));
        if (!bits_) throw std::bad_alloc();
        touched_.assign((lines + 63) / 64, 0);
        lines_ = lines;
    }

    bool contains(NodeId id) const noexcept { return bits_.get()[id / 64] >> id % 64 & 1; }

    /// Whether the id is new.
    [[gnu::always_inline]] bool insert(NodeId id) noexcept {
        std::uint64_t& word = bits_.get()[id / 64];
        const std::uint64_t bit = std::uint64_t{1} << id % 64;
        const bool fresh = (word & bit) == 0;
        touched_[id / kLineBits / 64] |= std::uint64_t{1} << id / kLineBits % 64;
        word |= bit;
        return fresh;
    }

private:
    static constexpr std::size_t kLineBits = 512;
    struct Free {
        void operator()(std::uint64_t* p) const noexcept { std::free(p); }
    };

    void clear() noexcept {
        for (std::size_t w = 0; w < touched_.size(); ++w) {
            for (; touched_[w] != 0; touched_[w] &= touched_[w] - 1) {
                const std::size_t line = w * 64 + static_cast<std::size_t>(__builtin_ctzll(touched_[w]));
                for (std::size_t i = 0; i < kLineBits / 64; ++i) bits_.get()[line * (kLineBits / 64) + i] = 0;
            }
        }
    }

    std::unique_ptr<std::uint64_t[], Free> bits_;
    std::vector<std::uint64_t> touched_;  // bit l: line l may have bits set
    std::size_t lines_ = 0;
};

}  // namespace nphd
