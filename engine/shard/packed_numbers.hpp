// Numbers in sections of many: node ids, entry numbers, posting numbers, places. Where all of a section are small they
// take 3 bytes each instead of 4 (shard/format.hpp, number_bytes()); RecordArray::number() reads them one by one.
#pragma once

#include <cstring>

#include "engine/base/memory_budget.hpp"
#include "engine/base/record_array.hpp"
#include "engine/shard/format.hpp"

namespace nphd {

/// Numbers that are written, of `number_bytes` each, one after the other.
class PackedNumbers {
public:
    PackedNumbers() = default;
    PackedNumbers(MemoryBudget& budget, std::size_t count, std::uint32_t number_bytes)
        : number_bytes_(number_bytes), count_(count), words_(budget, count * number_bytes / 4 + 1) {}
    /// Packs the numbers where they are.
    PackedNumbers(LargeArray<std::uint32_t>&& numbers, std::uint32_t number_bytes) noexcept
        : number_bytes_(number_bytes), count_(numbers.size()), words_(std::move(numbers)) {
        if (number_bytes_ == 4) return;
        // A number's new place ends before the next one's old place begins.
        for (std::size_t i = 0; i < count_; ++i) {
            const std::uint32_t number = words_[i];
            set(i, number);
        }
    }
    PackedNumbers(PackedNumbers&&) noexcept = default;
    PackedNumbers& operator=(PackedNumbers&&) noexcept = default;

    /// Of kNoNode the bytes that there are, which LinkList::none() tells from an id.
    void set(std::size_t i, std::uint32_t number) noexcept {
        std::memcpy(reinterpret_cast<std::byte*>(words_.data()) + i * number_bytes_, &number, number_bytes_);
    }
    std::size_t size() const noexcept { return count_; }
    std::uint32_t number_bytes() const noexcept { return number_bytes_; }
    const void* data() const noexcept { return words_.data(); }

private:
    std::uint32_t number_bytes_ = 0;
    std::size_t count_ = 0;
    LargeArray<std::uint32_t> words_;  // longer than the numbers if these are of 3 bytes: the last is read as 4, too
};

/// The links of one node or entry: ids within the table that they lie in, ended by none() or by the number of slots.
/// Ids are unchecked.
class LinkList {
public:
    /// List i of a table of lists; i < links.count.
    LinkList(const RecordArray& links, std::uint32_t i) noexcept
        : first_(links.at(i)), bytes_(number_bytes(links.count)), none_(bytes_ == 3 ? kNoNode >> 8 : kNoNode) {}
    /// Slot of the list; reads 4 bytes, which end before the page does.
    [[gnu::always_inline]] std::uint32_t operator[](std::uint32_t slot) const noexcept {
        std::uint32_t id;
        std::memcpy(&id, first_ + std::size_t{slot} * bytes_, sizeof id);
        return id & none_;
    }
    std::uint32_t none() const noexcept { return none_; }

private:
    const std::byte* first_;
    std::uint32_t bytes_;
    std::uint32_t none_;
};

}  // namespace nphd
