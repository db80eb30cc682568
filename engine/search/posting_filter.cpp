#include "engine/search/posting_filter.hpp"

#include <algorithm>
#include <bit>
#include <cstring>

#include "engine/shard/bloom_filter.hpp"
#include "engine/shard/record_hash.hpp"

namespace nphd {

namespace {

/// FilteredPostings counts the postings of so many ranges of a condition, evenly chosen, and infers the others.
constexpr std::size_t kCountedRanges = 64;
/// Look-ups of ranges that one call of next() makes.
constexpr std::uint32_t kRangesPerCall = 64;
/// Postings whose values are fetched side by side.
constexpr std::uint32_t kAhead = 64;

// Units of 32 bytes read in sequence.
constexpr std::uint64_t kRangeWork = 100;  // the places of a range
constexpr std::uint64_t kValueWork = 4;    // a value anywhere

/// Places [begin, end) of a value order.
struct Places {
    std::uint32_t begin, end;
};

/// The number of places whose value is before `value`, or with `through`, not behind it. The order is cut by its
/// fences; a place that is damaged counts as one that is not before.
template <bool through>
std::uint32_t places_before(const LaneView& lane, const FilterColumnView& column, FilterValue value) noexcept {
    const auto before = [value](FilterValue v) { return through ? v <= value : v < value; };
    std::uint32_t from = 0, to = column.fences.count;
    while (from < to) {
        const std::uint32_t middle = from + (to - from) / 2;
        if (before(load_filter_value(column.fences.at(middle), column.fences.record_bytes)))
            from = middle + 1;
        else
            to = middle;
    }
    if (from == 0) return 0;
    // Fence `from - 1` is before, the next one is not.
    const auto place = [&](std::uint32_t fence) {
        return static_cast<std::uint32_t>(
            std::min<std::uint64_t>(std::uint64_t{fence} * kFenceStride, column.order.count));
    };
    to = place(from);
    from = place(from - 1);
    while (from < to) {
        const std::uint32_t middle = from + (to - from) / 2, posting = column.order.number(middle);
        if (posting < lane.postings && before(column.value(posting)))
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

Places places_of(const LaneView& lane, const FilterColumnView& column, const ValueRange& range) noexcept {
    if (range.low == range.high && !bloom_may_contain(column.bloom, hash_filter_value(range.low))) return {0, 0};
    const std::uint32_t begin = places_before<false>(lane, column, range.low);
    return {begin, std::max(begin, places_before<true>(lane, column, range.high))};
}

std::uint32_t nulls_of(const LaneView& lane, const FilterColumnView& column) noexcept {
    return column.nulls.count == 0 ? 0 : lane.postings - std::min(lane.postings, column.order.count);
}

/// Looks at `counted` ranges at most; if these are not all, the result is an estimate, and not 0.
std::uint32_t count(const LaneView& lane, const ColumnCondition& condition, std::size_t counted) noexcept {
    const FilterColumnView& column = lane.filters[condition.column];
    if (!column.has_order()) return lane.postings;
    const std::size_t ranges = condition.ranges.size(), n = std::min(ranges, counted);
    std::uint64_t sum = 0;
    for (std::size_t i = 0; i < n; ++i) {
        const Places places = places_of(lane, column, condition.ranges[i * ranges / n]);
        sum += places.end - places.begin;
    }
    if (n < ranges) sum = std::max<std::uint64_t>(1, sum * ranges / n);
    if (condition.nulls) sum += nulls_of(lane, column);
    return static_cast<std::uint32_t>(std::min<std::uint64_t>(sum, lane.postings));
}

/// Writes those of the postings [from, to) to `out` whose value lies in the range, whether it is NULL or not; returns
/// how many. Page by page, without a branch for each.
template <class Value>
std::uint32_t values_in_range(const RecordArray& values, const ValueRange& range, std::uint32_t from, std::uint32_t to,
                              std::uint32_t* out) noexcept {
    const auto low = static_cast<Value>(range.low), width = static_cast<Value>(range.high - range.low);
    const std::uint32_t per_page = RecordArray::records_per_page(sizeof(Value));
    std::uint32_t n = 0;
    while (from < to) {
        const std::uint32_t end = std::min(to, from - from % per_page + per_page);
        for (const std::byte* at = values.at(from); from < end; at += sizeof(Value), ++from) {
            Value value;
            std::memcpy(&value, at, sizeof value);
            out[n] = from;
            n += static_cast<Value>(value - low) <= width;
        }
    }
    return n;
}

std::uint32_t values_in_range(const RecordArray& values, const ValueRange& range, std::uint32_t from, std::uint32_t to,
                              std::uint32_t* out) noexcept {
    switch (values.record_bytes) {
        case 1:
            return values_in_range<std::uint8_t>(values, range, from, to, out);
        case 2:
            return values_in_range<std::uint16_t>(values, range, from, to, out);
        case 4:
            return values_in_range<std::uint32_t>(values, range, from, to, out);
        case 8:
            return values_in_range<std::uint64_t>(values, range, from, to, out);
        default:
            return values_in_range<FilterValue>(values, range, from, to, out);
    }
}

bool satisfies(const ColumnCondition& condition, const FilterColumnView& column, std::uint32_t posting) noexcept {
    if (column.is_null(posting)) return condition.nulls;
    return condition.satisfied_by(column.value(posting));
}

}  // namespace

bool ColumnCondition::in_some_range(FilterValue value) const noexcept {
    // The last range that does not begin behind the value.
    const auto behind = std::upper_bound(ranges.begin(), ranges.end(), value,
                                         [](FilterValue v, const ValueRange& range) { return v < range.low; });
    return behind != ranges.begin() && value <= behind[-1].high;
}

bool PostingFilter::matches(const FilterLayout& layout, const std::byte* record) const noexcept {
    return std::ranges::all_of(conditions, [&](const ColumnCondition& c) {
        if (filter_is_null(record, c.column)) return c.nulls;
        return c.satisfied_by(load_filter_value(record + layout.offset(c.column), layout.width[c.column]));
    });
}

bool PostingFilter::matches(const LaneView& lane, std::uint32_t posting) const noexcept {
    for (const ColumnCondition& c : conditions)
        if (!satisfies(c, lane.filters[c.column], posting)) return false;
    return true;
}

void FilteredPostings::start(const LaneView& lane, const PostingFilter& filter) noexcept {
    lane_ = &lane;
    filter_ = filter;
    driver_ = nullptr;
    candidates_ = lane.postings;
    estimate_ = lane.postings;
    for (const ColumnCondition& c : filter.conditions) {
        if (!lane.filters[c.column].has_order()) continue;
        const std::uint32_t n = count(lane, c, kCountedRanges);
        if (lane.postings > 0) estimate_ *= static_cast<double>(n) / lane.postings;
        if (n >= candidates_) continue;
        candidates_ = n;
        driver_ = &c;
    }
    work_ = std::uint64_t{candidates_} * (1 + filter.conditions.size());
    if (driver_)
        work_ = std::uint64_t{candidates_} * (1 + kValueWork * (filter.conditions.size() - 1)) +
                driver_->ranges.size() * kRangeWork + (any_null() ? driven().nulls.count : 0);
    rewind();
}

void FilteredPostings::rewind() noexcept {
    range_ = 0;
    place_ = end_ = 0;
    posting_ = 0;
}

bool FilteredPostings::done() const noexcept {
    if (!driver_) return posting_ == lane_->postings;
    return place_ == end_ && range_ == driver_->ranges.size() && (!any_null() || posting_ == lane_->postings);
}

std::uint32_t FilteredPostings::next(std::uint32_t most, std::uint32_t* out) noexcept {
    if (!driver_) return next_by_number(most, out);
    const bool in_order = place_ != end_ || range_ != driver_->ranges.size();
    const std::uint32_t n = in_order ? next_by_value(most, out) : next_null(most, out);
    return filter_.conditions.size() > 1 ? keep_matching(n, out) : n;
}

std::uint32_t FilteredPostings::next_by_number(std::uint32_t most, std::uint32_t* out) noexcept {
    const std::uint32_t from = posting_;
    posting_ += std::min(most, lane_->postings - posting_);
    std::uint32_t n = 0;
    // A key that is looked for is in none of most lanes.
    if (!filter_.empty() && !filter_.conditions[0].nulls && filter_.conditions[0].ranges.size() == 1) {
        const ColumnCondition& first = filter_.conditions[0];
        n = values_in_range(lane_->filters[first.column].values, first.ranges[0], from, posting_, out);
    } else {
        for (std::uint32_t posting = from; posting < posting_; ++posting) out[n++] = posting;
    }
    std::uint32_t kept = 0;
    for (std::uint32_t i = 0; i < n; ++i) {
        const std::uint32_t posting = out[i];
        out[kept] = posting;
        kept += filter_.matches(*lane_, posting);
    }
    return kept;
}

std::uint32_t FilteredPostings::next_by_value(std::uint32_t most, std::uint32_t* out) noexcept {
    const FilterColumnView& column = driven();
    std::uint32_t n = 0, left = most;
    for (std::uint32_t looked_up = 0; left > 0;) {
        if (place_ == end_) {
            if (range_ == driver_->ranges.size() || looked_up++ == kRangesPerCall) break;
            const Places places = places_of(*lane_, column, driver_->ranges[range_++]);
            place_ = places.begin;
            end_ = places.end;
            continue;
        }
        const std::uint32_t taken = std::min(left, end_ - place_);
        for (const std::uint32_t end = place_ + taken; place_ < end; ++place_) {
            const std::uint32_t posting = column.order.number(place_);
            out[n] = posting;
            n += posting < lane_->postings;
        }
        left -= taken;
    }
    return n;
}

/// Counts each word of NULL bits as a candidate too.
std::uint32_t FilteredPostings::next_null(std::uint32_t most, std::uint32_t* out) noexcept {
    const RecordArray& nulls = driven().nulls;
    std::uint32_t n = 0;
    if (!any_null()) return n;
    for (std::uint32_t left = most; left > 0 && posting_ < lane_->postings; --left) {
        const std::uint64_t word = nulls.value<std::uint64_t>(posting_ / 64) >> posting_ % 64;
        const std::uint64_t next = word == 0 ? (std::uint64_t{posting_} / 64 + 1) * 64
                                             : std::uint64_t{posting_} + static_cast<unsigned>(std::countr_zero(word));
        posting_ = static_cast<std::uint32_t>(std::min<std::uint64_t>(next, lane_->postings));
        if (word != 0 && posting_ < lane_->postings) out[n++] = posting_++;
    }
    return n;
}

/// What the conditions beside the driver's let pass.
std::uint32_t FilteredPostings::keep_matching(std::uint32_t n, std::uint32_t* postings) const noexcept {
    std::uint32_t kept = 0;
    for (std::uint32_t from = 0; from < n; from += kAhead) {
        const std::uint32_t end = std::min(n, from + kAhead);
        for (const ColumnCondition& c : filter_.conditions) {
            if (&c == driver_) continue;
            for (std::uint32_t i = from; i < end; ++i)
                __builtin_prefetch(lane_->filters[c.column].values.at(postings[i]));
        }
        for (std::uint32_t i = from; i < end; ++i) {
            const std::uint32_t posting = postings[i];
            postings[kept] = posting;
            kept += std::ranges::all_of(filter_.conditions, [&](const ColumnCondition& c) {
                return &c == driver_ || satisfies(c, lane_->filters[c.column], posting);
            });
        }
    }
    return kept;
}

}  // namespace nphd
