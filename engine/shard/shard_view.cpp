#include "engine/shard/shard_view.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <iterator>

#include "engine/shard/bloom_filter.hpp"
#include "engine/shard/lane_input.hpp"

namespace nphd {

namespace {

/// Thrown and caught in this file.
struct Damaged {
    ShardDamage damage;
};

class Opener {
public:
    Opener(const std::uint8_t* pages, std::uint32_t n_pages, std::uint64_t incarnation, std::uint64_t generation)
        : pages_(pages), n_pages_(n_pages), incarnation_(incarnation), generation_(generation) {}

    void run(ShardView& out) {
        read_header();
        out.metric = static_cast<Metric>(header_.metric);
        out.nodes = header_.nodes;
        out.postings = header_.postings;
        lane_table_ = table(PageKind::shard_lanes, header_.lane_table_page, sizeof(LaneRecord), header_.lanes);
        section_table_ =
            table(PageKind::shard_sections, header_.section_table_page, sizeof(SectionRecord), header_.sections);
        out.filters = header_.filters;
        out.lanes.clear();
        out.lanes.reserve(header_.lanes);
        out.codeless = {};
        std::uint64_t nodes = 0, postings = 0;
        for (std::uint32_t i = 0; i < header_.lanes; ++i) {
            at_page_ = header_.lane_table_page + i / RecordArray::records_per_page(sizeof(LaneRecord));
            const auto r = lane_table_.value<LaneRecord>(i);
            require(r.posting_base == postings, "posting numbers of the lanes do not add up");
            postings += r.postings;
            if (r.codeless != 0) {
                require(i + 1 == header_.lanes, "lanes are out of order");
                out.codeless = open_lane(r);
                continue;
            }
            require(out.lanes.empty() || out.lanes.back().code_bytes < r.code_bytes, "lanes are out of order");
            out.lanes.push_back(open_lane(r));
            nodes += r.nodes;
        }
        at_page_ = 0;
        require(nodes == header_.nodes && postings == header_.postings, "counts of the lanes do not add up");
    }

private:
    void require(bool ok, const char* what) const {
        if (!ok) throw Damaged{{at_page_, what}};
    }
    const std::uint8_t* page(std::uint32_t n) const noexcept { return pages_ + std::size_t{n} * kPageBytes; }

    void check_stamp(std::uint32_t n, PageKind kind) {
        at_page_ = n;
        PageStamp s;
        std::memcpy(&s, page(n) + kPageStampOffset, sizeof s);
        require(s.magic == kShardMagic && s.kind == static_cast<std::uint16_t>(kind), "not the expected kind of page");
        require(readable_format(s.format), "unknown page format");
        require(s.incarnation == incarnation_ && s.generation == generation_, "page of another shard");
        require(s.position == n, "page in the wrong place");
    }

    void read_header() {
        require(n_pages_ > 0, "no pages");
        check_stamp(0, PageKind::shard_header);
        std::memcpy(&header_, page(0) + kPageDataOffset, sizeof header_);
        require(header_.magic == kShardMagic && readable_format(header_.format), "unknown shard format");
        require(header_.metric >= 1 && header_.metric <= 3, "unknown metric");
        require(header_.pages >= 1 && header_.pages <= n_pages_, "shard is longer than its extents");
        require(header_.filters.valid(), "impossible filter columns");
        require(header_.lanes <= kMaxCodeBytes + 2, "too many lanes");
    }

    /// An array on whole pages, its first and last page looked at.
    RecordArray array(PageKind kind, std::uint32_t first_page, std::uint32_t record_bytes, std::uint64_t records) {
        require(record_bytes > 0 && record_bytes <= kPageDataBytes, "record size out of range");
        require(records <= kNoNode, "record count out of range");
        const std::uint64_t per_page = RecordArray::records_per_page(record_bytes);
        const std::uint64_t pages = (records + per_page - 1) / per_page;
        if (pages == 0) return {};
        require(first_page >= 1 && first_page + pages <= header_.pages, "array outside of the shard");
        check_stamp(first_page, kind);
        check_stamp(first_page + static_cast<std::uint32_t>(pages) - 1, kind);
        return RecordArray::paged(page(first_page), record_bytes, static_cast<std::uint32_t>(records));
    }
    RecordArray table(PageKind kind, std::uint32_t first_page, std::uint32_t record_bytes, std::uint32_t records) {
        at_page_ = 0;
        return array(kind, first_page, record_bytes, records);
    }

    void check_lane(const LaneRecord& r) const {
        require(r.code_bytes <= kMaxCodeBytes, "code length out of range");
        require(r.record_bytes == record_bytes_for(r.code_bytes), "record size does not fit the code length");
        require(r.nodes > 0 && r.nodes < kNoNode, "node count out of range");
        require(r.postings >= r.nodes && r.postings < kNoNode, "posting count out of range");
        require(r.degree <= kMaxDegree && r.upper_degree <= kMaxDegree, "link count out of range");
        require(r.prefix_bytes <= r.code_bytes, "prefix longer than the code");
        require(r.levels <= kMaxLevels, "level count out of range");
        require(r.levels == 0 || (r.degree > 0 && r.upper_degree > 0), "levels without links");
        std::uint32_t below = r.nodes;
        for (std::uint32_t l = 0; l < r.levels; ++l) {
            require(r.level_entries[l] > 0 && r.level_entries[l] <= below, "level size out of range");
            below = r.level_entries[l];
        }
        if (r.chunks == 0) {
            require(r.chunk_bits == 0, "a chunk width without chunks");
        } else {
            require(r.chunk_bits >= 1 && r.chunk_bits <= kMaxChunkBits, "chunk width out of range");
            require(std::uint64_t{r.chunks} * r.chunk_bits <= std::uint64_t{r.code_bytes} * 8,
                    "chunks beyond the end of the codes");
        }
        require(r.codeless == 0 || (r.codeless == 1 && r.code_bytes == 0 && r.nodes == 1 && r.degree == 0),
                "a lane of rows without a code that has codes");
        require(std::uint64_t{r.first_section} + r.sections <= header_.sections, "sections outside of their table");
    }

    LaneView open_lane(const LaneRecord& r) {
        check_lane(r);
        LaneView lane;
        lane.code_bytes = r.code_bytes;
        lane.nodes = r.nodes;
        lane.postings = r.postings;
        lane.posting_base = r.posting_base;
        lane.degree = r.degree;
        lane.upper_degree = r.upper_degree;
        lane.prefix_bytes = r.prefix_bytes;
        lane.levels = r.levels;
        std::copy(std::begin(r.calibration), std::end(r.calibration), lane.calibration);
        lane.chunks = r.chunks;
        lane.chunk_bits = r.chunk_bits;
        lane.filters.resize(header_.filters.columns);
        const std::uint32_t lane_page = at_page_;
        for (std::uint32_t i = 0; i < r.sections; ++i) {
            const std::uint32_t n = r.first_section + i;
            at_page_ = header_.section_table_page + n / RecordArray::records_per_page(sizeof(SectionRecord));
            open_section(r, section_table_.value<SectionRecord>(n), lane);
        }
        at_page_ = lane_page;
        require(lane.codes.base && lane.posting_offsets.base && lane.row_ids.base, "a section is missing");
        require(r.degree == 0 || lane.links.base, "the links are missing");
        for (std::uint32_t l = 0; l < r.levels; ++l)
            require(lane.level[l].entries.base && lane.level[l].links.base, "a level is missing");
        require(!lane.directory_starts.base == !lane.directory_nodes.base &&
                    !lane.directory_starts.base == !lane.bloom.base,
                "a part of the key directory is missing");
        require(r.chunks == 0 || (lane.chunk_starts.base && lane.chunk_nodes.base), "the radius tables are missing");
        bool any_order = false;
        for (const FilterColumnView& column : lane.filters) {
            require(column.values.base, "a filter column is missing");
            // Where all is NULL, the order has no places and its bloom filter stands alone.
            require(column.has_order() ? column.order.base || column.nulls.base : !column.order.base,
                    "a part of a value order is missing");
            require(column.fences.count == fences_of(column.order.count), "fences do not fit their value order");
            any_order |= column.has_order();
        }
        require(!any_order || r.postings == r.nodes || lane.posting_nodes.base, "the nodes of postings are missing");
        return lane;
    }

    void open_section(const LaneRecord& r, const SectionRecord& s, LaneView& lane) {
        switch (static_cast<SectionKind>(s.kind)) {
            case SectionKind::codes:
                return set(lane.codes, s, r.record_bytes, r.nodes);
            case SectionKind::posting_offsets:
                return set(lane.posting_offsets, s, number_bytes(r.postings), std::uint64_t{r.nodes} + 1);
            case SectionKind::postings:
                return set(lane.row_ids, s, sizeof(PackedRowId), r.postings);
            case SectionKind::links:
                if (s.argument == 0) {
                    require(r.degree > 0, "links of a lane without a graph");
                    return set(lane.links, s, r.degree * number_bytes(r.nodes), r.nodes);
                }
                require(s.argument <= r.levels, "level out of range");
                return set(lane.level[s.argument - 1].links, s,
                           r.upper_degree * number_bytes(r.level_entries[s.argument - 1]),
                           r.level_entries[s.argument - 1]);
            case SectionKind::level_entries:
                require(s.argument >= 1 && s.argument <= r.levels, "level out of range");
                return set(lane.level[s.argument - 1].entries, s, sizeof(UpperEntry), r.level_entries[s.argument - 1]);
            case SectionKind::key_directory:
                return open_directory(r, s, lane);
            case SectionKind::bloom_filter:
                require(s.records >= 1, "a bloom filter without blocks");
                return set(lane.bloom, s, kBloomBlockBytes, s.records);
            case SectionKind::radius_starts:
                require(r.chunks > 0, "radius tables of a lane without chunks");
                return set(lane.chunk_starts, s, number_bytes(r.nodes),
                           std::uint64_t{r.chunks} * ((std::uint64_t{1} << r.chunk_bits) + 1));
            case SectionKind::radius_nodes:
                require(r.chunks > 0, "radius tables of a lane without chunks");
                return set(lane.chunk_nodes, s, number_bytes(r.nodes), std::uint64_t{r.chunks} * r.nodes);
            case SectionKind::filter_column:
            case SectionKind::filter_nulls:
            case SectionKind::value_order:
            case SectionKind::value_fences:
            case SectionKind::value_bloom:
                return open_filter(r, s, lane);
            case SectionKind::posting_nodes:
                return set(lane.posting_nodes, s, number_bytes(r.nodes), r.postings);
            default:
                return;  // of a later version
        }
    }

    void open_filter(const LaneRecord& r, const SectionRecord& s, LaneView& lane) {
        require(s.argument < header_.filters.columns, "a filter column that the shard does not have");
        FilterColumnView& column = lane.filters[s.argument];
        const std::uint32_t width = header_.filters.width[s.argument];
        switch (static_cast<SectionKind>(s.kind)) {
            case SectionKind::filter_column:
                return set(column.values, s, width, r.postings);
            case SectionKind::filter_nulls:
                return set(column.nulls, s, sizeof(std::uint64_t), (std::uint64_t{r.postings} + 63) / 64);
            case SectionKind::value_order:
                require(s.records <= r.postings, "a value order of more postings than there are");
                return set(column.order, s, number_bytes(r.postings), s.records);
            case SectionKind::value_fences:
                require(s.records <= fences_of(r.postings), "more fences than places");
                return set(column.fences, s, width, s.records);
            default:
                require(s.records >= 1, "a bloom filter without blocks");
                return set(column.bloom, s, kBloomBlockBytes, s.records);
        }
    }

    void open_directory(const LaneRecord& r, const SectionRecord& s, LaneView& lane) {
        require(s.argument <= 1, "unknown part of a key directory");
        if (s.argument == 1) return set(lane.directory_nodes, s, number_bytes(r.nodes), r.nodes);
        require(s.records >= 2 && s.records <= (std::uint64_t{1} << 31) + 1 && std::has_single_bit(s.records - 1),
                "size of the key directory is no power of two");
        lane.directory_bits = static_cast<std::uint32_t>(std::bit_width(s.records - 1) - 1);
        set(lane.directory_starts, s, number_bytes(r.nodes), s.records);
    }

    void set(RecordArray& out, const SectionRecord& s, std::uint32_t record_bytes, std::uint64_t records) {
        require(out.base == nullptr, "a section occurs twice");
        require(s.record_bytes == record_bytes && s.records == records, "section does not fit its lane");
        require(s.pages == (records + RecordArray::records_per_page(record_bytes) - 1) /
                               RecordArray::records_per_page(record_bytes),
                "section has the wrong number of pages");
        out = array(PageKind::shard_data, s.first_page, record_bytes, records);
    }

    const std::uint8_t* pages_;
    std::uint32_t n_pages_;
    std::uint64_t incarnation_;
    std::uint64_t generation_;
    std::uint32_t at_page_ = 0;  // where the damage is, if there is some
    ShardHeader header_{};
    RecordArray lane_table_;
    RecordArray section_table_;
};

}  // namespace

bool open_shard(const std::uint8_t* pages, std::uint32_t n_pages, std::uint64_t incarnation, std::uint64_t generation,
                ShardView& out, ShardDamage& damage) {
    try {
        Opener(pages, n_pages, incarnation, generation).run(out);
        return true;
    } catch (const Damaged& d) {
        damage = d.damage;
        return false;
    }
}

}  // namespace nphd
