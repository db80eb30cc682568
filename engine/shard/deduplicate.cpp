#include "engine/shard/deduplicate.hpp"

#include <algorithm>
#include <cstring>

#include "engine/shard/record_hash.hpp"

namespace nphd {

namespace {

/// One scatter pass over the upper bits of the hash, in slices of the input, each with a region of its own in every
/// bucket.
class Grouping {
public:
    Grouping(const LaneInput& input, unsigned threads, MemoryBudget& budget, Progress& progress)
        : input_(input), threads_(threads), budget_(budget), progress_(progress), rows_(input.rows()) {
        bucket_bits_ = static_cast<unsigned>(std::clamp(static_cast<int>(std::bit_width(rows_)) - 11, 0, 12));
        buckets_ = std::size_t{1} << bucket_bits_;
        slice_rows_ = std::max<std::uint64_t>(65536, rows_ / 64 + 1);
        slices_ = static_cast<std::size_t>((rows_ + slice_rows_ - 1) / slice_rows_);
    }

    CodeGroups run() {
        scatter();
        count_groups();
        number_groups();
        return std::move(out_);
    }

private:
    /// Equal codes need equal hashes and nothing else: the groups are verified by bytes.
    std::uint64_t key(std::uint32_t row) const noexcept {
        return (hash_record(input_.code(row), input_.record_bytes()) & 0xFFFFFFFF00000000ull) | row;
    }
    std::size_t bucket(std::uint64_t key) const noexcept { return bucket_bits_ ? key >> (64 - bucket_bits_) : 0; }
    template <class F>
    void each_row(std::size_t slice, F&& f) const {
        const std::uint64_t from = slice * slice_rows_, to = std::min<std::uint64_t>(rows_, from + slice_rows_);
        for (std::uint64_t row = from; row < to; ++row) f(key(static_cast<std::uint32_t>(row)));
    }

    void scatter() {
        std::vector<std::uint32_t> at(slices_ * buckets_);
        parallel_for(threads_, slices_, [&](std::size_t s) {
            progress_.check();
            each_row(s, [&](std::uint64_t k) { ++at[s * buckets_ + bucket(k)]; });
        });
        start_.resize(buckets_ + 1);
        std::uint32_t sum = 0;
        for (std::size_t b = 0; b < buckets_; ++b) {
            start_[b] = sum;
            for (std::size_t s = 0; s < slices_; ++s) sum += std::exchange(at[s * buckets_ + b], sum);
        }
        start_[buckets_] = sum;
        out_.order = LargeArray<std::uint64_t>(budget_, rows_);
        parallel_for(threads_, slices_, [&](std::size_t s) {
            progress_.check();
            each_row(s, [&](std::uint64_t k) { out_.order[at[s * buckets_ + bucket(k)]++] = k; });
        });
    }

    /// Sorts each bucket and replaces the hash in each entry by "starts a group".
    void count_groups() {
        found_.resize(buckets_ + 1);
        parallel_for(threads_, buckets_, [&](std::size_t b) {
            progress_.check();
            std::uint64_t* const from = out_.order.data() + start_[b];
            std::uint64_t* const to = out_.order.data() + start_[b + 1];
            std::sort(from, to);
            for (std::uint64_t* run = from; run != to;) {
                std::uint64_t* end = run + 1;
                while (end != to && *end >> 32 == *run >> 32) ++end;
                found_[b + 1] += split_run(run, end);
                run = end;
            }
            progress_.done += start_[b + 1] - start_[b];
        });
    }

    /// [run, end) have one hash; all but a few runs have one code.
    std::uint32_t split_run(std::uint64_t* run, std::uint64_t* end) const {
        const auto compare = [&](std::uint64_t a, std::uint64_t b) {
            return std::memcmp(input_.code(static_cast<std::uint32_t>(a)), input_.code(static_cast<std::uint32_t>(b)),
                               input_.record_bytes());
        };
        constexpr std::uint64_t row_mask = 0xFFFFFFFFull, starts = 1ull << 32;
        if (std::any_of(run + 1, end, [&](std::uint64_t k) { return compare(*run, k) != 0; }))
            std::sort(run, end, [&](std::uint64_t a, std::uint64_t b) {
                progress_.check();
                const int c = compare(a, b);
                return c != 0 ? c < 0 : (a & row_mask) < (b & row_mask);
            });
        std::uint32_t groups = 1;
        std::uint64_t previous = *run;
        *run = (*run & row_mask) | starts;
        for (std::uint64_t* k = run + 1; k != end; ++k) {
            const bool other = compare(previous, *k) != 0;
            previous = *k;
            *k = (*k & row_mask) | (other ? starts : 0);
            groups += other;
        }
        return groups;
    }

    void number_groups() {
        for (std::size_t b = 0; b < buckets_; ++b) found_[b + 1] += found_[b];
        out_.groups = found_[buckets_];
        out_.first = LargeArray<std::uint32_t>(budget_, std::size_t{out_.groups} + 1);
        out_.first[out_.groups] = rows_;
        parallel_for(threads_, buckets_, [&](std::size_t b) {
            progress_.check();
            std::uint32_t group = found_[b];
            for (std::uint32_t i = start_[b]; i < start_[b + 1]; ++i)
                if (out_.order[i] >> 32) out_.first[group++] = i;
        });
    }

    const LaneInput& input_;
    unsigned threads_;
    MemoryBudget& budget_;
    Progress& progress_;
    std::uint32_t rows_;
    unsigned bucket_bits_;
    std::size_t buckets_;
    std::uint64_t slice_rows_;
    std::size_t slices_;
    std::vector<std::uint32_t> start_;  // of each bucket in the order
    std::vector<std::uint32_t> found_;  // groups of the buckets before
    CodeGroups out_;
};

}  // namespace

CodeGroups group_equal_codes(const LaneInput& input, unsigned threads, MemoryBudget& budget, Progress& progress) {
    return Grouping(input, threads, budget, progress).run();
}

}  // namespace nphd
