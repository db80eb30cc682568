// One shard in the making: engine objects that live across PostgreSQL calls, owned by a memory context.
#pragma once

#include "src/storage/index_row.hpp"
#include "src/storage/manifest.hpp"

#include "engine/shard/shard_build.hpp"

namespace nphd {

struct ShardJob;

/// A job in a context of its own under CurrentMemoryContext: resetting or deleting that (also by an error) cancels the
/// build, joins its threads and frees everything. Big arrays beyond `memory_kb` live in a temporary file.
ShardJob* shard_job_create(int memory_kb, const FilterLayout& filters);
void shard_job_free(ShardJob* job);

/// With a filter record as the job was created for.
void shard_job_add(ShardJob* job, const IndexRow& row);
/// The same for C++ code inside a guard: throws.
void shard_job_input_add(ShardJob* job, const IndexRow& row);
uint64 shard_job_rows(const ShardJob* job);

/// Builds on `threads` threads and waits, open to interrupts. `report` (may be null) is called now and then with the
/// build's state.
void shard_job_run(ShardJob* job, const IndexOptions& options, int threads, void (*report)(const Progress&));

/// Sizes of the shard that was built; generation and pieces are left open.
ShardEntry shard_job_entry(const ShardJob* job);
/// Writes the sealed pages to the pieces of `entry`, logged and handed to the kernel, and completes the entry.
/// Tombstone pages and publication are the caller's.
void shard_job_write(ShardJob* job, Relation index, const MetaPage& meta, ShardEntry* entry);

/// Threads that maintenance of this table may use: 1 + max_parallel_maintenance_workers, or the table's
/// parallel_workers.
int maintenance_threads(Relation heap);

}  // namespace nphd
