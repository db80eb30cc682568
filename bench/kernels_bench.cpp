// What the distance kernels reach, per instruction set: ranges against a plain read of the same memory, measured in
// turns in the same run, gathers in time per code. Counters come from the best pass, so that a busy machine does not
// blur them; "of_read" is the rate of the range over the rate of the read.
//
//   kernels_bench --benchmark_filter='hamming_range/.*/256b'
#include <benchmark/benchmark.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/distance/kernels.hpp"

namespace nphd {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

struct Free {
    void operator()(void* p) const { std::free(p); }
};

/// As many random codes of one width as fit into `bytes`, on pages as in a shard or contiguous as in a leaf.
struct Lane {
    Lane(std::size_t bytes, std::uint32_t words, bool paged)
        : size(bytes), memory(std::aligned_alloc(kPageBytes, bytes)) {
        auto* data = static_cast<std::uint64_t*>(memory.get());
        std::mt19937_64 random(42);
        std::generate(data, data + bytes / 8, random);
        const auto pages = bytes / kPageBytes;
        codes = paged ? RecordArray::paged(data, 8 * words,
                                           static_cast<std::uint32_t>(pages * RecordArray::records_per_page(8 * words)))
                      : RecordArray::plain(data, 8 * words, static_cast<std::uint32_t>(bytes / (8 * words)));
        for (std::uint32_t w = 0; w < words; ++w) probe_words.push_back(random());
        probe = {probe_words.data(), words, 64 * words};
    }

    double code_bytes() const { return static_cast<double>(codes.count) * 8 * probe.n_words; }

    std::size_t size;
    std::unique_ptr<void, Free> memory;
    RecordArray codes;
    std::vector<std::uint64_t> probe_words;
    Probe probe;
};

/// Sums all words: the fastest that memory can be walked by any kernel.
#if defined(__x86_64__)
[[gnu::target_clones("avx512f", "avx2", "default")]]
#endif
std::uint64_t
plain_read(const void* memory, std::size_t bytes) {
    using Words = std::uint64_t __attribute__((vector_size(64)));
    const auto* p = static_cast<const Words*>(memory);
    Words a{}, b{}, c{}, d{};
    for (std::size_t i = 0; i < bytes / sizeof(Words); i += 4) {
        a += p[i];
        b += p[i + 1];
        c += p[i + 2];
        d += p[i + 3];
    }
    a += b + c + d;
    return a[0] + a[1] + a[2] + a[3] + a[4] + a[5] + a[6] + a[7];
}

using RangeKernel = void (*Kernels::*)(const Probe&, const RecordArray&, NodeId, std::uint32_t, std::uint32_t*);
using GatherKernel = void (*Kernels::*)(const Probe&, const RecordArray&, const NodeId*, std::uint32_t, std::uint32_t*);

constexpr std::uint32_t kChunk = 1024;  // a scan hands distances on in pieces that stay in the L1 cache

void range(benchmark::State& state, const Kernels& k, RangeKernel kernel, std::uint32_t words, std::size_t bytes,
           bool paged) {
    const Lane lane(bytes, words, paged);
    std::vector<std::uint32_t> out(kChunk);
    double best_read = 1e9;
    double best_kernel = 1e9;
    for (auto _ : state) {
        auto start = Clock::now();
        benchmark::DoNotOptimize(plain_read(lane.memory.get(), lane.size));
        best_read = std::min(best_read, seconds_since(start));
        start = Clock::now();
        for (std::uint32_t first = 0; first < lane.codes.count; first += kChunk) {
            (k.*kernel)(lane.probe, lane.codes, first, std::min(kChunk, lane.codes.count - first), out.data());
            benchmark::ClobberMemory();
        }
        const double t = seconds_since(start);
        best_kernel = std::min(best_kernel, t);
        state.SetIterationTime(t);
    }
    const double read_rate = static_cast<double>(lane.size) / best_read;
    const double kernel_rate = lane.code_bytes() / best_kernel;
    state.counters["GB/s"] = kernel_rate / 1e9;
    state.counters["read_GB/s"] = read_rate / 1e9;
    state.counters["of_read"] = kernel_rate / read_rate;
    state.counters["ns/code"] = best_kernel * 1e9 / lane.codes.count;
}

void gather(benchmark::State& state, const Kernels& k, GatherKernel kernel, std::uint32_t words, std::size_t bytes,
            std::uint32_t batch) {
    const Lane lane(bytes, words, true);
    std::mt19937 random(7);
    std::vector<NodeId> ids(1 << 20);
    for (NodeId& id : ids) id = static_cast<NodeId>(random() % lane.codes.count);
    std::vector<std::uint32_t> out(batch);
    const std::size_t pass = 256 * batch;
    std::size_t next = 0;
    double best = 1e9;
    for (auto _ : state) {
        const auto start = Clock::now();
        for (const NodeId* p = &ids[next]; p < &ids[next] + pass; p += batch) {
            (k.*kernel)(lane.probe, lane.codes, p, batch, out.data());
            benchmark::ClobberMemory();
        }
        const double t = seconds_since(start);
        best = std::min(best, t);
        state.SetIterationTime(t);
        next = next + 2 * pass <= ids.size() ? next + pass : 0;
    }
    state.counters["ns/code"] = best * 1e9 / static_cast<double>(pass);
}

std::string size_name(std::size_t bytes) {
    return bytes < (1 << 20) ? std::to_string(bytes >> 10) + "K" : std::to_string(bytes >> 20) + "M";
}

void add_ranges(const Kernels& k, const char* name, RangeKernel kernel, std::initializer_list<std::uint32_t> widths) {
    struct Place {
        std::size_t bytes;
        bool paged;
    };
    for (const std::uint32_t bits : widths) {
        for (const Place place : {Place{32 << 10, false}, Place{512 << 10, true}, Place{32 << 20, true}}) {
            const std::string full = std::string(name) + "/" + k.name + "/" + std::to_string(bits) + "b/" +
                                     size_name(place.bytes) + (place.paged ? "_paged" : "_plain");
            benchmark::RegisterBenchmark(full.c_str(), range, k, kernel, bits / 64, place.bytes, place.paged)
                ->UseManualTime()
                ->MinTime(0.1);
        }
    }
}

void add_gathers(const Kernels& k, const char* name, GatherKernel kernel, std::initializer_list<std::uint32_t> widths) {
    for (const std::uint32_t bits : widths) {
        for (const std::size_t bytes : {std::size_t{512} << 10, std::size_t{32} << 20, std::size_t{256} << 20}) {
            for (const std::uint32_t batch : {6u, 16u, 32u}) {
                const std::string full = std::string(name) + "/" + k.name + "/" + std::to_string(bits) + "b/" +
                                         size_name(bytes) + "/n" + std::to_string(batch);
                benchmark::RegisterBenchmark(full.c_str(), gather, k, kernel, bits / 64, bytes, batch)
                    ->UseManualTime()
                    ->MinTime(0.05);
            }
        }
    }
}

void pair(benchmark::State& state, const Kernels& k, std::size_t bytes) {
    const std::vector<std::uint8_t> a(bytes, 0x55);
    const std::vector<std::uint8_t> b(bytes, 0x0F);
    for (auto _ : state) benchmark::DoNotOptimize(k.hamming(a.data(), b.data(), bytes));
}

}  // namespace
}  // namespace nphd

int main(int argc, char** argv) {
    using namespace nphd;
    for (const Kernels* k : available_kernels()) {
        add_ranges(*k, "hamming_range", &Kernels::hamming_range, {64, 128, 192, 256, 320, 512, 1024, 4096});
        add_ranges(*k, "jaccard_range", &Kernels::jaccard_range, {256, 512, 1024, 2048});
        add_gathers(*k, "hamming_gather", &Kernels::hamming_gather, {64, 128, 256, 512, 1024});
        add_gathers(*k, "jaccard_gather", &Kernels::jaccard_gather, {256, 1024});
        for (const std::size_t bytes : {8u, 13u, 32u, 64u, 128u, 512u, 8000u}) {
            const std::string name = std::string("hamming_pair/") + k->name + "/" + std::to_string(bytes) + "B";
            benchmark::RegisterBenchmark(name.c_str(), pair, *k, bytes)->MinTime(0.05);
        }
    }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
