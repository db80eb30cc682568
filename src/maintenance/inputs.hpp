// What goes into a rebuild: frozen segments and shards, and which of their rows died since they were read.
#pragma once

#include "src/maintenance/shard_job.hpp"

namespace nphd {

/// A growing bitmap.
struct Bits {
    uint8* bytes;
    uint64 n, max_bytes;
};

struct RebuildInputs {
    Relation index;
    MetaPage meta;   // as the inputs were read
    List* segments;  // of SegmentEntry*
    List* shards;    // of ShardEntry*

    BlockNumber* pending_blocks;  // of the segments, in reading order
    uint32 n_pending_blocks;
    uint32 max_pending_blocks;
    uint64 pending_rows;  // alive when read
    Bits dead_entries;    // pending entries, in reading order, that were dead when read
    List* dead_postings;  // for each of `shards`, the bitmap (uint8*) that it was read with
};

/// Inputs with these segments and no shards yet. `meta` was read before anything that they will hold.
RebuildInputs rebuild_inputs(Relation index, const MetaPage& meta, List* segments);

/// Hands the living rows to the job. The maintenance lock is held. A shard is read through its mapping, where nobody
/// verified checksums; here they are, so that no bit that flipped on disk is sealed anew under a good one.
void inputs_read_segments(RebuildInputs* inputs, ShardJob* job);
void inputs_read_shards(RebuildInputs* inputs, ShardJob* job);

/// Row ids of inputs that were alive when read and are dead by now, sorted. (Not: all that are dead by now. A row id
/// that was dead already may have been given to another row, whose entry, alive, is an input too.) `meta` is newer than
/// the inputs' own.
struct DeadRows {
    RowId* rows;
    uint64 n, max;
};
DeadRows inputs_newly_dead(const RebuildInputs& inputs, const MetaPage& meta);
bool contains(const DeadRows& dead, RowId row);

/// Calls f(posting number in the shard, row id) for every posting of a shard.
void for_each_posting(Relation index, const ShardEntry& entry, const struct CachedShard* shard,
                      void (*f)(void* state, uint64 posting, RowId row), void* state);

/// The shard of an entry that the manifest in force lists, under the maintenance lock.
struct CachedShard* listed_shard(Relation index, const MetaPage& meta, const ShardEntry& entry);

/// The next page of a segment that the manifest in force lists, under the maintenance lock; false at its end.
struct PendingReader;
bool next_listed_page(PendingReader* reader, char* page);

}  // namespace nphd
