// The mutable part of the index as bytes: meta page, manifest, pending pages, tombstone pages. (Sealed shards:
// engine/shard/format.hpp.) Every page starts with PostgreSQL's header and our PageStamp, data begins at
// kPageDataOffset, and pd_lower covers all data, since Generic WAL zeroes the hole behind it.
//
// Who locks what, and why a crash at any line is harmless, is told in docs/architecture.md, "Protocols".
#pragma once

#include "src/pg.hpp"

#include "engine/distance/distance.hpp"
#include "engine/shard/format.hpp"

namespace nphd {

static_assert(kPageBytes == BLCKSZ, "nphd needs PostgreSQL's usual block size of 8192 bytes");

inline constexpr uint32 kMetaMagic = 0x4D50504E;  // "NPPM"
inline constexpr BlockNumber kMetaBlock = 0;

/// Which files an extent's bytes were sealed in: a copied relation (CREATE DATABASE, SET TABLESPACE) has another
/// locator.
struct Locator {
    Oid tablespace;
    Oid database;
    uint32 relation;
    friend bool operator==(const Locator&, const Locator&) = default;
};
static_assert(sizeof(Locator) == 12);

/// Build options, frozen when the index is built.
struct IndexOptions {
    uint32 metric;  // Metric
    uint32 m;
    uint32 ef_construction;
    uint32 prefix_bytes;   // 0: no prefix edges
    uint32 radius_bits;    // leading bits of a code that radius tables cover; 0: no radius tables
    FilterLayout filters;  // the further key columns
    uint8 sort_by_filter;
    uint8 reserved[2];
};
static_assert(sizeof(IndexOptions) == 32);

/// Block 0. Changed under its exclusive buffer lock only, each change one WAL record. In every format it begins with
/// what stands before `reserved0`, and its checksum covers what lies before pd_lower, so that any module can tell an
/// index of another format from a damaged one.
struct MetaPage {
    uint32 magic;
    uint32 format_version;  // kShardFormat of the newest module that changed the index: no page is of a later format
    uint64 incarnation;     // random id of the index, stamped on every page
    uint32 crc;  // CRC-32C of all this with crc = 0: a damaged alloc_end would make the file grow without end
    uint32 reserved0;
    IndexOptions options;

    // The manifest in force; no blocks: an empty index.
    uint64 manifest_version;
    BlockNumber manifest_block;  // InvalidBlockNumber: none
    uint32 manifest_pages;
    uint32 manifest_bytes;
    uint32 manifest_crc;

    // The open pending segment.
    uint64 segment_id;
    BlockNumber segment_head;  // InvalidBlockNumber: nothing inserted yet
    BlockNumber segment_tail;
    uint32 segment_pages;
    BlockNumber chunk_next;  // blocks set aside for pending pages: [chunk_next, chunk_end)
    BlockNumber chunk_end;
    BlockNumber spare_next;  // further ones, from reused space, for when the chunk is used up
    BlockNumber spare_end;

    // Blocks at and past alloc_end are free, whatever the length of the file.
    BlockNumber alloc_end;
    uint64 next_generation;

    uint64 tombstone_epoch;  // moves whenever a tombstone or a dead mark was set
    uint64 reserved[21];
};
static_assert(sizeof(MetaPage) == 304);
inline constexpr uint32 kMetaPageEnd = kPageDataOffset + sizeof(MetaPage);

/// A manifest is this header, then `shards` ShardEntry, `segments` SegmentEntry, `extents` ExtentEntry, laid over whole
/// pages.
struct ManifestHeader {
    uint64 incarnation;
    uint64 version;
    uint32 shards;
    uint32 segments;
    uint32 extents;
    uint32 reserved;
};
static_assert(sizeof(ManifestHeader) == 32);

/// A run of consecutive blocks.
struct Piece {
    BlockNumber first;
    uint32 blocks;
};
static_assert(sizeof(Piece) == 8);

/// A shard lies in a few pieces, each an extent, so that space is used again although it is scattered. Page p of the
/// shard is the p-th block of them; first come the sealed pages, then the tombstone pages.
struct ShardEntry {
    static constexpr uint32 kMaxPieces = 8;

    uint64 generation;  // of its extents; never given twice, so it names the shard
    uint32 pages;       // sealed ones
    uint32 tombstone_pages;
    Piece pieces[kMaxPieces];  // 0 blocks: none
    uint64 nodes;
    uint64 postings;
    uint64 seal_lsn;  // end of the last page image; 0: not WAL-logged
    Locator sealed_in;
    uint32 lanes;
    uint64 reserved[4];

    uint32 all_pages() const { return pages + tombstone_pages; }
    /// The run of consecutive blocks that begins with page `page`, which is below all_pages().
    Piece run_from(uint32 page) const {
        uint32 i = 0;
        for (; i + 1 < kMaxPieces && page >= pieces[i].blocks; ++i) page -= pieces[i].blocks;
        return {pieces[i].first + page, pieces[i].blocks - page};
    }
    BlockNumber block(uint32 page) const { return run_from(page).first; }
    BlockNumber tombstone_block(uint32 page) const { return block(pages + page); }
};
static_assert(sizeof(ShardEntry) == 152);

/// A frozen pending segment: nobody appends to it any more.
struct SegmentEntry {
    uint64 id;
    BlockNumber head;
    uint32 reserved;
};
static_assert(sizeof(SegmentEntry) == 16);

/// free: nobody's; its blocks may be given away. reserved: being written. live: in use. retired: no longer in use, but
/// readers that came before may still be reading it. Blocks are overwritten only while the manifest in force calls them
/// free or reserved, so a reader that still finds its extents live or retired read nothing foreign
/// (docs/architecture.md, "Reuse of space").
enum class ExtentState : uint16 { free = 1, reserved = 2, live = 3, retired = 4 };
enum class ExtentKind : uint16 { none = 0, manifest = 1, pending = 2, shard = 3 };

struct ExtentEntry {
    BlockNumber first;
    uint32 blocks;
    uint16 state;           // ExtentState
    uint16 kind;            // ExtentKind
    uint32 retire_version;  // low half of the version of the manifest that retired it
    uint64 generation;
    uint64 retire_xid;  // FullTransactionId, 0 unless retired
};
static_assert(sizeof(ExtentEntry) == 32);

/// Header of a pending page, at kPageDataOffset; entries follow until pd_lower.
struct PendingHeader {
    BlockNumber next;  // InvalidBlockNumber: the segment's tail
    uint32 frozen;     // 1: the segment takes no more entries
    uint32 entries;
    uint32 reserved;
};
static_assert(sizeof(PendingHeader) == 16);
inline constexpr uint32 kPendingDataOffset = kPageDataOffset + sizeof(PendingHeader);

/// One inserted row, followed by the record of its filter values (IndexOptions::filters), then the code's bytes, padded
/// to an even length.
struct PendingEntry {
    PackedRowId row;
    uint16 length;  // of the code in bytes, and flags

    static constexpr uint16 kDead = 0x8000;      // VACUUM removed the row
    static constexpr uint16 kCodeless = 0x4000;  // the code is NULL
    uint32 code_bytes() const { return length & ~(kDead | kCodeless); }
    bool dead() const { return (length & kDead) != 0; }
    bool codeless() const { return (length & kCodeless) != 0; }
    const std::byte* filters() const { return reinterpret_cast<const std::byte*>(this + 1); }
    CodeBytes code(uint32 filter_bytes) const {
        return {reinterpret_cast<const uint8*>(this + 1) + filter_bytes, code_bytes()};
    }
    static uint32 size_for(Size code_bytes, Size filter_bytes) {
        return static_cast<uint32>(sizeof(PendingEntry) + ((filter_bytes + code_bytes + 1) & ~Size{1}));
    }
};
static_assert(sizeof(PendingEntry) == 8);
static_assert(kMaxCodeBytes < PendingEntry::kCodeless);

/// The longest code that an index with such filter columns can hold: an entry fits into a page.
constexpr uint32 max_code_bytes(const FilterLayout& filters) {
    return Min(kMaxCodeBytes,
               BLCKSZ - kPendingDataOffset - static_cast<uint32>(sizeof(PendingEntry)) - filters.record_bytes());
}

/// Tombstone pages hold bits from kPageDataOffset to the page's end, lowest bit first: bit p is posting p of the shard.
inline constexpr uint32 kTombstonesPerPage = kPageDataBytes * 8;

inline PageStamp* page_stamp(Page page) { return reinterpret_cast<PageStamp*>(page + kPageStampOffset); }
template <class T>
T* page_data(Page page) {
    return reinterpret_cast<T*>(page + kPageDataOffset);
}

/// An empty page of ours whose data area up to `data_end` (an offset within the page) counts as used.
void init_page(Page page, PageKind kind, uint64 incarnation, uint64 generation, uint32 position, uint32 data_end);

/// What is wrong with the page, or null if it carries our stamp with this kind, incarnation, generation and position.
/// Its header is looked at too: Generic WAL zeroes what lies between pd_lower and pd_upper.
inline constexpr uint32 kAnyPosition = PG_UINT32_MAX;
const char* page_fault(Page page, PageKind kind, uint64 incarnation, uint64 generation, uint32 position);

/// ERROR XX002 if something is: for pages that nobody can have given another use meanwhile.
void check_page(Relation index, Buffer buffer, PageKind kind, uint64 incarnation, uint64 generation, uint32 position);

/// Whether the table could have such a row. A row id out of a damaged page must not reach the table: block
/// InvalidBlockNumber would extend it.
inline bool valid_row_id(RowId row) {
    return row.block != InvalidBlockNumber && row.offset >= FirstOffsetNumber && row.offset <= MaxOffsetNumber;
}

/// ERROR XX002 that names the index and the block, with the hint to REINDEX.
[[noreturn]] void report_damage(Relation index, BlockNumber block, const char* what);

/// ERROR 0A000: a format that this module cannot read.
[[noreturn]] void report_format(Relation index, uint32 format);

Locator locator_of(Relation rel);

}  // namespace nphd
