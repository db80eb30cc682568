// Which blocks of the file belong to what: extents of a manifest draft, and where new ones come from.
//
// The rule that makes reuse safe for readers, who hold no lock: blocks are overwritten only while the manifest *in
// force* calls them free or reserved. So what a draft turns from retired into free can be given away by a later draft
// only, once this one is in force. The same rule makes a crash harmless: what was written over is nobody's.
#pragma once

#include "src/storage/manifest.hpp"

namespace nphd {

/// Below this a file may grow without a look at what of it is in use.
inline constexpr uint64 kSmallFileBlocks = 256;

/// Takes `blocks` consecutive blocks for a new extent: of what the manifest that the draft was read from lists as free,
/// else at the high-water mark. Returns the first one. To be called before draft_reclaim.
BlockNumber draft_allocate(Relation index, ManifestDraft* draft, uint32 blocks, ExtentState state, ExtentKind kind,
                           uint64 generation);

/// The same, but InvalidBlockNumber instead of going to the high-water mark.
BlockNumber draft_allocate_free(ManifestDraft* draft, uint32 blocks, ExtentState state, ExtentKind kind,
                                uint64 generation);

/// Where to put a shard.
struct Placement {
    enum Where {
        anywhere,  // in one free extent if one is large enough, else in the largest ones, the rest at the high-water
                   // mark
        before,    // in free blocks before the limit only, lowest first
        at_end     // at the high-water mark
    } where;
    BlockNumber limit;
};
/// Reserves pieces for all pages of the shard under its generation.
void draft_place_shard(Relation index, ManifestDraft* draft, ShardEntry* shard, Placement placement);
/// Blocks in free extents, and in those of live shards.
uint64 free_blocks(const ManifestDraft* draft);
uint64 live_shard_blocks(const ManifestDraft* draft);
/// Whether that many blocks can be had before the limit.
bool draft_has_room(const ManifestDraft* draft, uint32 blocks, BlockNumber limit);

/// Drops everything from block `end` on.
void draft_cut(ManifestDraft* draft, BlockNumber end);

/// Takes up to `blocks` consecutive free blocks out of the extents altogether, for pending pages. False: none are free.
bool draft_take_free(ManifestDraft* draft, uint32 blocks, BlockNumber* first, BlockNumber* end);

void draft_add_extent(ManifestDraft* draft, BlockNumber first, uint32 blocks, ExtentState state, ExtentKind kind,
                      uint64 generation);
/// The extents of a shard are live from now on.
void draft_set_live(ManifestDraft* draft, uint64 generation);
/// Marks the extent that starts at `first`, or those of a shard, as retired by the current next xid; their contents
/// stay readable.
void draft_retire_extent(ManifestDraft* draft, BlockNumber first);
void draft_retire_shard(ManifestDraft* draft, uint64 generation);

/// What is reserved under another generation than `ours` was reserved by a run that did not end, for the caller holds
/// the maintenance lock. No manifest ever listed it as live, so nobody reads it. Returns whether there was any.
bool draft_free_orphans(ManifestDraft* draft, uint64 ours);

/// Frees blocks below the high-water mark that belong to nothing: a process died between taking them and publishing the
/// manifest that would have listed them. No segment of the draft is frozen; the draft was read with `meta`.
void draft_add_lost_blocks(Relation index, const MetaPage& meta, ManifestDraft* draft);

/// Frees the retired extents that no running transaction can still be reading, and joins neighbours. While more than
/// half of the file is not in use, or if `all` is wanted, those that were retired by earlier transactions are freed
/// too: their readers, if any, start over.
void draft_reclaim(const MetaPage& meta, ManifestDraft* draft, bool all);

/// Free and retired blocks.
uint64 unused_blocks(const ManifestDraft* draft);

/// Blocks that draft_reclaim would free.
uint64 reclaimable_blocks(const ManifestDraft* draft);

}  // namespace nphd
