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

/// The manifest that `meta` names, cached in the relation's rd_amcache by version. If that one's pages have another use
/// by now, the meta page is read again into `meta`. Valid until the next call or relcache invalidation: copy what must
/// live longer.
const Manifest* manifest_cached(Relation index, MetaPage* meta);

/// Whether the shard's pages still hold what they held when it was live: no block of it was overwritten before this
/// manifest came into force.
bool manifest_still_has(const Manifest* manifest, const ShardEntry& shard);

/// The same as manifest_cached, read anew into the current memory context. With the maintenance lock it can be edited
/// (src/storage/allocation.hpp for its extents) and published.
struct ManifestDraft {
    uint64 version;  // that it will have
    List* shards;    // of ShardEntry*
    List* segments;  // of SegmentEntry*
    List* extents;   // of ExtentEntry*
};
ManifestDraft manifest_draft(Relation index, MetaPage* meta);

/// Where a written manifest lies; names it to meta_install_manifest.
struct ManifestRoot {
    uint64 version;
    BlockNumber block;
    uint32 pages;
    uint32 bytes;
    uint32 crc;
};

/// Writes the draft as the successor of the version that `meta` names, from which it was read (its own extent, the
/// retirement of its predecessor's, and what can be reclaimed included). Nothing is in force yet. The caller holds the
/// maintenance lock.
ManifestRoot manifest_write(Relation index, const MetaPage& meta, ManifestDraft* draft, bool reclaim_all = false);

/// The same for a file that will be cut at *end, behind all that is live but the manifest in force: extents behind it
/// are dropped, and *end is raised if the new manifest finds no room in front of it. Nobody may be reading (see
/// maintenance/space.cpp).
ManifestRoot manifest_write_before(Relation index, const MetaPage& meta, ManifestDraft* draft, BlockNumber* end);

/// Puts a written manifest in force, as part of the caller's change of the meta page.
void meta_install_manifest(MetaChange* change, const ManifestRoot& root);
/// The same as a change of its own.
void manifest_install(Relation index, const ManifestRoot& root);

}  // namespace nphd
