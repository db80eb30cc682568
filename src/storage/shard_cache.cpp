// A mapped page is certainly what redo or a sealing backend wrote only once it was handed to the kernel. Sealing
// flushes before it publishes, but other ways bring pages into the buffer pool alone: redo on a standby, and copies of
// the relation. So before a backend maps a shard for the first time it flushes the shard's dirty blocks, unless a
// completed checkpoint proves that there are none: the relation is permanent, the shard was sealed in these very files
// (a copy takes the seal LSN along, but not the flush), and the seal LSN is not past the redo pointer of the last
// *completed* checkpoint or restartpoint. (The redo pointer of GetRedoRecPtr() moves when one begins.)
//
// A mapping is only used under a lock on the index held since the relation's locator was compared, so the files cannot
// be cut or removed under it.

#include "src/storage/shard_cache.hpp"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "src/faults.hpp"
#include "src/guard.hpp"
#include "src/settings.hpp"
#include "src/storage/blocks.hpp"
#include "src/storage/sigbus_guard.hpp"
#include "src/storage/tombstones.hpp"

namespace nphd {

static CachedShard* cache = nullptr;

static void close_shard(void* arg) {
    auto* shard = static_cast<CachedShard*>(arg);
    delete shard->view;
    if (shard->mapped && shard->pages != nullptr) munmap(shard->pages, shard->bytes);
}

static bool use_mapping(Relation index) {
    // Mappings begin at multiples of the system's page.
    static const bool pages_fit = sysconf(_SC_PAGESIZE) <= BLCKSZ;
    return settings.shard_access == ShardAccess::mapped && pages_fit && !RelationUsesLocalBuffers(index) &&
           !direct_io_in_use();
}

static bool flushed_by_checkpoint(Relation index, const ShardEntry& entry) {
    if (NPHD_BROKEN("flush-before-mapping")) return true;
    if (!RelationNeedsWAL(index) || entry.seal_lsn == 0) return false;
    if (!(locator_of(index) == entry.sealed_in) && !NPHD_BROKEN("same-files")) return false;
    XLogRecPtr redo;
    TimeLineID timeline;
    GetOldestRestartPoint(&redo, &timeline);
    if (NPHD_BROKEN("completed-checkpoint")) redo = GetRedoRecPtr();
    return entry.seal_lsn <= redo;
}

// Maps the piece of one segment file; false with errno when it cannot, errno 0 when the file is too short.
static bool map_piece(const char* path, BlockNumber block_in_file, uint32 blocks, uint8* at) {
    const int fd = OpenTransientFile(path, O_RDONLY | PG_BINARY);
    if (fd < 0) return false;
    struct stat status;
    bool ok = fstat(fd, &status) == 0;
    const off_t offset = static_cast<off_t>(block_in_file) * BLCKSZ;
    if (ok && status.st_size < offset + static_cast<off_t>(blocks) * BLCKSZ) {
        errno = 0;
        ok = false;
    }
    if (ok)
        ok = mmap(at, static_cast<Size>(blocks) * BLCKSZ, PROT_READ, MAP_SHARED | MAP_FIXED, fd, offset) != MAP_FAILED;
    const int error = errno;
    CloseTransientFile(fd);
    errno = error;
    return ok;
}

static void map_shard(Relation index, const ShardEntry& entry, CachedShard* shard) {
    if (!flushed_by_checkpoint(index, entry)) shard_flush(index, entry);

    void* reserved = mmap(nullptr, shard->bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (reserved == MAP_FAILED)
        ereport(ERROR, (errcode(ERRCODE_OUT_OF_MEMORY), errmsg("could not reserve address space for a shard: %m")));
    shard->pages = static_cast<uint8*>(reserved);
    shard->mapped = true;  // from here on the context's callback unmaps

    char first_path[MAXPGPATH];
    relation_path(index, first_path, sizeof first_path);
    uint8* at = shard->pages;
    for (uint32 page = 0, blocks; page < entry.pages; page += blocks) {
        const Piece run = entry.run_from(page);
        const BlockNumber block = run.first;
        const uint32 segment = block / RELSEG_SIZE, offset = block % RELSEG_SIZE;
        blocks = Min(Min(run.blocks, entry.pages - page), static_cast<uint32>(RELSEG_SIZE) - offset);
        char path[MAXPGPATH + 16];
        if (segment == 0)
            strlcpy(path, first_path, sizeof path);
        else
            snprintf(path, sizeof path, "%s.%u", first_path, segment);
        if (!map_piece(path, offset, blocks, at)) {
            if (errno == 0) report_damage(index, block, "a file that is shorter than the manifest says");
            ereport(ERROR, (errcode_for_file_access(), errmsg("could not map file \"%s\": %m", path)));
        }
        at += static_cast<Size>(blocks) * BLCKSZ;
    }
}

static bool is_shard_page(Page page, const MetaPage& meta, const ShardEntry& entry, uint32 position) {
    const PageStamp* stamp = page_stamp(page);
    return stamp->magic == kShardMagic && stamp->kind >= static_cast<uint16>(PageKind::shard_header) &&
           stamp->incarnation == meta.incarnation && stamp->generation == entry.generation &&
           stamp->position == position;
}

// False: the pages have another use by now.
static bool copy_shard(Relation index, const MetaPage& meta, const ShardEntry& entry, CachedShard* shard) {
    BufferAccessStrategy strategy = GetAccessStrategy(BAS_BULKREAD);
    // The data area of a page begins at byte 64: keep the codes on cache lines.
    auto* raw = static_cast<uint8*>(MemoryContextAllocHuge(shard->context, shard->bytes + PG_CACHE_LINE_SIZE));
    shard->pages = reinterpret_cast<uint8*>(TYPEALIGN(64, raw));
    for (uint32 i = 0; i < entry.pages; ++i) {
        CHECK_FOR_INTERRUPTS();
        Buffer buffer = ReadBufferExtended(index, MAIN_FORKNUM, entry.block(i), RBM_NORMAL, strategy);
        LockBuffer(buffer, BUFFER_LOCK_SHARE);
        const bool ours = is_shard_page(BufferGetPage(buffer), meta, entry, i);
        memcpy(shard->pages + static_cast<Size>(i) * BLCKSZ, BufferGetPage(buffer), BLCKSZ);
        UnlockReleaseBuffer(buffer);
        if (!ours) {
            damage_unless_moved(index, meta, entry.block(i), "a page that is not the shard's");
            return false;
        }
    }
    FreeAccessStrategy(strategy);
    return true;
}

// The format of a shard, if that is what lies there.
static uint32 sealed_format(uint8* pages, const MetaPage& meta, const ShardEntry& entry) {
    Page page = reinterpret_cast<Page>(pages);
    const uint32 format = page_stamp(page)->format;
    const bool ours = is_shard_page(page, meta, entry, 0) && page_data<ShardHeader>(page)->format == format;
    return ours ? format : kShardFormat;
}

static bool open_view(Relation index, const MetaPage& meta, const ShardEntry& entry, CachedShard* shard) {
    ShardDamage damage{0, "a page that cannot be read"};
    bool good = false;
    uint32 format = kShardFormat;
    guarded([&] { shard->view = new ShardView; });
    guarded([&] {
        if (!survives_sigbus([&] {
                format = sealed_format(shard->pages, meta, entry);
                good = open_shard(shard->pages, entry.pages, meta.incarnation, entry.generation, *shard->view, damage);
            }))
            good = false;
    });
    if (!good && format < kOldestFormat) report_format(index, format);
    if (good && (shard->view->postings != entry.postings || shard->view->nodes != entry.nodes ||
                 shard->view->metric != static_cast<Metric>(meta.options.metric) ||
                 shard->view->filters != meta.options.filters)) {
        damage = {0, "a shard with other counts or columns than the manifest's"};
        good = false;
    }
    if (!good) damage_unless_moved(index, meta, entry.block(Min(damage.page, entry.pages - 1)), damage.what);
    return good;
}

static CachedShard* open(Relation index, const MetaPage& meta, const ShardEntry& entry) {
    // Until it is complete the entry belongs to the caller's context: an error on the way takes it, and its mapping,
    // along.
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd shard", ALLOCSET_SMALL_SIZES);
    auto* shard = static_cast<CachedShard*>(MemoryContextAllocZero(context, sizeof(CachedShard)));
    shard->index_oid = RelationGetRelid(index);
    shard->locator = locator_of(index);
    shard->incarnation = meta.incarnation;
    shard->generation = entry.generation;
    shard->context = context;
    shard->bytes = static_cast<Size>(entry.pages) * BLCKSZ;
    auto* callback =
        static_cast<MemoryContextCallback*>(MemoryContextAllocZero(context, sizeof(MemoryContextCallback)));
    callback->func = close_shard;
    callback->arg = shard;
    MemoryContextRegisterResetCallback(context, callback);

    bool good = true;
    if (use_mapping(index))
        map_shard(index, entry, shard);
    else
        good = copy_shard(index, meta, entry, shard);
    good = good && open_view(index, meta, entry, shard);
    shard->tombstones = static_cast<uint8*>(
        MemoryContextAllocExtended(context, entry.tombstone_pages * kPageDataBytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    good = good && tombstones_load(index, meta, entry, shard->tombstones, &shard->dead);
    if (!good) {
        MemoryContextDelete(context);
        return nullptr;
    }
    shard->tombstone_epoch = meta.tombstone_epoch;

    MemoryContextSetParent(context, CacheMemoryContext);
    shard->next = cache;
    cache = shard;
    return shard;
}

static void drop(CachedShard** link) {
    CachedShard* shard = *link;
    *link = shard->next;
    MemoryContextDelete(shard->context);
}

static bool is_shard(const CachedShard* shard, Relation index, uint64 incarnation, const ShardEntry& entry) {
    return shard->index_oid == RelationGetRelid(index) && shard->generation == entry.generation &&
           shard->incarnation == incarnation && shard->locator == locator_of(index);
}

static void unpin(void* arg) { static_cast<CachedShard*>(arg)->users--; }

static void pin(CachedShard* shard) {
    auto* callback = static_cast<MemoryContextCallback*>(palloc(sizeof(MemoryContextCallback)));
    callback->func = unpin;
    callback->arg = shard;
    MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
    shard->users++;
}

// Then what the kernel reads ahead of a search, which follows links, takes the room of pages that other searches need.
static bool exceeds_cache(Relation index) {
    return RelationGetNumberOfBlocks(index) > static_cast<BlockNumber>(effective_cache_size);
}

static void expect(Relation index, CachedShard* shard, ReadPattern pattern) {
    if (!shard->mapped || shard->pattern == pattern) return;
    const bool jumps = pattern == ReadPattern::jumps && exceeds_cache(index);
    if (shard->out_of_core != jumps) {
        (void)madvise(shard->pages, shard->bytes, jumps ? MADV_RANDOM : MADV_NORMAL);
        for (LaneView& lane : shard->view->lanes) lane.out_of_core = jumps;
    }
    shard->out_of_core = jumps;
    shard->pattern = pattern;
}

CachedShard* shard_acquire(Relation index, const MetaPage& meta, const ShardEntry& entry, ReadPattern pattern) {
    const bool mapped = use_mapping(index);
    CachedShard* found = nullptr;
    for (CachedShard** link = &cache; *link != nullptr && found == nullptr;) {
        CachedShard* shard = *link;
        if (is_shard(shard, index, meta.incarnation, entry) && shard->mapped == mapped)
            found = shard;
        else
            link = &shard->next;
    }
    if (found == nullptr) found = open(index, meta, entry);
    if (found == nullptr) return nullptr;
    found->stale = false;
    // A running scan keeps the bitmap that it started with; bits only ever get set, so it may also see newer ones.
    if (found->tombstone_epoch != meta.tombstone_epoch) {
        // Until the bitmap is whole it counts as that of no epoch.
        found->tombstone_epoch = PG_UINT64_MAX;
        if (!tombstones_load(index, meta, entry, found->tombstones, &found->dead)) return nullptr;
        found->tombstone_epoch = meta.tombstone_epoch;
    }
    expect(index, found, pattern);
    pin(found);
    return found;
}

// Of a mapped shard that moved it makes nonsense, and that does no harm: no later manifest names the shard, and whoever
// searches it now finds out before handing out anything.
void dead_nodes_prepare(CachedShard* shard, const ShardEntry& entry) {
    // A search without the bitmap takes about as much longer as so many nodes take here.
    static constexpr uint64 kNodesPerSearch = 1024;
    static constexpr uint32 kSlice = 1 << 18;
    if (shard->dead == 0 || (shard->dead_nodes != nullptr && shard->dead_in_nodes == shard->dead)) return;
    if (++shard->searches_without <= shard->view->nodes / kNodesPerSearch) return;
    Size bytes = 0;
    for (const LaneView& lane : shard->view->lanes) bytes += dead_nodes_bytes(lane);
    if (shard->dead_nodes == nullptr)
        shard->dead_nodes =
            static_cast<uint8*>(MemoryContextAllocExtended(shard->context, bytes, MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO));
    uint8* at = shard->dead_nodes;
    for (const LaneView& lane : shard->view->lanes) {
        for (uint32 first = 0; first < lane.nodes; first += Min(kSlice, lane.nodes - first)) {
            CHECK_FOR_INTERRUPTS();
            // The search will say so if the shard cannot be read.
            if (!survives_sigbus([&] {
                    mark_dead_nodes(lane, tombstones_of(shard, entry), first, first + Min(kSlice, lane.nodes - first),
                                    at);
                }))
                return;
        }
        at += dead_nodes_bytes(lane);
    }
    shard->dead_in_nodes = shard->dead;
    shard->searches_without = 0;
}

void shard_cache_sweep(Relation index, const Manifest* manifest) {
    for (CachedShard** link = &cache; *link != nullptr;) {
        CachedShard* shard = *link;
        bool keep = shard->users > 0;
        if (shard->index_oid == RelationGetRelid(index)) {
            for (uint32 i = 0; i < manifest->header.shards && !keep; ++i) {
                const ShardEntry& entry = manifest->shards()[i];
                keep = is_shard(shard, index, manifest->header.incarnation, entry);
            }
        } else {
            keep = keep || !shard->stale;
        }
        if (keep)
            link = &shard->next;
        else
            drop(link);
    }
}

// May run whenever the backend accepts invalidations: it only marks.
static void on_relcache_invalidation(Datum, Oid relid) {
    for (CachedShard* shard = cache; shard != nullptr; shard = shard->next)
        if (relid == InvalidOid || shard->index_oid == relid) shard->stale = true;
}

void shard_cache_init() { CacheRegisterRelcacheCallback(on_relcache_invalidation, static_cast<Datum>(0)); }

}  // namespace nphd
