// Conditions on the filter columns of a posting: what a scan asks of the values that a row carries beside its code.
#pragma once

#include <span>

#include "engine/shard/filter_record.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd {

/// May lie in memory that is aligned for pointers only.
struct [[gnu::packed, gnu::aligned(8)]] ValueRange {
    FilterValue low, high;  // both inside; low <= high
};

/// What one column must be: NULL, if `nulls`, or inside one of the ranges.
struct ColumnCondition {
    std::uint32_t column = 0;
    bool nulls = false;
    std::span<const ValueRange> ranges;  // ascending, disjoint

    /// Of a value that is not NULL.
    bool satisfied_by(FilterValue value) const noexcept {
        if (ranges.size() == 1) return ranges[0].low <= value && value <= ranges[0].high;
        return in_some_range(value);
    }

private:
    bool in_some_range(FilterValue value) const noexcept;
};

/// All of the conditions, at most one for each column. A view: what it points to must outlive it.
struct PostingFilter {
    std::span<const ColumnCondition> conditions;

    bool empty() const noexcept { return conditions.empty(); }
    /// Whether a row with this record satisfies it.
    bool matches(const FilterLayout& layout, const std::byte* record) const noexcept;
    /// Whether posting < lane.postings satisfies it; the lane has all columns that are asked for.
    bool matches(const LaneView& lane, std::uint32_t posting) const noexcept;
};

/// The postings of a lane that satisfy a filter, each once: through the column that says most, if it is kept in order
/// of value, else by reading all. Whatever the pages hold, it ends, and postings are below lane.postings; damaged pages
/// can make it miss postings, repeat them, and take for granted what their order says about them.
class FilteredPostings {
public:
    /// Lane, filter and what they point to must stay as they are. Reads pages of the lane.
    void start(const LaneView& lane, const PostingFilter& filter) noexcept;
    /// From the first posting on again.
    void rewind() noexcept;

    /// How many postings next() will look at, in all; 0 only if there are none. For conditions of very many ranges, an
    /// estimate by some of them.
    std::uint32_t candidates() const noexcept { return candidates_; }
    /// In order of value, then the NULL ones, instead of by number.
    bool by_value() const noexcept { return driver_ != nullptr; }
    /// About how many postings satisfy the filter, if its columns know nothing of each other. What a column without a
    /// value order says is not counted.
    double estimate() const noexcept { return estimate_; }
    /// About what looking at all of them takes, in units of 32 bytes read in sequence.
    std::uint64_t work() const noexcept { return work_; }
    bool done() const noexcept;
    /// Looks at up to `most` further candidates, and writes those that satisfy the filter, dead or alive, to `out`,
    /// which has room for them. Returns how many these are.
    std::uint32_t next(std::uint32_t most, std::uint32_t* out) noexcept;

private:
    std::uint32_t next_by_number(std::uint32_t most, std::uint32_t* out) noexcept;
    std::uint32_t next_by_value(std::uint32_t most, std::uint32_t* out) noexcept;
    std::uint32_t next_null(std::uint32_t most, std::uint32_t* out) noexcept;
    std::uint32_t keep_matching(std::uint32_t n, std::uint32_t* postings) const noexcept;
    const FilterColumnView& driven() const noexcept { return lane_->filters[driver_->column]; }
    bool any_null() const noexcept { return driver_->nulls && driven().nulls.count != 0; }

    const LaneView* lane_ = nullptr;
    PostingFilter filter_;
    const ColumnCondition* driver_ = nullptr;  // null: all postings, by number
    std::uint32_t candidates_ = 0;
    double estimate_ = 0;
    std::uint64_t work_ = 0;
    // Where it is: the range of the driver's condition, and places [place_, end_) of its column's order. Then, or
    // without a driver, the number of the next posting.
    std::size_t range_ = 0;
    std::uint32_t place_ = 0, end_ = 0;
    std::uint32_t posting_ = 0;
};

}  // namespace nphd
