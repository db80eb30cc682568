// The pending area: chains of pages that take inserts until a fold makes a shard of them.
#pragma once

#include "src/storage/index_row.hpp"
#include "src/storage/meta.hpp"

namespace nphd {

/// Appends one row to the open segment, WAL-logged. The code has at most max_code_bytes(). Returns the segment's pages
/// if a new one had to be linked, else 0.
uint32 pending_append(Relation index, const IndexRow& row);

/// Reads a segment page by page: each call copies one page into `page` (BLCKSZ bytes, aligned) and steps to the next.
/// Pages stay as they are but for dead marks and, in the open segment, further entries.
struct PendingReader {
    Relation index;
    const MetaPage* meta;  // must live as long as the reader
    uint64 segment_id;
    BlockNumber next;   // InvalidBlockNumber: at the end
    BlockNumber block;  // of the page last read
    BlockNumber end;    // of the file, as far as known
    uint32 position;    // of the next page in its segment: bounds the walk
    BufferAccessStrategy strategy;
};
PendingReader pending_reader(Relation index, const MetaPage& meta, uint64 segment_id, BlockNumber head);
enum class PageRead {
    page,
    end,
    moved  // the segment became a shard and its pages got another use: start over with a new copy of the meta page
};
[[nodiscard]] PageRead pending_next_page(PendingReader* reader, char* page);

/// Walks the entries of a page copy. Each entry was checked to lie inside the page.
struct PendingCursor {
    char* page;
    uint32 offset;
    uint32 entries;       // passed so far
    uint32 filter_bytes;  // of each
};
inline PendingCursor pending_cursor(const PendingReader& reader, char* page) {
    return {page, kPendingDataOffset, 0, reader.meta->options.filters.record_bytes()};
}
PendingEntry* pending_next_entry(Relation index, BlockNumber block, PendingCursor* cursor);
/// What the entry that the cursor passed last says.
IndexRow pending_row(const PendingCursor& cursor, const PendingEntry& entry);

/// Calls `dead` for every row id on the page at reader->block that carries no dead mark yet and marks those it says are
/// dead, in one WAL record. *marked is raised by their number, *live by that of the entries left. False: the page has
/// another use by now.
[[nodiscard]] bool pending_mark_dead(const PendingReader* reader, IndexBulkDeleteCallback dead, void* state,
                                     uint64* marked, uint64* live);

}  // namespace nphd
