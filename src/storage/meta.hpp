// The meta page: the one place that says what the index consists of. Also hands out blocks.
#pragma once

#include "src/storage/layout.hpp"

namespace nphd {

/// Writes the meta page of an empty index into block 0 of the (empty) fork. Init forks are always WAL-logged.
void meta_create(Relation index, ForkNumber fork, const IndexOptions& options);

/// A copy of the meta page, taken under its share lock. ERROR when the page is not ours (XX002) or of a format that
/// cannot be read (0A000), or when `snapshot` is given and too old for what VACUUM did to the index
/// (old_snapshot_threshold).
void meta_read(Relation index, MetaPage* out, Snapshot snapshot = nullptr);

/// MetaPage::format_version, which may be one that cannot be read. ERROR XX002 when the page is not ours.
uint32 meta_format(Relation index);

/// The version of the manifest in force. `recent` (InvalidBuffer at first) remembers where block 0 was found.
uint64 meta_manifest_version(Relation index, Buffer* recent);

/// For a reader that found, where `meta` led it, something else than it expected. Returns if another manifest is in
/// force by now: then the pages may have been given another use, and the reader starts over with a new copy of the meta
/// page. Otherwise it is damage: ERROR XX002. No buffer may be locked.
void damage_unless_moved(Relation index, const MetaPage& meta, BlockNumber block, const char* what);

/// A change of the meta page, together with up to three other pages, as one WAL record:
/// begin() locks block 0 exclusively, add() registers further pages (locked exclusively by the caller, after the meta
/// page), finish() writes the record; the caller releases the pages that it added. Plain data: safe under ereport.
struct MetaChange {
    Relation index;
    Buffer buffer;
    GenericXLogState* record;
    MetaPage* meta;  // the copy to change
};
void meta_change_begin(Relation index, MetaChange* change);
Page meta_change_add(MetaChange* change, Buffer buffer, bool new_page);
void meta_change_finish(MetaChange* change);
/// Gives up: nothing is changed, block 0 is released.
void meta_change_abort(MetaChange* change);

/// Reserves `blocks` consecutive blocks at the high-water mark in a record of its own. Until the caller's manifest
/// names them nobody owns them; after a crash they lie below alloc_end unowned until the next fold finds them.
/// InvalidBlockNumber, and nothing done, if the mark is not at `expected` (which may be InvalidBlockNumber: anywhere).
BlockNumber meta_reserve_blocks(Relation index, uint32 blocks, BlockNumber expected);

/// A generation for new extents: a number never given before in this index.
uint64 meta_next_generation(Relation index);

}  // namespace nphd
