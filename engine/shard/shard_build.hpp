// From (code, row id) pairs to the pages of a sealed shard.
#pragma once

#include <memory>
#include <span>

#include "engine/base/memory_budget.hpp"
#include "engine/base/types.hpp"
#include "engine/base/worker_pool.hpp"
#include "engine/shard/format.hpp"

namespace nphd {

struct ShardOptions {
    Metric metric = Metric::nphd;
    std::uint32_t m = 16;  // 1 .. kMaxDegree / 2
    std::uint32_t ef_construction = 96;
    std::uint32_t prefix_bytes = 8;  // lanes longer than this get prefix edges; 0: none
    // Lanes with fewer distinct codes are scanned. Counted in codes of 256 bits; shorter codes need more of them to be
    // worth a graph, longer ones fewer. search_bench, threshold/: the graph is as fast as the scan from 16k..32k codes
    // of 64 bits, 8k..12k of 256 and 4k of 1024 on, where data is clustered at all; building it takes time and space.
    std::uint32_t graph_threshold = 16384;
    // Lanes with fewer distinct codes have no key directory and no bloom filter: a scan of them takes a microsecond.
    std::uint32_t directory_threshold = 1024;
    // Radius tables (not for Jaccard): of lanes with at least so many distinct codes, over the first bits of a code.
    std::uint32_t radius_threshold = 65536;
    std::uint32_t radius_bits = 256;  // 0: none
    // Lanes with fewer postings have no value orders of their filter columns: they are read through.
    std::uint32_t value_order_threshold = 1024;
    // The nodes in the order of the least value of the first filter column that one of their rows has (NULL last), and
    // by locality where it is the same: rows with one value come to lie side by side.
    bool sort_by_filter = false;
    std::uint64_t seed = 1;
};

/// Collects what a shard is made of, one packed array per code length.
class ShardInput {
public:
    explicit ShardInput(MemoryBudget&, const FilterLayout& filters = {});
    ~ShardInput();
    ShardInput(const ShardInput&) = delete;
    ShardInput& operator=(const ShardInput&) = delete;

    /// code.size() <= kMaxCodeBytes; `filters`: the row's record of filter values, layout.record_bytes() long. Throws
    /// std::bad_alloc, and std::length_error beyond 2^32 - 2 rows of one length.
    void add(std::span<const std::uint8_t> code, RowId row, const std::byte* filters = nullptr);
    /// A row whose code is NULL.
    void add_codeless(RowId row, const std::byte* filters = nullptr);
    std::uint64_t rows() const noexcept;

private:
    friend class ShardBuild;
    struct Lanes;
    std::unique_ptr<Lanes> lanes_;
};

/// What the database side keeps about a shard besides its pages.
struct ShardSummary {
    std::uint32_t pages = 0;
    std::uint32_t lanes = 0;
    std::uint64_t nodes = 0;
    std::uint64_t postings = 0;
};

/// Builds a shard on threads of its own: de-duplicates codes into nodes with posting lists (row ids ascending), numbers
/// the nodes of lanes with a graph by locality and the others by their bytes, builds graphs and look-up tables. The
/// same input in the same order and the same options give the same pages, whatever `threads` is. Consumes the input as
/// it goes.
class ShardBuild {
public:
    ShardBuild(std::unique_ptr<ShardInput>, const ShardOptions&, unsigned threads, MemoryBudget&);
    /// Cancels and joins a build that still runs.
    ~ShardBuild();
    ShardBuild(const ShardBuild&) = delete;
    ShardBuild& operator=(const ShardBuild&) = delete;

    /// Starts the work in the background; all signals are blocked there. Throws std::system_error when no thread is to
    /// be had.
    void start();
    bool finished() const noexcept;
    const Progress& progress() const noexcept;

    /// After finished(): rethrows the build's exception, if it ended by one.
    void finish();

    /// After finish(): what the pages will hold.
    const ShardSummary& summary() const noexcept;
    /// The finished page `page` < summary().pages into 8192 bytes; bytes 0..23 (the page header) are left alone. The
    /// stamp's incarnation and generation are as given. Cheap, no allocation.
    void fill_page(std::uint32_t page, std::uint64_t incarnation, std::uint64_t generation,
                   std::uint8_t* out) const noexcept;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nphd
