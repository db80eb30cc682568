// Reading a sealed shard in place. The bytes are untrusted: a mapped page has no verified checksum, so everything read
// from one is checked against the table sizes before it is used, and a view never leaves the pages it was given.
#pragma once

#include <span>
#include <vector>

#include "engine/base/record_array.hpp"
#include "engine/base/types.hpp"
#include "engine/shard/format.hpp"

namespace nphd {

struct LevelView {
    RecordArray entries;  // UpperEntry
    RecordArray links;    // LinkList
};

/// One filter column of a lane.
struct FilterColumnView {
    RecordArray values;
    RecordArray nulls;  // u64 words; none: nothing is NULL
    // Look-up by value; no records: the lane has none.
    RecordArray order;
    RecordArray fences;
    RecordArray bloom;

    bool has_order() const noexcept { return bloom.count != 0; }
    FilterValue value(std::uint32_t posting) const noexcept {
        return load_filter_value(values.at(posting), values.record_bytes);
    }
    bool is_null(std::uint32_t posting) const noexcept {
        return nulls.count != 0 && (nulls.value<std::uint64_t>(posting / 64) >> posting % 64 & 1) != 0;
    }
};

/// One lane. All arrays lie inside the shard's pages; their *contents* are unchecked, so use the checked accessors, or
/// compare ids with `nodes` and entry numbers with that level's count.
struct LaneView {
    std::uint32_t code_bytes = 0;
    std::uint32_t nodes = 0;
    std::uint32_t postings = 0;
    std::uint64_t posting_base = 0;
    std::uint32_t degree = 0;  // 0: no graph
    std::uint32_t upper_degree = 0;
    std::uint32_t prefix_bytes = 0;
    std::uint32_t levels = 0;
    RecordArray codes;
    RecordArray links;  // LinkList
    RecordArray posting_offsets;
    RecordArray row_ids;
    LevelView level[kMaxLevels];  // [l - 1] is upper level l
    std::uint32_t calibration[16] = {};
    // Look-up by hash; no records: the lane has none and is scanned.
    std::uint32_t directory_bits = 0;
    RecordArray directory_starts;
    RecordArray directory_nodes;
    RecordArray bloom;
    // Look-up by radius; chunks == 0: none.
    std::uint32_t chunks = 0;
    std::uint32_t chunk_bits = 0;
    RecordArray chunk_starts;
    RecordArray chunk_nodes;
    // By column; as many as ShardView::filters says.
    std::vector<FilterColumnView> filters;
    RecordArray posting_nodes;  // none: posting p is under node p, or the lane has no value orders
    // The pages are of a mapped file that memory is not thought to hold: what is read next is announced to the kernel.
    bool out_of_core = false;

    bool has_graph() const noexcept { return degree != 0; }
    bool has_directory() const noexcept { return directory_starts.count != 0; }
    /// The node's code; node < nodes.
    std::span<const std::uint8_t> code(NodeId node) const noexcept {
        return {reinterpret_cast<const std::uint8_t*>(codes.at(node)), code_bytes};
    }
    struct PostingRange {
        std::uint32_t begin, end;  // begin <= end <= postings; numbers within the lane
    };
    /// False when the page's contents are out of range.
    bool posting_range(NodeId node, PostingRange& out) const noexcept {
        const std::uint32_t b = posting_offsets.number(node), e = posting_offsets.number(node + 1);
        out = {b, e};
        return b <= e && e <= postings;
    }
    /// The node of a posting < postings, of a lane with value orders; unchecked.
    NodeId node_of_posting(std::uint32_t posting) const noexcept {
        return posting_nodes.count == 0 ? posting : posting_nodes.number(posting);
    }
    /// The filter values of a posting as a record, layout.record_bytes() long; the lane has the layout's columns.
    void copy_filter_record(const FilterLayout& layout, std::uint32_t posting, std::byte* record) const noexcept {
        if (layout.columns == 0) return;
        std::memset(record, 0, layout.record_bytes());
        for (std::uint32_t c = 0; c < layout.columns; ++c) {
            if (filters[c].is_null(posting))
                set_filter_null(record, c);
            else
                std::memcpy(record + layout.offset(c), filters[c].values.at(posting), layout.width[c]);
        }
    }
    RowId row_id(std::uint32_t posting) const noexcept { return row_ids.value<PackedRowId>(posting).unpack(); }
};

struct ShardView {
    std::uint64_t nodes = 0;
    std::uint64_t postings = 0;
    Metric metric = Metric::nphd;
    FilterLayout filters;
    std::vector<LaneView> lanes;  // ascending by code_bytes
    LaneView codeless;            // the rows that have no code; no postings: there are none

    /// Calls f for each lane that has postings, in the order of their numbers, that of rows without a code included.
    template <class F>
    void each_lane(F&& f) const {
        for (const LaneView& lane : lanes) f(lane);
        if (codeless.postings != 0) f(codeless);
    }
};

struct ShardDamage {
    std::uint32_t page;
    const char* what;
};

/// Opens the shard at `pages` (n_pages * 8192 bytes). Checks header, tables and the bounds of every section, the stamps
/// of the header page and of the first and last page of every section against incarnation and generation, and nothing
/// else. False: `damage` says what is wrong. Throws std::bad_alloc.
bool open_shard(const std::uint8_t* pages, std::uint32_t n_pages, std::uint64_t incarnation, std::uint64_t generation,
                ShardView& out, ShardDamage& damage);

}  // namespace nphd
