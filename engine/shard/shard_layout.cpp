#include "engine/shard/shard_layout.hpp"

#include <algorithm>
#include <cstring>
#include <stdexcept>

#include "engine/shard/bloom_filter.hpp"

namespace nphd {

ShardLayout::ShardLayout(std::vector<LaneData> lanes, Metric metric, const FilterLayout& filters, std::uint64_t seed)
    : lanes_(std::move(lanes)) {
    header_.magic = kShardMagic;
    header_.format = kShardFormat;
    header_.metric = static_cast<std::uint8_t>(metric);
    header_.seed = seed;
    header_.filters = filters;

    std::size_t sections = 0;
    for (const LaneData& lane : lanes_) sections += lane.sections();
    // The tables stand before what they describe, so their place must be known first; they are filled afterwards.
    lane_table_.reserve(lanes_.size());
    section_table_.reserve(sections);
    add_run(PageKind::shard_header, sizeof header_, 1, &header_);
    header_.lane_table_page =
        add_run(PageKind::shard_lanes, sizeof(LaneRecord), lanes_.size(), lane_table_.data()).first_page;
    header_.section_table_page =
        add_run(PageKind::shard_sections, sizeof(SectionRecord), sections, section_table_.data()).first_page;
    for (LaneData& lane : lanes_) {
        lane.record.posting_base = header_.postings;
        if (lane.record.codeless == 0) header_.nodes += lane.record.nodes;
        header_.postings += lane.record.postings;
        add_lane_sections(lane);
        lane_table_.push_back(lane.record);
    }
    header_.lanes = static_cast<std::uint32_t>(lane_table_.size());
    header_.sections = static_cast<std::uint32_t>(section_table_.size());
    header_.pages = runs_.back().first_page + runs_.back().pages;
}

void ShardLayout::add_lane_sections(LaneData& lane) {
    const LaneRecord& r = lane.record;
    const auto first_section = static_cast<std::uint32_t>(section_table_.size());
    add_section(SectionKind::codes, 0, r.record_bytes, r.nodes, lane.codes.data());
    if (r.degree != 0) {
        add_section(SectionKind::links, 0, r.degree * lane.links.number_bytes(), r.nodes, lane.links.data());
        for (std::size_t i = 0; i < lane.levels.size(); ++i) {
            const auto& level = lane.levels[i];
            const auto l = static_cast<std::uint32_t>(i + 1);
            add_section(SectionKind::level_entries, l, sizeof(UpperEntry), level.entries.size(), level.entries.data());
            add_section(SectionKind::links, l, r.upper_degree * level.links.number_bytes(), level.entries.size(),
                        level.links.data());
        }
    }
    add_numbers(SectionKind::posting_offsets, 0, lane.posting_offsets);
    add_section(SectionKind::postings, 0, sizeof(PackedRowId), r.postings, lane.row_ids.data());
    add_lookup_sections(lane);
    add_filter_sections(lane);
    lane.record.first_section = first_section;
    lane.record.sections = static_cast<std::uint32_t>(section_table_.size()) - first_section;
}

void ShardLayout::add_lookup_sections(const LaneData& lane) {
    const KeyDirectory& d = lane.directory;
    if (d.starts.size() != 0) {
        add_section(SectionKind::bloom_filter, 0, kBloomBlockBytes, d.bloom_blocks, d.bloom.data());
        add_numbers(SectionKind::key_directory, 0, d.starts);
        add_numbers(SectionKind::key_directory, 1, d.nodes);
    }
    const RadiusTables& t = lane.radius;
    if (t.shape.chunks != 0) {
        add_numbers(SectionKind::radius_starts, 0, t.starts);
        add_numbers(SectionKind::radius_nodes, 0, t.nodes);
    }
}

void ShardLayout::add_filter_sections(const LaneData& lane) {
    const std::uint32_t postings = lane.record.postings;
    for (std::uint32_t c = 0; c < lane.filters.size(); ++c) {
        const LaneData::FilterColumn& column = lane.filters[c];
        const ValueOrder& order = column.order;
        add_section(SectionKind::filter_column, c, header_.filters.width[c], postings, column.values.data());
        if (column.nulls.size() != 0)
            add_section(SectionKind::filter_nulls, c, sizeof(std::uint64_t), column.nulls.size(), column.nulls.data());
        if (order.bloom.size() == 0) continue;
        add_section(SectionKind::value_bloom, c, kBloomBlockBytes, order.bloom_blocks, order.bloom.data());
        add_section(SectionKind::value_fences, c, header_.filters.width[c], fences_of(order.places),
                    order.fences.data());
        add_numbers(SectionKind::value_order, c, order.postings);
    }
    if (lane.posting_nodes.size() != 0) add_numbers(SectionKind::posting_nodes, 0, lane.posting_nodes);
}

void ShardLayout::add_numbers(SectionKind kind, std::uint32_t argument, const PackedNumbers& numbers) {
    add_section(kind, argument, numbers.number_bytes(), numbers.size(), numbers.data());
}

void ShardLayout::add_section(SectionKind kind, std::uint32_t argument, std::uint32_t record_bytes,
                              std::uint64_t records, const void* data) {
    const Run& run = add_run(PageKind::shard_data, record_bytes, records, data);
    section_table_.push_back({static_cast<std::uint16_t>(kind), static_cast<std::uint16_t>(argument), record_bytes,
                              records, run.first_page, run.pages, 0});
}

ShardLayout::Run& ShardLayout::add_run(PageKind kind, std::uint32_t record_bytes, std::uint64_t records,
                                       const void* data) {
    const std::uint64_t per_page = RecordArray::records_per_page(record_bytes);
    const std::uint64_t pages = (records + per_page - 1) / per_page;
    const std::uint64_t first = runs_.empty() ? 0 : std::uint64_t{runs_.back().first_page} + runs_.back().pages;
    // The last block number is PostgreSQL's InvalidBlockNumber.
    if (pages >= kNoNode || first + pages >= kNoNode) throw std::length_error("a shard cannot have that many pages");
    runs_.push_back(
        {kind, static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(pages), record_bytes, records, data});
    return runs_.back();
}

void ShardLayout::fill_page(std::uint32_t page, std::uint64_t incarnation, std::uint64_t generation,
                            std::uint8_t* out) const noexcept {
    // The run that holds the page: the last one that starts at or before it (empty runs take no page).
    auto run = std::upper_bound(runs_.begin(), runs_.end(), page,
                                [](std::uint32_t p, const Run& r) { return p < r.first_page; });
    --run;
    const std::uint64_t per_page = RecordArray::records_per_page(run->record_bytes);
    const std::uint64_t first = (page - run->first_page) * per_page;
    const std::uint64_t n = first < run->records ? std::min(per_page, run->records - first) : 0;
    const std::size_t bytes = static_cast<std::size_t>(n) * run->record_bytes;

    const PageStamp stamp{
        kShardMagic, static_cast<std::uint16_t>(run->kind), kShardFormat, incarnation, generation, page, {}};
    std::memcpy(out + kPageStampOffset, &stamp, sizeof stamp);
    if (bytes != 0)
        std::memcpy(out + kPageDataOffset, static_cast<const std::byte*>(run->data) + first * run->record_bytes, bytes);
    std::memset(out + kPageDataOffset + bytes, 0, kPageDataBytes - bytes);
}

}  // namespace nphd
