// Gathers and ranges out of an instruction set's way to handle a few records, and its table of kernels.
// Everything has internal linkage: each including file gets its own copy, compiled for its own instruction set.
#pragma once

#include "engine/distance/record_walk.hpp"

namespace nphd {
namespace {

/// `Isa` gives hamming, overlap and popcount of byte strings, and
///   hamming_records(probe, records, n, out) and jaccard_records(probe, records, n, out)
/// for StridedRecords and ScatteredRecords, n > 0 and probe.n_words > 0.
template <class Isa>
struct RecordKernels {
    static void hamming_gather(const Probe& probe, const RecordArray& codes, const NodeId* ids, std::uint32_t n,
                               std::uint32_t* out) {
        if (probe.n_words == 0) return all_zero(n, out);
        for (PrefetchedRecords r(codes, ids, n, 8 * probe.n_words); !r.done(); out += r.count(), r.next()) {
            Isa::hamming_records(probe, r.records(), r.count(), out);
        }
    }

    static void hamming_range(const Probe& probe, const RecordArray& codes, NodeId first, std::uint32_t n,
                              std::uint32_t* out) {
        if (probe.n_words == 0) return all_zero(n, out);
        for (Runs r(codes, first, n); !r.done(); out += r.count(), r.next()) {
            Isa::hamming_records(probe, r.records(), r.count(), out);
        }
    }

    static void jaccard_gather(const Probe& probe, const RecordArray& codes, const NodeId* ids, std::uint32_t n,
                               std::uint32_t* out) {
        if (probe.n_words == 0) return all_zero(n, out);
        for (PrefetchedRecords r(codes, ids, n, 8 * probe.n_words); !r.done(); out += r.count(), r.next()) {
            Isa::jaccard_records(probe, r.records(), r.count(), out);
        }
    }

    static void jaccard_range(const Probe& probe, const RecordArray& codes, NodeId first, std::uint32_t n,
                              std::uint32_t* out) {
        if (probe.n_words == 0) return all_zero(n, out);
        for (Runs r(codes, first, n); !r.done(); out += r.count(), r.next()) {
            Isa::jaccard_records(probe, r.records(), r.count(), out);
        }
    }

    /// Hamming distances of a range of records that are exactly Dense's width, by blocks of Dense::kBlock: Dense takes
    /// the probe, and block(first record, out) handles kBlock contiguous records.
    template <class Dense>
    static void hamming_dense_range(const Probe& probe, const RecordArray& codes, NodeId first, std::uint32_t n,
                                    std::uint32_t* out) {
        const Dense dense(probe);
        for (Runs r(codes, first, n); !r.done(); out += r.count(), r.next()) {
            const StridedRecords records = r.records();
            const std::uint32_t count = r.count();
            if (count < Dense::kBlock) {
                hamming_few(probe, records, count, out);
                continue;
            }
            std::uint32_t i = 0;
            for (; i + Dense::kBlock <= count; i += Dense::kBlock) dense.block(records[i], out + i);
            // The last block overlaps the one before it.
            if (i < count) dense.block(records[count - Dense::kBlock], out + count - Dense::kBlock);
        }
    }

private:
    [[gnu::noinline]] static void hamming_few(const Probe& probe, StridedRecords records, std::uint32_t n,
                                              std::uint32_t* out) {
        Isa::hamming_records(probe, records, n, out);
    }

    static void all_zero(std::uint32_t n, std::uint32_t* out) noexcept {
        for (std::uint32_t i = 0; i < n; ++i) out[i] = 0;
    }
};

/// The probe as it lies against contiguous records of kWords words: kLanes words and their masks. Words that the probe
/// does not compare are masked out.
template <unsigned kWords, unsigned kLanes>
struct RepeatedProbe {
    [[gnu::always_inline]] explicit RepeatedProbe(const Probe& probe) noexcept {
        for (unsigned i = 0; i < kLanes; ++i) {
            const unsigned w = i % kWords;
            words[i] = w < probe.n_words ? probe.words[w] : 0;
            masks[i] = w + 1 < probe.n_words ? ~std::uint64_t{0} : (w + 1 == probe.n_words ? probe.last_mask : 0);
        }
    }
    alignas(64) std::uint64_t words[kLanes];
    alignas(64) std::uint64_t masks[kLanes];
};

template <class Isa>
constexpr Kernels kernel_table(const char* name,
                               decltype(Kernels::hamming_range) hamming_range = RecordKernels<Isa>::hamming_range) {
    using R = RecordKernels<Isa>;
    return {name,          Isa::hamming,      Isa::overlap,    Isa::popcount, R::hamming_gather,
            hamming_range, R::jaccard_gather, R::jaccard_range};
}

}  // namespace
}  // namespace nphd
