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

private:
    static void all_zero(std::uint32_t n, std::uint32_t* out) noexcept {
        for (std::uint32_t i = 0; i < n; ++i) out[i] = 0;
    }
};

template <class Isa>
constexpr Kernels kernel_table(const char* name) {
    using R = RecordKernels<Isa>;
    return {name,
            Isa::hamming,
            Isa::overlap,
            Isa::popcount,
            R::hamming_gather,
            R::hamming_range,
            R::jaccard_gather,
            R::jaccard_range};
}

}  // namespace
}  // namespace nphd
