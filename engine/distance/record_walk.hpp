// How kernels walk over records: ranges in contiguous runs, gathers through prefetched pointers.
// Everything has internal linkage: each including file gets its own copy, compiled for its own instruction set.
#pragma once

#include "engine/distance/kernels.hpp"

namespace nphd {
namespace {

/// Records at a fixed distance from each other.
struct StridedRecords {
    const std::byte* base;
    std::size_t stride;

    [[gnu::always_inline]] const std::byte* operator[](std::size_t i) const noexcept { return base + i * stride; }
    [[gnu::always_inline]] StridedRecords from(std::size_t i) const noexcept { return {(*this)[i], stride}; }
};

/// Records anywhere. The last address is repeated up to a multiple of kGroup.
struct ScatteredRecords {
    static constexpr std::uint32_t kGroup = 8;

    const std::byte* const* records;

    [[gnu::always_inline]] const std::byte* operator[](std::size_t i) const noexcept { return records[i]; }
    [[gnu::always_inline]] ScatteredRecords from(std::size_t i) const noexcept { return {records + i}; }
};

/// Makes a whole group of kCount records out of the first n, 0 < n < kCount, by repeating the last.
template <std::uint32_t kCount>
struct FilledGroup {
    [[gnu::always_inline]] ScatteredRecords of(StridedRecords records, std::uint32_t n) noexcept {
        for (std::uint32_t i = 0; i < kCount; ++i) addresses[i] = records[i < n ? i : n - 1];
        return {addresses};
    }
    [[gnu::always_inline]] ScatteredRecords of(ScatteredRecords records, std::uint32_t) noexcept {
        static_assert(ScatteredRecords::kGroup % kCount == 0);
        return records;
    }

    const std::byte* addresses[kCount];
};

/// Cuts [first, first + n) into runs whose records are contiguous: one per page, or one in all.
class Runs {
public:
    [[gnu::always_inline]] Runs(const RecordArray& codes, NodeId first, std::uint32_t n) noexcept
        : codes_(codes), first_(first), left_(n), per_page_(n) {
        std::uint32_t room = n;
        if (codes.page_reciprocal != 0) {
            per_page_ = (static_cast<std::uint32_t>(kPageBytes) - codes.page_gap) / codes.record_bytes;
            room = per_page_ - first % per_page_;
        }
        count_ = room < left_ ? room : left_;
    }
    [[gnu::always_inline]] bool done() const noexcept { return left_ == 0; }
    [[gnu::always_inline]] void next() noexcept {
        first_ += count_;
        left_ -= count_;
        if (left_ > 0) touch_gap();
        count_ = per_page_ < left_ ? per_page_ : left_;
    }
    [[gnu::always_inline]] std::uint32_t count() const noexcept { return count_; }
    [[gnu::always_inline]] StridedRecords records() const noexcept { return {codes_.at(first_), codes_.record_bytes}; }

private:
    /// The hardware takes a jump over several lines for the end of the stream and starts to prefetch anew: outside the
    /// cache that halves the throughput (measured on Zen 4 with gaps from 512 bytes on). Asking for the lines between
    /// two pages' records keeps the stream going.
    [[gnu::always_inline]] void touch_gap() const noexcept {
        if (codes_.page_gap < kLongGap) return;
        const std::byte* const next = codes_.at(first_);
        for (std::size_t back = codes_.page_gap; back >= 64; back -= 64) __builtin_prefetch(next - back);
    }

    static constexpr std::uint32_t kLongGap = 256;

    const RecordArray& codes_;
    NodeId first_;
    std::uint32_t left_;
    std::uint32_t per_page_;
    std::uint32_t count_;
};

/// The addresses of the records `ids`, in batches; each batch is on its way into the cache while the one before it
/// is worked on.
class PrefetchedRecords {
public:
    [[gnu::always_inline]] PrefetchedRecords(const RecordArray& codes, const NodeId* ids, std::uint32_t n,
                                             std::uint32_t bytes) noexcept
        : codes_(codes), ids_(ids), left_(n), bytes_(bytes) {
        batch_ = bytes <= kAheadBytes / kMostAhead ? kMostAhead : (bytes < kAheadBytes ? kAheadBytes / bytes : 1);
        request();
        next();
    }
    [[gnu::always_inline]] bool done() const noexcept { return count_ == 0; }
    [[gnu::always_inline]] void next() noexcept {
        count_ = requested_;
        current_ = requesting_;
        requesting_ ^= 1;
        request();
    }
    [[gnu::always_inline]] std::uint32_t count() const noexcept { return count_; }
    [[gnu::always_inline]] ScatteredRecords records() const noexcept { return {records_[current_]}; }

private:
    static constexpr std::uint32_t kMostAhead = 32;
    static_assert(kMostAhead % ScatteredRecords::kGroup == 0);
    static constexpr std::uint32_t kAheadBytes = 8192;

    [[gnu::always_inline]] void request() noexcept {
        requested_ = left_ < batch_ ? left_ : batch_;
        for (std::uint32_t i = 0; i < requested_; ++i) {
            const std::byte* const record = codes_.at(ids_[i]);
            records_[requesting_][i] = record;
            for (std::size_t at = 0; at < bytes_; at += 64) __builtin_prefetch(record + at);
            __builtin_prefetch(record + bytes_ - 1);  // an unaligned record ends in one more cache line
        }
        for (std::uint32_t i = requested_; i % ScatteredRecords::kGroup != 0; ++i) {
            records_[requesting_][i] = records_[requesting_][requested_ - 1];
        }
        ids_ += requested_;
        left_ -= requested_;
    }

    const RecordArray& codes_;
    const NodeId* ids_;
    std::uint32_t left_;
    std::uint32_t bytes_;
    std::uint32_t batch_;
    std::uint32_t requested_ = 0;
    std::uint32_t count_ = 0;
    std::uint32_t requesting_ = 0;
    std::uint32_t current_ = 0;
    const std::byte* records_[2][kMostAhead];
};

}  // namespace
}  // namespace nphd
