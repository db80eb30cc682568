// Filter columns of a lane in plain memory, laid out as a shard has them on its pages, and filters with what they own.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "engine/search/posting_filter.hpp"
#include "engine/shard/bloom_filter.hpp"
#include "engine/shard/record_hash.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd::test {

using ColumnValues = std::vector<std::optional<FilterValue>>;  // by posting; none: NULL

/// Must outlive the view it adds columns to.
class PlainColumns {
public:
    explicit PlainColumns(LaneView& lane) : lane_(lane) {}
    PlainColumns(const PlainColumns&) = delete;

    void add(std::uint32_t width, const ColumnValues& values, bool ordered) {
        FilterColumnView column;
        auto& bytes = array(values.size() * width);
        bool any_null = false;
        for (std::size_t p = 0; p < values.size(); ++p) {
            store_filter_value(bytes.data() + p * width, width, values[p].value_or(0));
            any_null |= !values[p];
        }
        column.values = records(bytes, width, values.size());
        if (any_null) column.nulls = null_words(values);
        if (ordered) add_order(column, width, values);
        lane_.filters.push_back(column);
    }
    /// All arrays, to be damaged.
    std::deque<std::vector<std::byte>>& arrays() { return arrays_; }

private:
    std::vector<std::byte>& array(std::size_t bytes) { return arrays_.emplace_back(bytes); }
    static RecordArray records(const std::vector<std::byte>& bytes, std::uint32_t width, std::size_t n) {
        return RecordArray::plain(bytes.data(), width, static_cast<std::uint32_t>(n));
    }
    RecordArray null_words(const ColumnValues& values) {
        auto& bytes = array((values.size() + 63) / 64 * 8);
        for (std::size_t p = 0; p < values.size(); ++p)
            if (!values[p]) bytes[p / 8] |= static_cast<std::byte>(1u << p % 8);
        return records(bytes, 8, bytes.size() / 8);
    }
    /// One byte more than they take: the last id is read as four.
    RecordArray ids(const std::vector<std::uint32_t>& numbers, std::uint32_t width) {
        auto& bytes = array(numbers.size() * width + (width == 3));
        for (std::size_t i = 0; i < numbers.size(); ++i) std::memcpy(bytes.data() + i * width, &numbers[i], width);
        return records(bytes, width, numbers.size());
    }
    void add_order(FilterColumnView& column, std::uint32_t width, const ColumnValues& values) {
        std::vector<std::uint32_t> order;
        for (std::uint32_t p = 0; p < values.size(); ++p)
            if (values[p]) order.push_back(p);
        std::ranges::stable_sort(order, [&](std::uint32_t a, std::uint32_t b) { return *values[a] < *values[b]; });
        column.order = ids(order, number_bytes(lane_.postings));
        auto& fences = array((order.size() + kFenceStride - 1) / kFenceStride * width);
        for (std::size_t i = 0; i < order.size(); i += kFenceStride)
            store_filter_value(fences.data() + i / kFenceStride * width, width, *values[order[i]]);
        column.fences = records(fences, width, fences.size() / width);
        auto& bloom = array(std::size_t{bloom_blocks(static_cast<std::uint32_t>(order.size()))} * kBloomBlockBytes);
        const auto blocks = static_cast<std::uint32_t>(bloom.size() / kBloomBlockBytes);
        for (const std::uint32_t p : order) {
            const std::uint64_t hash = hash_filter_value(*values[p]);
            bloom_add(bloom.data() + std::size_t{bloom_block(hash, blocks)} * kBloomBlockBytes, hash);
        }
        column.bloom = records(bloom, kBloomBlockBytes, blocks);
        if (lane_.postings > lane_.nodes && lane_.posting_nodes.count == 0) add_posting_nodes();
    }
    void add_posting_nodes() {
        std::vector<std::uint32_t> nodes(lane_.postings);
        for (NodeId node = 0; node < lane_.nodes; ++node) {
            LaneView::PostingRange range{};
            if (!lane_.posting_range(node, range)) continue;
            std::fill(nodes.begin() + range.begin, nodes.begin() + range.end, node);
        }
        lane_.posting_nodes = ids(nodes, number_bytes(lane_.nodes));
    }

    LaneView& lane_;
    std::deque<std::vector<std::byte>> arrays_;
};

/// A filter and its conditions.
class OwnedFilter {
public:
    OwnedFilter& add(std::uint32_t column, std::vector<ValueRange> ranges, bool nulls = false) {
        ranges_.push_back(std::move(ranges));
        conditions_.push_back({column, nulls, {}});
        conditions_.back().ranges = ranges_.back();
        return *this;
    }
    PostingFilter get() const { return {conditions_}; }

private:
    std::deque<std::vector<ValueRange>> ranges_;
    std::vector<ColumnCondition> conditions_;
};

}  // namespace nphd::test
