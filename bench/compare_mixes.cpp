// Codes of several lengths, the ways to search them, in this process and one run: the engine's lanes, one for each
// length, with prefix edges; one graph over codes of all lengths (hnswlib, M = 16); and scans of the prefixes that a
// query is compared with. Needs hnswlib: built and run by bench/compare_mixes, not by bench/run.
//
//   compare_mixes [rows] [queries] [seed]
//
// Prints Markdown: us a query (recall, ef), for each length of query; then the worst of each mix, the CPU seconds of
// the builds, and how many of 1,000 stored codes do not find themselves. Every way has the distinct codes of the mix,
// one thread, and the same queries. Times are CPU time of the best of several passes, the ways in turns; recall@10 is
// counted by distance against the engine's exact search.

#include <hnswlib/hnswlib.h>
#include <time.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "bench/memory_shard.hpp"
#include "bench/mixes.hpp"
#include "engine/distance/distance.hpp"
#include "engine/search/nearest.hpp"
#include "test/engine/test_data.hpp"

using namespace nphd;
using nphd::bench::Mix;
using nphd::bench::Share;
using nphd::test::CodeSet;
using nphd::test::DataSet;

namespace {

constexpr std::uint32_t kNearest = 10, kRounds = 5, kSelfQueries = 1000;
constexpr double kDefaultRecall = 0.95;  // of nphd.recall
constexpr std::array<std::size_t, 9> kEfforts = {10, 20, 40, 80, 160, 320, 640, 1280, 2560};
constexpr double kNever = std::numeric_limits<double>::max();

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "compare_mixes: %s\n", what);
    std::exit(1);
}

double thread_cpu_us() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

/// Of all threads: a shard is built by one of its own.
double process_cpu_seconds() {
    timespec t{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_nsec) / 1e9;
}

/// The distances of the ten nearest that a search found, ascending.
using Distances = std::vector<double>;

/// One way to search the codes of a mix.
class Way {
public:
    virtual ~Way() = default;
    /// Queries of this length come next.
    virtual void prepare(std::uint32_t /*query_bytes*/) {}
    virtual void search(CodeBytes query, Distances& found) = 0;
};

/// What can be searched with more effort or less; 0: as much as it thinks fit.
class Index {
public:
    virtual ~Index() = default;
    virtual void search(CodeBytes query, std::size_t ef, Distances& found) = 0;
};

/// An index at an effort of its own for each length of query.
class IndexSearch final : public Way {
public:
    /// `wanted_recall`: what the effort is chosen for; nothing: the index chooses.
    explicit IndexSearch(Index& index, std::optional<double> wanted_recall = {})
        : index_(index), wanted_recall_(wanted_recall) {}
    void prepare(std::uint32_t query_bytes) override { ef_ = efforts_[query_bytes]; }
    void search(CodeBytes query, Distances& found) override { index_.search(query, ef_, found); }
    void set_effort(std::uint32_t query_bytes, std::size_t ef) { efforts_[query_bytes] = ef_ = ef; }
    std::size_t effort() const { return ef_; }
    std::optional<double> wanted_recall() const { return wanted_recall_; }

private:
    Index& index_;
    std::optional<double> wanted_recall_;
    std::map<std::uint32_t, std::size_t> efforts_;
    std::size_t ef_ = 0;
};

/// The ten nearest of the lanes added to a search.
void take_nearest(NearestSearch& search, Distances& found) {
    NearestHit hit{};
    while (found.size() < kNearest) {
        const auto step = search.step(hit);
        if (step == NearestSearch::Step::end) break;
        if (step == NearestSearch::Step::hit) found.push_back(search.distance(hit));
    }
}

/// A lane for each length: a shard as an index has it, at the default settings.
class Lanes final : public Index {
public:
    explicit Lanes(const std::vector<CodeBytes>& codes)
        : shard_(static_cast<std::uint32_t>(codes.size()), [&](std::uint32_t i) { return codes[i]; }) {}
    void search(CodeBytes query, std::size_t ef, Distances& found) override {
        NearestOptions options;
        if (ef == 0)
            options.recall = kDefaultRecall;
        else
            options.ef_search = static_cast<std::uint32_t>(ef);
        run(query, options, found);
    }
    void search_exactly(CodeBytes query, Distances& found) {
        NearestOptions options;
        options.exact = true;
        run(query, options, found);
    }

private:
    void run(CodeBytes query, const NearestOptions& options, Distances& found) {
        search_.reset(query, options);
        for (const LaneView& lane : shard_.view().lanes) search_.add_lane(lane, {});
        take_nearest(search_, found);
    }

    bench::MemoryShard shard_;
    NearestSearch search_;
};

/// A code of any length as an element of the one graph.
struct Element {
    std::uint32_t bytes;
    std::uint8_t code[bench::kLongestBytes];

    explicit Element(CodeBytes of) : bytes(static_cast<std::uint32_t>(of.size())) {
        std::memcpy(code, of.data(), of.size());
    }
    static CodeBytes code_at(const void* element) {
        std::uint32_t bytes;
        std::memcpy(&bytes, element, sizeof bytes);
        return {static_cast<const std::uint8_t*>(element) + offsetof(Element, code), bytes};
    }
};

class PrefixHammingSpace final : public hnswlib::SpaceInterface<double> {
public:
    explicit PrefixHammingSpace(std::uint32_t longest_bytes) : bytes_(offsetof(Element, code) + longest_bytes) {}
    std::size_t get_data_size() override { return bytes_; }
    hnswlib::DISTFUNC<double> get_dist_func() override {
        return [](const void* a, const void* b, const void*) {
            return nphd_distance(Element::code_at(a), Element::code_at(b));
        };
    }
    void* get_dist_func_param() override { return nullptr; }

private:
    std::size_t bytes_;
};

/// One graph over the codes of all lengths.
class UnionGraph final : public Index {
public:
    UnionGraph(const std::vector<CodeBytes>& codes, std::uint32_t longest_bytes, std::size_t build_effort)
        : space_(longest_bytes), graph_(&space_, codes.size(), 16, build_effort) {
        for (std::size_t i = 0; i < codes.size(); ++i) {
            const Element element(codes[i]);
            graph_.addPoint(&element, i);
        }
    }
    void search(CodeBytes query, std::size_t ef, Distances& found) override {
        const Element element(query);
        graph_.setEf(ef);
        auto nearest = graph_.searchKnn(&element, kNearest);
        for (; !nearest.empty(); nearest.pop()) found.push_back(nearest.top().first);
        std::reverse(found.begin(), found.end());
    }

private:
    PrefixHammingSpace space_;
    hnswlib::HierarchicalNSW<double> graph_;
};

/// Of each length a plane of what a query is compared with, without a gap, which the engine's exact search reads: as
/// if a plane had been stored for just this length of query.
class PrefixScan final : public Way {
public:
    explicit PrefixScan(const std::vector<CodeBytes>& codes) {
        for (const CodeBytes code : codes) by_length_[static_cast<std::uint32_t>(code.size())].push_back(code);
    }
    void prepare(std::uint32_t query_bytes) override {
        planes_.clear();
        for (const auto& [bytes, codes] : by_length_) planes_.emplace_back(codes, std::min(bytes, query_bytes));
    }
    void search(CodeBytes query, Distances& found) override {
        NearestOptions options;
        options.exact = true;
        search_.reset(query, options);
        for (const Plane& plane : planes_) search_.add_lane(plane.view, {});
        take_nearest(search_, found);
    }

private:
    struct Plane {
        CodeSet prefixes;
        std::vector<std::uint32_t> offsets;  // a posting for each, though prefixes repeat
        LaneView view;

        Plane(const std::vector<CodeBytes>& codes, std::uint32_t bytes) : prefixes(bytes) {
            prefixes.reserve(codes.size());
            for (const CodeBytes code : codes) {
                offsets.push_back(prefixes.size());
                prefixes.add(code.first(bytes));
            }
            offsets.push_back(prefixes.size());
            view.code_bytes = bytes;
            view.nodes = view.postings = prefixes.size();
            view.codes = prefixes.records();
            view.posting_offsets = RecordArray::plain(offsets.data(), sizeof(std::uint32_t), view.nodes + 1);
        }
    };

    std::map<std::uint32_t, std::vector<CodeBytes>> by_length_;
    std::deque<Plane> planes_;  // the views point into them
    NearestSearch search_;
};

/// Queries of one length and how far the true tenth of each is.
struct Queries {
    std::vector<CodeBytes> codes;
    std::vector<double> tenths;

    Queries(const CodeSet& from, std::uint32_t bytes, Lanes& truth) {
        for (std::uint32_t i = 0; i < from.size(); ++i) {
            codes.push_back(from.code(i).first(bytes));
            Distances nearest;
            truth.search_exactly(codes.back(), nearest);
            tenths.push_back(nearest.back());
        }
    }
};

struct Figures {
    double us = kNever, recall = 0;
};

/// One pass over the queries; keeps the best time.
void pass(Way& way, const Queries& queries, Figures& figures) {
    std::vector<Distances> found(queries.codes.size());
    const double start = thread_cpu_us();
    for (std::size_t q = 0; q < found.size(); ++q) way.search(queries.codes[q], found[q]);
    const double n = static_cast<double>(found.size());
    figures.us = std::min(figures.us, (thread_cpu_us() - start) / n);
    std::ptrdiff_t hits = 0;
    for (std::size_t q = 0; q < found.size(); ++q)
        hits += std::ranges::count_if(found[q], [&](double d) { return d <= queries.tenths[q]; });
    figures.recall = static_cast<double>(hits) / n / kNearest;
}

/// The smallest effort that finds as much as is wanted, or the greatest.
void choose_effort(IndexSearch& search, std::uint32_t query_bytes, const Queries& queries) {
    if (!search.wanted_recall()) return search.set_effort(query_bytes, 0);
    for (const std::size_t ef : kEfforts) {
        search.set_effort(query_bytes, ef);
        Figures figures;
        pass(search, queries, figures);
        if (figures.recall >= *search.wanted_recall()) return;
    }
}

/// Of stored codes, how many are not at distance 0 of what a search for them finds first.
std::uint32_t lost(Way& way, const std::vector<CodeBytes>& codes) {
    std::uint32_t lost = 0;
    for (std::size_t i = 0; i < kSelfQueries; ++i) {
        const CodeBytes code = codes[i * codes.size() / kSelfQueries];
        way.prepare(static_cast<std::uint32_t>(code.size()));
        Distances found;
        way.search(code, found);
        lost += found.empty() || found.front() != 0;
    }
    return lost;
}

/// The codes of the rows of a mix, each once. They stay where they are.
std::vector<CodeBytes> distinct_codes(const CodeSet& rows, const Mix& mix) {
    std::unordered_set<std::string_view> seen;
    std::vector<CodeBytes> codes;
    for (std::uint32_t i = 0; i < rows.size(); ++i) {
        const CodeBytes code = rows.code(i).first(bench::bytes_of_row(mix, i));
        if (seen.emplace(reinterpret_cast<const char*>(code.data()), code.size()).second) codes.push_back(code);
    }
    return codes;
}

/// A way as it was built.
template <class T>
struct Built {
    std::unique_ptr<T> way;
    double cpu_seconds;

    template <class... Arguments>
    explicit Built(const Arguments&... arguments) {
        const double start = process_cpu_seconds();
        way = std::make_unique<T>(arguments...);
        cpu_seconds = process_cpu_seconds() - start;
    }
};

/// The lines of a mix in one: the longest time and the least recall of each way.
Figures worse(const Figures& a, const Figures& b) { return {std::max(a.us, b.us), std::min(a.recall, b.recall)}; }

/// All ways to search the codes of one mix.
class Comparison {
public:
    static constexpr const char* kColumns =
        " lanes: default | lanes: 0.95 | lanes: 0.99 | union 64: 0.95 | union 64: 0.99 | union 128: 0.95 | "
        "union 128: 0.99 | scan of prefixes |";
    static constexpr const char* kColumnRules = "--:|--:|--:|--:|--:|--:|--:|--:|";

    Comparison(const char* data, const Mix& mix, const DataSet& set)
        : data_(data),
          mix_(mix),
          queries_(set.queries),
          codes_(distinct_codes(set.codes, mix)),
          lanes_(codes_),
          small_(codes_, mix.shares.back().bytes(), 64u),
          large_(codes_, mix.shares.back().bytes(), 128u),
          searches_{IndexSearch(*lanes_.way),       IndexSearch(*lanes_.way, 0.95), IndexSearch(*lanes_.way, 0.99),
                    IndexSearch(*small_.way, 0.95), IndexSearch(*small_.way, 0.99), IndexSearch(*large_.way, 0.95),
                    IndexSearch(*large_.way, 0.99)},
          scan_(codes_) {
        worst_.fill({0, 1});
    }

    /// A line for each length of query.
    void print_lengths() {
        for (const Share& share : mix_.shares) {
            const Queries queries(queries_, share.bytes(), *lanes_.way);
            for (IndexSearch& search : searches_) choose_effort(search, share.bytes(), queries);
            const auto figures = in_turns(share.bytes(), queries);
            if (figures.back().recall != 1) fail("the scan of the prefixes finds others than the exact search");
            for (std::size_t w = 0; w < figures.size(); ++w) worst_[w] = worse(worst_[w], figures[w]);
            std::printf("| %s | %s | %u |", data_, mix_.name, share.bits);
            for (std::size_t i = 0; i < searches_.size(); ++i) {
                const std::size_t ef = searches_[i].effort();
                const std::string effort = ef == 0 ? "" : ", " + std::to_string(ef);
                std::printf(" %.1f (%.3f%s) |", figures[i].us, figures[i].recall, effort.c_str());
            }
            std::printf(" %.1f |\n", figures.back().us);
            std::fflush(stdout);
        }
    }

    /// The line of the mix, after print_lengths().
    std::string summary() {
        std::string line = std::string("| ") + data_ + " | " + mix_.name + " |";
        for (std::size_t i = 0; i < searches_.size(); ++i)
            line += text(" %.1f (%.3f) |", worst_[i].us, worst_[i].recall);
        line += text(" %.1f |", worst_.back().us);
        line += text(" %.1f | %.1f | %.1f |", lanes_.cpu_seconds, small_.cpu_seconds, large_.cpu_seconds);
        for (const Column column : {lanes_default, small_95, large_95})
            line += text(" %u |", lost(searches_[column], codes_));
        return line;
    }

private:
    enum Column { lanes_default, lanes_95, lanes_99, small_95, small_99, large_95, large_99, scan_of_prefixes };
    using AllFigures = std::array<Figures, scan_of_prefixes + 1>;

    template <class... Values>
    static std::string text(const char* format, Values... values) {
        char out[128];
        std::snprintf(out, sizeof out, format, values...);
        return out;
    }

    AllFigures in_turns(std::uint32_t query_bytes, const Queries& queries) {
        AllFigures figures;
        scan_.prepare(query_bytes);
        for (std::uint32_t round = 0; round < kRounds; ++round) {
            for (std::size_t i = 0; i < searches_.size(); ++i) pass(searches_[i], queries, figures[i]);
            pass(scan_, queries, figures.back());
        }
        return figures;
    }

    const char* data_;
    const Mix& mix_;
    const CodeSet& queries_;
    std::vector<CodeBytes> codes_;
    Built<Lanes> lanes_;
    Built<UnionGraph> small_, large_;
    std::array<IndexSearch, scan_of_prefixes> searches_;
    PrefixScan scan_;
    AllFigures worst_;
};

}  // namespace

int main(int argc, char** argv) {
    const auto argument = [&](int i, unsigned long otherwise) {
        return argc > i ? std::strtoul(argv[i], nullptr, 10) : otherwise;
    };
    const auto rows = static_cast<std::uint32_t>(argument(1, 1000000)),
               n_queries = static_cast<std::uint32_t>(argument(2, 300));
    const std::uint64_t seed = argument(3, 21);
    std::printf("%u rows, %u queries, seed %lu, kernels %s\n\n", rows, n_queries, static_cast<unsigned long>(seed),
                kernels().name);
    std::printf("| data | lengths | query bits |%s\n|---|---|--:|%s\n", Comparison::kColumns, Comparison::kColumnRules);
    std::vector<std::string> summaries;
    const auto compare = [&](const char* data, const DataSet& set) {
        for (const Mix& mix : bench::mixes()) {
            Comparison comparison(data, mix, set);
            comparison.print_lengths();
            summaries.push_back(comparison.summary());
        }
    };
    compare("clustered families", test::clustered_family_data(rows, n_queries, bench::kLongestBytes, seed));
    compare("near-duplicates", test::near_duplicate_data(rows, n_queries, bench::kLongestBytes, seed));
    std::printf(
        "\n| data | lengths |%s build, CPU s: lanes | union 64 | union 128 | lost: lanes | union 64 | union 128 "
        "|\n|---|---|%s--:|--:|--:|--:|--:|--:|\n",
        Comparison::kColumns, Comparison::kColumnRules);
    for (const std::string& line : summaries) std::printf("%s\n", line.c_str());
    return 0;
}
