// The sealed shard as bytes: every struct that a shard writes to disk. Little-endian, fixed width.
//
// A shard is a run of pages. Page 0 carries the ShardHeader. The lane table and the section table follow as ordinary
// paged record arrays, then the sections of each lane. A section is an array of fixed-size records laid over whole
// pages. New kinds of sections can be added without a change of format: readers skip kinds they do not know.
// Sealed pages never change; what is mutable (tombstones) lives outside, in pages that the database side owns.
#pragma once

#include <bit>

#include "engine/base/types.hpp"
#include "engine/shard/filter_record.hpp"

namespace nphd {

static_assert(std::endian::native == std::endian::little, "the shard format is little-endian");

inline constexpr std::uint32_t kShardMagic = 0x4453504E;  // "NPSD"

/// The format that is written, and the oldest one that is still read. One number counts for all of an index, the pages
/// around its shards included (src/storage/layout.hpp): every page bears the one that it was written in.
#ifdef NPHD_NEXT_FORMAT
inline constexpr std::uint16_t kShardFormat = 2;  // a control of test/faults: the same bytes by another name
#else
inline constexpr std::uint16_t kShardFormat = 1;
#endif
inline constexpr std::uint16_t kOldestFormat = 1;
static_assert(kOldestFormat <= kShardFormat);

constexpr bool readable_format(std::uint32_t format) noexcept {
    return format >= kOldestFormat && format <= kShardFormat;
}

/// Stands at byte 24 of every page of the index, right after PostgreSQL's page header, and says what the page is.
struct PageStamp {
    std::uint32_t magic;        // kShardMagic for pages of a shard
    std::uint16_t kind;         // PageKind
    std::uint16_t format;       // kShardFormat
    std::uint64_t incarnation;  // random id of the index
    std::uint64_t generation;   // of the extent that the page belongs to
    std::uint32_t position;     // page number inside its shard, or inside its run
    std::uint32_t reserved[3];
};
static_assert(sizeof(PageStamp) == 40);
inline constexpr std::size_t kPageStampOffset = 24;

enum class PageKind : std::uint16_t {
    meta = 1,
    manifest = 2,
    pending = 3,
    tombstones = 4,
    shard_header = 16,
    shard_lanes = 17,
    shard_sections = 18,
    shard_data = 19,
};

struct ShardHeader {
    std::uint32_t magic;
    std::uint16_t format;
    std::uint8_t metric;  // Metric
    std::uint8_t reserved0;
    std::uint32_t pages;  // of the whole shard, this one included
    std::uint32_t lanes;
    std::uint32_t sections;
    std::uint32_t lane_table_page;
    std::uint32_t section_table_page;
    std::uint32_t reserved1;
    std::uint64_t nodes;  // distinct codes
    std::uint64_t postings;
    std::uint64_t seed;
    FilterLayout filters;
    std::uint8_t reserved2[55];
};
static_assert(sizeof(ShardHeader) == 120);

inline constexpr std::uint32_t kMaxLevels = 8;
inline constexpr std::uint32_t kMaxDegree = 512;  // link slots per node

struct LaneRecord {
    std::uint32_t code_bytes;                 // length of every code of this lane, 0 .. kMaxCodeBytes
    std::uint32_t record_bytes;               // of a code: code_bytes rounded up to whole words, at least 8
    std::uint32_t nodes;                      // distinct codes, > 0
    std::uint32_t postings;                   // row ids, >= nodes
    std::uint64_t posting_base;               // number of the lane's first posting within the shard (tombstone bit)
    std::uint32_t degree;                     // link slots per node on level 0; 0: no graph, the lane is scanned
    std::uint32_t upper_degree;               // link slots per entry on upper levels
    std::uint32_t prefix_bytes;               // half of the links were chosen by this prefix; 0: none
    std::uint32_t levels;                     // upper levels, 0 .. kMaxLevels; the highest one is scanned for the entry
    std::uint32_t level_entries[kMaxLevels];  // [l - 1]: entries of upper level l
    std::uint32_t first_section;              // in the section table
    std::uint32_t sections;
    std::uint32_t calibration[16];  // effort -> recall curve of the lane (search/calibration.hpp); 0 while unknown
    std::uint32_t chunks;           // radius tables; 0: none
    std::uint32_t chunk_bits;       // width of a chunk, 1 .. kMaxChunkBits
    std::uint32_t codeless;         // 1: the rows that have no code (NULL), under one node; the shard's last lane
    std::uint32_t reserved[5];
};
static_assert(sizeof(LaneRecord) == 176);

enum class SectionKind : std::uint16_t {
    codes = 1,            // `nodes` records of record_bytes, zero-padded
    links = 2,            // argument 0: `nodes` records of degree node ids, ended by kNoNode or full; argument l > 0:
                          // level_entries[l-1] records of upper_degree entry numbers of that level, ended likewise;
                          // number_bytes(records) each, and of kNoNode as many
    level_entries = 3,    // argument l > 0: UpperEntry for each entry of level l
    posting_offsets = 4,  // nodes + 1 numbers: postings of node i are [offset i, offset i + 1); number_bytes(postings)
    postings = 5,         // `postings` PackedRowId
    // Look-up of a code by its hash, hash_record() of its record; both or neither.
    key_directory = 16,  // argument 0: 2^b + 1 numbers: nodes whose hash has the upper b bits i are those at
                         // [start i, start i + 1) of argument 1: `nodes` ids; number_bytes(nodes) each
    bloom_filter = 17,   // 32-byte blocks (shard/bloom_filter.hpp)
    // Look-up of all codes within a radius (search/lane_probe.hpp); both or neither. A chunk is a run of chunk_bits
    // bits of the code, chunk c from bit c * chunk_bits on, bits counted from the lowest one of byte 0.
    radius_starts = 18,  // chunks * (2^chunk_bits + 1) numbers: of chunk c, nodes with the value v are those at
                         // [start v, start v + 1), counted from c * nodes, of
    radius_nodes = 19,   // chunks * nodes ids, ascending within a value; number_bytes(nodes) each, as the starts
    // The filter columns of ShardHeader::filters; argument: the column.
    filter_column = 20,  // `postings` values of the column's width, 0 where NULL
    prefix_plane = 21,   // reserved
    filter_nulls = 22,   // u64 words: bit p % 64 of word p / 64 set: posting p is NULL. None: no posting is
    // Look-up of postings by a column's value; all of the column or none.
    value_order = 23,   // postings that are not NULL, ascending by value, then by number; number_bytes(postings) each
    value_fences = 24,  // the value at each kFenceStride-th place of the order, from place 0 on
    value_bloom = 25,   // 32-byte blocks (shard/bloom_filter.hpp) of hash_filter_value()
    // Where a lane has one of these and more postings than nodes: the node of each posting, number_bytes(nodes) each.
    posting_nodes = 26,
};

/// Places of a value order between two fences.
inline constexpr std::uint32_t kFenceStride = 64;
constexpr std::uint32_t fences_of(std::uint32_t places) noexcept {
    return places / kFenceStride + (places % kFenceStride != 0 ? 1 : 0);
}

/// Widest chunk of a radius table.
inline constexpr std::uint32_t kMaxChunkBits = 20;

/// Bytes of each number in a section of many, none of which is greater than `most`. Of three, all ones are left for
/// kNoNode where all numbers are below `most`.
constexpr std::uint32_t number_bytes(std::uint32_t most) noexcept { return most < 1u << 24 ? 3 : 4; }

struct SectionRecord {
    std::uint16_t kind;      // SectionKind
    std::uint16_t argument;  // level, chunk or column
    std::uint32_t record_bytes;
    std::uint64_t records;
    std::uint32_t first_page;
    std::uint32_t pages;
    std::uint64_t reserved;
};
static_assert(sizeof(SectionRecord) == 32);

struct UpperEntry {
    std::uint32_t node;   // level-0 node, for its code
    std::uint32_t below;  // entry number on the level below; on level 1 the same as node
};
static_assert(sizeof(UpperEntry) == 8);

/// A row id as PostgreSQL's ItemPointerData lays it out.
struct PackedRowId {
    std::uint16_t block_high;
    std::uint16_t block_low;
    std::uint16_t offset;

    static PackedRowId pack(RowId r) noexcept {
        return {static_cast<std::uint16_t>(r.block >> 16), static_cast<std::uint16_t>(r.block), r.offset};
    }
    RowId unpack() const noexcept { return {static_cast<std::uint32_t>(block_high) << 16 | block_low, offset}; }
};
static_assert(sizeof(PackedRowId) == 6);

}  // namespace nphd
