// Sealed shards as this backend sees them: mapped from the relation's files, or copied through the buffer manager. Kept
// across scans.
#pragma once

#include "src/storage/manifest.hpp"

#include "engine/search/dead_nodes.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd {

/// In what order pages of a shard are read: on and on, or here and there, as a search follows links.
enum class ReadPattern { on_and_on, jumps };

struct CachedShard {
    // What it is.
    Oid index_oid;
    Locator locator;
    uint64 incarnation;  // a truncation in place keeps oid and locator
    uint64 generation;
    bool mapped;
    // Where it is.
    MemoryContext context;  // owns this struct and, through a callback, mapping and view
    uint8* pages;
    Size bytes;
    ShardView* view;
    ReadPattern pattern;
    bool out_of_core;  // mapped, read in jumps, and the index is larger than effective_cache_size
    // Which postings are dead.
    uint8* tombstones;  // tombstone_pages * kPageDataBytes bytes
    uint64 tombstone_epoch;
    uint64 dead;
    // The same by node, once enough searches asked for it: what costs one of them a pass over the shard pays for many.
    uint8* dead_nodes;     // null or, for each lane, dead_nodes_bytes()
    uint64 dead_in_nodes;  // postings that were dead when it was made; bits only ever get set
    uint64 searches_without;
    // Who uses it.
    int users;
    bool stale;  // the relation's cache entry was invalidated, or the manifest no longer lists it
    CachedShard* next;
};

/// The shard, opened if need be and pinned until CurrentMemoryContext is reset or deleted, by an error too. Its
/// tombstones are at least as new as `meta`. The caller holds a lock on the index until after the release. ERROR XX002
/// when the pages are not what the manifest says; null when they have another use by now (see damage_unless_moved).
///
/// What is read of a *mapped* shard may be foreign from one moment to the next, once the shard is retired: it counts
/// only if, after reading, manifest_still_has() it. Those who hold the maintenance lock need not look.
///
/// `pattern` is a word to the kernel about what comes, until somebody in this backend says otherwise.
CachedShard* shard_acquire(Relation index, const MetaPage& meta, const ShardEntry& entry, ReadPattern pattern);

/// Closes what this backend keeps of the index and nobody uses, except the shards that `manifest` lists.
void shard_cache_sweep(Relation index, const Manifest* manifest);

void shard_cache_init();

inline bool posting_dead(const CachedShard* shard, uint64 posting) {
    return shard->dead > 0 && (shard->tombstones[posting >> 3] >> (posting & 7) & 1);
}

/// The lanes' tombstones for the engine: empty when there are none.
inline std::span<const std::uint8_t> tombstones_of(const CachedShard* shard, const ShardEntry& entry) {
    if (shard->dead == 0) return {};
    return {shard->tombstones, entry.tombstone_pages * kPageDataBytes};
}

/// To be called once for each search of the shard's graphs: makes the bitmaps of dead nodes when it is time.
void dead_nodes_prepare(CachedShard* shard, const ShardEntry& entry);

/// The bitmap of the lane, `base` being the bytes of those before it, for the engine: empty when it is not known.
inline std::span<const std::uint8_t> dead_nodes_of(const CachedShard* shard, const LaneView& lane, Size base) {
    if (shard->dead_nodes == nullptr || shard->dead_in_nodes != shard->dead) return {};
    return {shard->dead_nodes + base, dead_nodes_bytes(lane)};
}

}  // namespace nphd
