// Connected components of rows, as their pairs become known.
#pragma once

#include <cstdint>
#include <vector>

namespace nphd {

/// Union-find with path halving and union by size over numbers other than 0, found by a hash table with linear probing.
/// About 16 to 28 bytes for each number. Throws std::bad_alloc, and std::length_error beyond 2^32 - 2 numbers.
class RowSets {
public:
    void unite(std::uint64_t a, std::uint64_t b);

    std::uint32_t rows() const noexcept { return static_cast<std::uint32_t>(rows_.size()); }
    struct Member {
        std::uint64_t row;
        std::uint64_t smallest;  // of its set
        std::uint32_t size;      // of its set
    };
    /// Member i < rows(), in the order of first mention; once all were united.
    Member member(std::uint32_t i) noexcept;

    void clear() noexcept;

private:
    std::uint32_t place(std::uint64_t row);
    std::uint32_t root(std::uint32_t i) noexcept;
    void grow();

    std::vector<std::uint32_t> table_;  // 1 + place, 0: empty; a power of two of them
    std::vector<std::uint64_t> rows_;
    std::vector<std::uint32_t> parent_;
    // Of roots.
    std::vector<std::uint32_t> size_, smallest_;
};

}  // namespace nphd
