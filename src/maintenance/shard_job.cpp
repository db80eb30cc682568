#include "src/maintenance/shard_job.hpp"

#include <unistd.h>

#include "src/faults.hpp"
#include "src/guard.hpp"
#include "src/storage/blocks.hpp"
#include "src/storage/sigbus_guard.hpp"

namespace nphd {

struct ShardJob {
    MemoryContext context = nullptr;
    int spill_fd = -1;
    std::unique_ptr<MemoryBudget> budget;
    std::unique_ptr<ShardInput> input;
    std::unique_ptr<ShardBuild> build;

    ~ShardJob() {
        build.reset();
        input.reset();
        budget.reset();
        if (spill_fd < 0) return;
        close(spill_fd);
        ReleaseExternalFD();
    }
};

static void destroy_job(void* arg) { delete *static_cast<ShardJob**>(arg); }

// A descriptor of our own of an already removed temporary file. PostgreSQL's virtual file could be closed behind our
// back.
static int open_spill_file() {
    PrepareTempTablespaces();
    const File file = OpenTemporaryFile(false);
    if (!AcquireExternalFD())
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_RESOURCES), errmsg("no file descriptor left for a temporary file")));
    const int fd = dup(FileGetRawDesc(file));
    if (fd < 0) ReleaseExternalFD();
    FileClose(file);
    if (fd < 0) ereport(ERROR, (errcode_for_file_access(), errmsg("could not duplicate a temporary file: %m")));
    return fd;
}

ShardJob* shard_job_create(int memory_kb, const FilterLayout& filters) {
    MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "nphd shard build", ALLOCSET_SMALL_SIZES);
    auto** slot = static_cast<ShardJob**>(MemoryContextAllocZero(context, sizeof(ShardJob*)));
    auto* callback =
        static_cast<MemoryContextCallback*>(MemoryContextAllocZero(context, sizeof(MemoryContextCallback)));
    callback->func = destroy_job;
    callback->arg = slot;
    MemoryContextRegisterResetCallback(context, callback);

    guarded([&] { *slot = new ShardJob; });
    ShardJob* job = *slot;
    job->context = context;
    job->spill_fd = open_spill_file();
    guarded([&] {
        job->budget = std::make_unique<MemoryBudget>(static_cast<std::size_t>(memory_kb) * 1024, job->spill_fd);
        job->input = std::make_unique<ShardInput>(*job->budget, filters);
    });
    return job;
}

void shard_job_free(ShardJob* job) { MemoryContextDelete(job->context); }

void shard_job_add(ShardJob* job, const IndexRow& row) {
    guarded([&] { shard_job_input_add(job, row); });
}

void shard_job_input_add(ShardJob* job, const IndexRow& row) {
    if (row.codeless)
        job->input->add_codeless(row.id, row.filters.data());
    else
        job->input->add(row.code, row.id, row.filters.data());
}

uint64 shard_job_rows(const ShardJob* job) { return job->input->rows(); }

void shard_job_run(ShardJob* job, const IndexOptions& options, int threads, void (*report)(const Progress&)) {
    ShardOptions shard_options;
    shard_options.metric = static_cast<Metric>(options.metric);
    shard_options.m = options.m;
    shard_options.ef_construction = options.ef_construction;
    shard_options.prefix_bytes = options.prefix_bytes;
    shard_options.radius_bits = options.radius_bits;
    shard_options.sort_by_filter = options.sort_by_filter != 0;
    guarded([&] {
        job->build = std::make_unique<ShardBuild>(std::move(job->input), shard_options, static_cast<unsigned>(threads),
                                                  *job->budget);
        job->build->start();
    });
    // Waiting on the latch, not on the thread, keeps the backend open to cancel, termination and the postmaster's
    // death.
    for (long pause_ms = 1; !job->build->finished(); pause_ms = Min(pause_ms * 2, 20L)) {
        WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause_ms, PG_WAIT_EXTENSION);
        ResetLatch(MyLatch);
        CHECK_FOR_INTERRUPTS();
        if (report != nullptr) report(job->build->progress());
    }
    guarded([&] { job->build->finish(); });
}

ShardEntry shard_job_entry(const ShardJob* job) {
    const ShardSummary& summary = job->build->summary();
    ShardEntry entry{};
    entry.pages = summary.pages;
    entry.tombstone_pages = static_cast<uint32>((summary.postings + kTombstonesPerPage - 1) / kTombstonesPerPage);
    entry.nodes = summary.nodes;
    entry.postings = summary.postings;
    entry.lanes = summary.lanes;
    return entry;
}

void shard_job_write(ShardJob* job, Relation index, const MetaPage& meta, ShardEntry* entry) {
    // The ring keeps a shard that will be read through its mapping from filling the buffer pool.
    BufferAccessStrategy ring = GetAccessStrategy(BAS_BULKWRITE);
    PGAlignedBlock image;
    for (uint32 i = 0; i < entry->pages; ++i) {
        CHECK_FOR_INTERRUPTS();
        NPHD_FAULT("write.page");
        // The layout may lie in the temporary file, whose reading can fail: outside of the critical section.
        if (!survives_sigbus([&] {
                job->build->fill_page(i, meta.incarnation, entry->generation, reinterpret_cast<uint8*>(image.data));
            }))
            ereport(ERROR, (errcode(ERRCODE_IO_ERROR), errmsg("could not read a temporary file")));
        block_write_sealed(index, block_create(index, entry->block(i), ring), image.data);
    }
    FreeAccessStrategy(ring);
    NPHD_FAULT("write.before_flush");
    shard_flush(index, *entry);
    entry->seal_lsn = RelationNeedsWAL(index) ? GetXLogInsertRecPtr() : 0;
    entry->sealed_in = locator_of(index);
}

int maintenance_threads(Relation heap) {
    // -1 is also what a table with other options than this one has.
    const int workers = RelationGetParallelWorkers(heap, -1);
    return 1 + (workers < 0 ? max_parallel_maintenance_workers : Min(workers, max_parallel_maintenance_workers));
}

}  // namespace nphd
