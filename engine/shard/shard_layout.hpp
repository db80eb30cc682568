// Finished lanes in memory, and where their arrays go on the shard's pages.
#pragma once

#include <vector>

#include "engine/graph/graph.hpp"
#include "engine/shard/format.hpp"
#include "engine/shard/lookup_tables.hpp"
#include "engine/shard/shard_build.hpp"
#include "engine/shard/value_order.hpp"

namespace nphd {

/// All that is stored of one lane.
struct LaneData {
    LaneRecord record{};  // first_section and sections are left to the layout
    LargeArray<std::byte> codes;
    PackedNumbers posting_offsets;
    LargeArray<PackedRowId> row_ids;
    PackedNumbers links;
    struct Level {
        std::vector<UpperEntry> entries;
        PackedNumbers links;
    };
    std::vector<Level> levels;
    KeyDirectory directory;
    RadiusTables radius;
    struct FilterColumn {
        LargeArray<std::byte> values;
        LargeArray<std::uint64_t> nulls;  // empty: nothing is NULL
        ValueOrder order;                 // no bloom filter: none
    };
    std::vector<FilterColumn> filters;
    PackedNumbers posting_nodes;  // empty: none

    std::size_t sections() const noexcept {
        std::size_t n = 3 + (record.degree != 0 ? 1 : 0) + 2 * levels.size() + (directory.starts.size() != 0 ? 3 : 0) +
                        (radius.shape.chunks != 0 ? 2 : 0) + (posting_nodes.size() != 0 ? 1 : 0);
        for (const FilterColumn& column : filters)
            n += 1 + (column.nulls.size() != 0 ? 1 : 0) + (column.order.bloom.size() != 0 ? 3 : 0);
        return n;
    }
};

/// Assigns pages to header, tables and sections, and writes any of them.
class ShardLayout {
public:
    ShardLayout(const ShardLayout&) = delete;
    ShardLayout& operator=(const ShardLayout&) = delete;
    /// Lanes ascending by code_bytes, that of rows without a code last. Throws std::length_error when page numbers
    /// would not fit 32 bits.
    ShardLayout(std::vector<LaneData> lanes, Metric metric, const FilterLayout& filters, std::uint64_t seed);

    const ShardHeader& header() const noexcept { return header_; }
    /// As ShardBuild::fill_page.
    void fill_page(std::uint32_t page, std::uint64_t incarnation, std::uint64_t generation,
                   std::uint8_t* out) const noexcept;

private:
    /// An array laid over the pages [first_page, first_page + pages).
    struct Run {
        PageKind kind;
        std::uint32_t first_page;
        std::uint32_t pages;
        std::uint32_t record_bytes;
        std::uint64_t records;
        const void* data;
    };
    Run& add_run(PageKind kind, std::uint32_t record_bytes, std::uint64_t records, const void* data);
    void add_section(SectionKind kind, std::uint32_t argument, std::uint32_t record_bytes, std::uint64_t records,
                     const void* data);
    void add_numbers(SectionKind kind, std::uint32_t argument, const PackedNumbers& numbers);
    void add_lane_sections(LaneData& lane);
    void add_lookup_sections(const LaneData& lane);
    void add_filter_sections(const LaneData& lane);

    ShardHeader header_{};
    std::vector<LaneData> lanes_;
    std::vector<LaneRecord> lane_table_;
    std::vector<SectionRecord> section_table_;
    std::vector<Run> runs_;  // ascending by page, without a gap
};

}  // namespace nphd
