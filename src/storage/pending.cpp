// Lock order: meta page, then tail page, then new page. An insert that finds room takes the meta page's share lock and
// the tail's exclusive lock one after the other, never both; because the segment may have been frozen, or got a new
// tail, in between, it looks at the page again and starts over if so. Freezing (maintenance/fold.cpp) sets the tail's
// flag and moves the meta page on in one record under both locks, so an entry is either on a page of the segment before
// it was frozen, or in its successor.
//
// A crash: an append is one record, written in the critical section that changes the page. Linking a page (old tail,
// new page, meta page) is one record too; a file that was extended before that record has zeroed blocks past alloc_end,
// which the next link initialises.
//
// The file is never extended under a content lock: a promoted standby's file may be shorter than alloc_end by a whole
// shard, for the extension of the primary's was not logged.

#include "src/storage/pending.hpp"

#include "src/faults.hpp"
#include "src/storage/blocks.hpp"
#include "src/storage/page_record.hpp"

namespace nphd {

// Blocks are set aside in growing runs, so that a segment becomes few extents without blowing up small indexes.
static constexpr uint32 kMaxChunkBlocks = 64;

static uint32 page_end(Page page) { return reinterpret_cast<PageHeader>(page)->pd_lower; }

static uint32 size_of_entry(const IndexRow& row) { return PendingEntry::size_for(row.code.size(), row.filters.size()); }

static void append_entry(Page page, const IndexRow& row) {
    auto* header = page_data<PendingHeader>(page);
    char* at = page + page_end(page);
    PendingEntry entry;
    entry.row = PackedRowId::pack(row.id);
    entry.length = static_cast<uint16>(row.codeless ? PendingEntry::kCodeless : row.code.size());
    const Size filled = sizeof entry + row.filters.size() + row.code.size();
    memcpy(at, &entry, sizeof entry);
    if (!row.filters.empty()) memcpy(at + sizeof entry, row.filters.data(), row.filters.size());
    if (!row.code.empty()) memcpy(at + sizeof entry + row.filters.size(), row.code.data(), row.code.size());
    if (filled & 1) at[filled] = 0;
    header->entries++;
    reinterpret_cast<PageHeader>(page)->pd_lower += size_of_entry(row);
}

// On a page that has room, locked exclusively.
static void append_logged(Relation index, Buffer buffer, const IndexRow& row) {
    Page page = BufferGetPage(buffer);
    const PageRun changed[] = {
        {offsetof(PageHeaderData, pd_lower), sizeof(PageHeaderData::pd_lower)},
        {kPageDataOffset + offsetof(PendingHeader, entries), sizeof(PendingHeader::entries)},
        {static_cast<uint16>(page_end(page)), static_cast<uint16>(size_of_entry(row))},
    };
    START_CRIT_SECTION();
    append_entry(page, row);
    MarkBufferDirty(buffer);
    if (RelationNeedsWAL(index)) log_page_runs(buffer, changed);
    END_CRIT_SECTION();
}

// InvalidBlockNumber: there is none left.
static BlockNumber take_block(MetaPage* meta) {
    if (meta->chunk_next >= meta->chunk_end) {
        meta->chunk_next = meta->spare_next;
        meta->chunk_end = meta->spare_end;
        meta->spare_next = meta->spare_end;
    }
    if (meta->chunk_next >= meta->chunk_end) {
        const uint32 run = Min(Max(meta->segment_pages, 1u), kMaxChunkBlocks);
        if (run > MaxBlockNumber - meta->alloc_end) return InvalidBlockNumber;
        meta->chunk_next = meta->alloc_end;
        meta->chunk_end = meta->alloc_end + run;
        meta->alloc_end = meta->chunk_end;
    }
    return meta->chunk_next++;
}

// Appends on a new page, linked to the tail unless the segment is empty. False: nothing was done, because the tail has
// room again (another backend linked a page meanwhile), or the file had to be extended first.
static bool append_on_new_page(Relation index, const IndexRow& row) {
    MetaChange change;
    meta_change_begin(index, &change);
    MetaPage* meta = change.meta;

    Buffer tail = InvalidBuffer;
    if (meta->segment_tail != InvalidBlockNumber) {
        tail = ReadBuffer(index, meta->segment_tail);
        LockBuffer(tail, BUFFER_LOCK_EXCLUSIVE);
        check_page(index, tail, PageKind::pending, meta->incarnation, meta->segment_id, meta->segment_pages - 1);
        if (page_end(BufferGetPage(tail)) + size_of_entry(row) <= BLCKSZ) {
            UnlockReleaseBuffer(tail);
            meta_change_abort(&change);
            return false;
        }
    }

    const BlockNumber block = take_block(meta);
    if (block == InvalidBlockNumber)
        ereport(ERROR, (errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
                        errmsg("index \"%s\" is too large", RelationGetRelationName(index))));
    if (block >= RelationGetNumberOfBlocks(index)) {
        const BlockNumber end = Max(meta->chunk_end, block + 1);
        if (BufferIsValid(tail)) UnlockReleaseBuffer(tail);
        meta_change_abort(&change);
        NPHD_FAULT("insert.extend");
        blocks_extend(index, end, nullptr);
        return false;
    }
    NPHD_FAULT("insert.link");
    Buffer fresh = block_create(index, block, nullptr);
    Page page = meta_change_add(&change, fresh, true);
    init_page(page, PageKind::pending, meta->incarnation, meta->segment_id, meta->segment_pages, kPendingDataOffset);
    *page_data<PendingHeader>(page) = PendingHeader{InvalidBlockNumber, 0, 0, 0};
    append_entry(page, row);
    if (BufferIsValid(tail))
        page_data<PendingHeader>(meta_change_add(&change, tail, false))->next = block;
    else
        meta->segment_head = block;
    meta->segment_tail = block;
    meta->segment_pages++;
    meta_change_finish(&change);

    UnlockReleaseBuffer(fresh);
    if (BufferIsValid(tail)) UnlockReleaseBuffer(tail);
    NPHD_FAULT("insert.linked");
    return true;
}

enum class Append { done, no_room, moved };

static Append append_on_tail(Relation index, const MetaPage& meta, const IndexRow& row) {
    if (meta.segment_tail == InvalidBlockNumber) return Append::no_room;
    Buffer tail = ReadBuffer(index, meta.segment_tail);
    LockBuffer(tail, BUFFER_LOCK_EXCLUSIVE);
    const char* fault =
        page_fault(BufferGetPage(tail), PageKind::pending, meta.incarnation, meta.segment_id, meta.segment_pages - 1);
    if (fault != nullptr) {
        UnlockReleaseBuffer(tail);
        damage_unless_moved(index, meta, meta.segment_tail, fault);
        return Append::moved;
    }
    const auto* header = page_data<PendingHeader>(BufferGetPage(tail));
    Append result = Append::done;
    if (header->frozen || header->next != InvalidBlockNumber) {
        result = Append::moved;
    } else if (page_end(BufferGetPage(tail)) + size_of_entry(row) > BLCKSZ) {
        result = Append::no_room;
    } else {
        append_logged(index, tail, row);
    }
    UnlockReleaseBuffer(tail);
    NPHD_FAULT("insert.appended");
    return result;
}

uint32 pending_append(Relation index, const IndexRow& row) {
    BlockNumber moved_from = InvalidBlockNumber;
    NPHD_FAULT("insert.append");
    for (;;) {
        CHECK_FOR_INTERRUPTS();
        MetaPage meta;
        meta_read(index, &meta);
        if (meta.options.filters.record_bytes() != row.filters.size())
            report_damage(index, kMetaBlock, "a meta page with other filter columns than the index has");
        // A page stops being the tail in the very record that moves the meta page on.
        if (moved_from != InvalidBlockNumber && meta.segment_tail == moved_from)
            report_damage(index, moved_from, "a tail page that is no tail");
        const Append result = append_on_tail(index, meta, row);
        if (result == Append::done) return 0;
        if (result == Append::moved) moved_from = meta.segment_tail;
        if (result == Append::no_room && append_on_new_page(index, row)) return meta.segment_pages + 1;
    }
}

PendingReader pending_reader(Relation index, const MetaPage& meta, uint64 segment_id, BlockNumber head) {
    return {index, &meta, segment_id, head, InvalidBlockNumber, 0, 0, nullptr};
}

static const char* reader_fault(const PendingReader* reader, Buffer buffer, uint32 position) {
    return page_fault(BufferGetPage(buffer), PageKind::pending, reader->meta->incarnation, reader->segment_id,
                      position);
}

PageRead pending_next_page(PendingReader* reader, char* page) {
    if (reader->next == InvalidBlockNumber) return PageRead::end;
    CHECK_FOR_INTERRUPTS();
    reader->block = reader->next;
    if (reader->block >= reader->end) reader->end = RelationGetNumberOfBlocks(reader->index);
    if (reader->block >= reader->end) report_damage(reader->index, reader->block, "a pending page past the file's end");
    Buffer buffer = ReadBufferExtended(reader->index, MAIN_FORKNUM, reader->block, RBM_NORMAL, reader->strategy);
    LockBuffer(buffer, BUFFER_LOCK_SHARE);
    // Positions count up along the chain, so a chain bent into a ring is noticed at once.
    const char* fault = reader_fault(reader, buffer, reader->position);
    if (fault == nullptr) memcpy(page, BufferGetPage(buffer), page_end(BufferGetPage(buffer)));
    UnlockReleaseBuffer(buffer);
    if (fault != nullptr) {
        damage_unless_moved(reader->index, *reader->meta, reader->block, fault);
        return PageRead::moved;
    }
    const auto* header = page_data<PendingHeader>(page);
    // A meta page from the past (a lost write) would hide what was inserted since.
    if (header->frozen && reader->segment_id == reader->meta->segment_id)
        damage_unless_moved(reader->index, *reader->meta, reader->block, "a frozen page in the open segment");
    reader->next = header->next;
    reader->position++;
    return PageRead::page;
}

PendingEntry* pending_next_entry(Relation index, BlockNumber block, PendingCursor* cursor) {
    const uint32 end = page_end(cursor->page);
    if (cursor->offset >= end) {
        if (page_data<PendingHeader>(cursor->page)->entries != cursor->entries)
            report_damage(index, block, "a pending page with fewer entries than it says");
        return nullptr;
    }
    auto* entry = reinterpret_cast<PendingEntry*>(cursor->page + cursor->offset);
    const bool whole = cursor->offset + sizeof(PendingEntry) <= end;
    const uint32 size = whole ? PendingEntry::size_for(entry->code_bytes(), cursor->filter_bytes) : 0;
    if (!whole || entry->code_bytes() > kMaxCodeBytes || cursor->offset + size > end)
        report_damage(index, block, "a pending entry that leaves its page");
    if (entry->codeless() && entry->code_bytes() != 0)
        report_damage(index, block, "a pending entry with a code and without one");
    if (!valid_row_id(entry->row.unpack())) report_damage(index, block, "an impossible row id");
    cursor->offset += size;
    cursor->entries++;
    return entry;
}

IndexRow pending_row(const PendingCursor& cursor, const PendingEntry& entry) {
    return {
        entry.row.unpack(), entry.codeless(), entry.code(cursor.filter_bytes), {entry.filters(), cursor.filter_bytes}};
}

bool pending_mark_dead(const PendingReader* reader, IndexBulkDeleteCallback dead, void* state, uint64* marked,
                       uint64* live) {
    Buffer buffer = ReadBufferExtended(reader->index, MAIN_FORKNUM, reader->block, RBM_NORMAL, reader->strategy);
    LockBuffer(buffer, BUFFER_LOCK_EXCLUSIVE);
    const char* fault = reader_fault(reader, buffer, reader->position - 1);
    if (fault != nullptr) {
        UnlockReleaseBuffer(buffer);
        damage_unless_moved(reader->index, *reader->meta, reader->block, fault);
        return false;
    }
    GenericXLogState* record = GenericXLogStart(reader->index);
    PendingCursor cursor = pending_cursor(*reader, GenericXLogRegisterBuffer(record, buffer, 0));
    const uint64 marked_before = *marked;
    while (PendingEntry* entry = pending_next_entry(reader->index, reader->block, &cursor)) {
        if (entry->dead()) continue;
        const RowId row = entry->row.unpack();
        ItemPointerData tid;
        ItemPointerSet(&tid, row.block, row.offset);
        if (dead(&tid, state)) {
            entry->length |= PendingEntry::kDead;
            ++*marked;
        } else {
            ++*live;
        }
    }
    if (*marked > marked_before)
        GenericXLogFinish(record);
    else
        GenericXLogAbort(record);
    UnlockReleaseBuffer(buffer);
    return true;
}

}  // namespace nphd
