// The manifest: the immutable, versioned list of what the index consists of. A new version is written to fresh pages
// and comes into force by one change of the meta page.
#pragma once

#include "src/storage/meta.hpp"

namespace nphd {

/// In memory: one palloc'd block, so that it can live in a relation's rd_amcache.
struct Manifest {
    ManifestHeader header;

    ShardEntry* shards() { return reinterpret_cast<ShardEntry*>(this + 1); }
    SegmentEntry* segments() { return reinterpret_cast<SegmentEntry*>(shards() + header.shards); }
    ExtentEntry* extents() { return reinterpret_cast<ExtentEntry*>(segments() + header.segments); }
    const ShardEntry* shards() const { return const_cast<Manifest*>(this)->shards(); }
    const SegmentEntry* segments() const { return const_cast<Manifest*>(this)->segments(); }
    const ExtentEntry* extents() const { return const_cast<Manifest*>(this)->extents(); }
    Size bytes() const {
        return sizeof(Manifest) + header.shards * sizeof(ShardEntry) + header.segments * sizeof(SegmentEntry) +
               header.extents * sizeof(ExtentEntry);
    }
};
static_assert(sizeof(Manifest) == sizeof(ManifestHeader));

/// The manifest that `meta` names, cached in the relation's rd_amcache by version. Valid until the next call or
/// relcache invalidation: copy what must live longer.
const Manifest* manifest_cached(Relation index, const MetaPage& meta);

/// The same, read anew into the current memory context, to be edited and published.
struct ManifestDraft {
    uint64 version;
    List* shards;    // of ShardEntry*
    List* segments;  // of SegmentEntry*
    List* extents;   // of ExtentEntry*
};
ManifestDraft manifest_draft(Relation index, const MetaPage& meta);

void draft_add_extent(ManifestDraft* draft, BlockNumber first, uint32 blocks, ExtentState state, ExtentKind kind,
                      uint64 generation);
/// Marks the extent that starts at `first` as retired by the current next xid; its contents stay readable.
void draft_retire_extent(ManifestDraft* draft, BlockNumber first);

/// Where a written manifest lies; names it to meta_install_manifest.
struct ManifestRoot {
    uint64 version;
    BlockNumber block;
    uint32 pages;
    uint32 bytes;
    uint32 crc;
};

/// Writes the draft as the successor of the version it was read from (its own extent and the retirement of its
/// predecessor's included). Nothing is in force yet. The caller holds the maintenance lock.
ManifestRoot manifest_write(Relation index, const MetaPage& meta, ManifestDraft* draft);

/// Puts a written manifest in force, as part of the caller's change of the meta page.
void meta_install_manifest(MetaChange* change, const ManifestRoot& root);

}  // namespace nphd
