#include "engine/search/row_sets.hpp"

#include <stdexcept>
#include <utility>

namespace nphd {

namespace {

/// Fibonacci hashing; the upper bits are the good ones.
constexpr std::size_t slot_of(std::uint64_t row, std::size_t slots) noexcept {
    const std::uint64_t h = row * 0x9E3779B97F4A7C15u;
    return static_cast<std::size_t>((h ^ h >> 32) & (slots - 1));
}

}  // namespace

void RowSets::grow() {
    std::vector<std::uint32_t> larger(table_.empty() ? 64 : 2 * table_.size());
    for (std::uint32_t i = 0; i < rows_.size(); ++i) {
        std::size_t slot = slot_of(rows_[i], larger.size());
        while (larger[slot] != 0) slot = (slot + 1) & (larger.size() - 1);
        larger[slot] = i + 1;
    }
    table_.swap(larger);
}

std::uint32_t RowSets::place(std::uint64_t row) {
    if (2 * rows_.size() >= table_.size()) grow();
    std::size_t slot = slot_of(row, table_.size());
    for (; table_[slot] != 0; slot = (slot + 1) & (table_.size() - 1))
        if (rows_[table_[slot] - 1] == row) return table_[slot] - 1;
    if (rows_.size() >= 0xFFFFFFFEu) throw std::length_error("too many rows in pairs");
    const auto i = static_cast<std::uint32_t>(rows_.size());
    rows_.push_back(row);
    parent_.push_back(i);
    size_.push_back(1);
    smallest_.push_back(i);
    table_[slot] = i + 1;
    return i;
}

std::uint32_t RowSets::root(std::uint32_t i) noexcept {
    while (parent_[i] != i) i = parent_[i] = parent_[parent_[i]];
    return i;
}

void RowSets::unite(std::uint64_t row_a, std::uint64_t row_b) {
    const std::uint32_t place_a = place(row_a), place_b = place(row_b);
    std::uint32_t a = root(place_a), b = root(place_b);
    if (a == b) return;
    if (size_[a] < size_[b]) std::swap(a, b);
    parent_[b] = a;
    size_[a] += size_[b];
    if (rows_[smallest_[b]] < rows_[smallest_[a]]) smallest_[a] = smallest_[b];
}

RowSets::Member RowSets::member(std::uint32_t i) noexcept {
    const std::uint32_t r = root(i);
    return {rows_[i], rows_[smallest_[r]], size_[r]};
}

void RowSets::clear() noexcept {
    table_.clear();
    rows_.clear();
    parent_.clear();
    size_.clear();
    smallest_.clear();
}

}  // namespace nphd
