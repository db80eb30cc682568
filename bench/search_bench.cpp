// What a search costs and what it finds: the graph at several slacks over heap pages and over the same pages in a
// mapped file, the exact scan against a plain read of the same pages, where the graph begins to beat the scan, and what
// effort a wanted recall comes to. All that is compared is measured in turns in the same run; times are of the best
// pass, so that a busy machine does not blur them.
//
//   search_bench --rows=1000000 --benchmark_filter='graph/clustered'
#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engine/search/calibration.hpp"
#include "engine/search/code_lookup.hpp"
#include "engine/search/dead_nodes.hpp"
#include "engine/search/nearest.hpp"
#include "engine/search/within.hpp"
#include "engine/shard/shard_build.hpp"
#include "engine/shard/shard_view.hpp"
#include "test/engine/filter_fixture.hpp"
#include "test/engine/test_data.hpp"

namespace nphd {
namespace {

using test::CodeSet;
using test::DataSet;

constexpr std::uint32_t kQueries = 300, kNearest = 10;
std::uint32_t rows = 1000000;

/// CPU time of this thread in microseconds: others on the machine do not count.
double cpu_us() {
    timespec t{};
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
}

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

constexpr unsigned kBuildThreads = 2;

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "search_bench: %s\n", what);
    std::exit(1);
}

struct Free {
    void operator()(void* p) const { std::free(p); }
};

/// The pages of one shard in memory and, the same bytes, in a mapped file.
class Shard {
public:
    Shard(const CodeSet& codes, const ShardOptions& options) {
        MemoryBudget budget;
        auto input = std::make_unique<ShardInput>(budget);
        for (std::uint32_t i = 0; i < codes.size(); ++i)
            input->add(codes.code(i), {i / 200, static_cast<std::uint16_t>(i % 200 + 1)});
        const double start = now();
        ShardBuild build(std::move(input), options, kBuildThreads, budget);
        build.start();
        build.finish();
        build_seconds = now() - start;
        bytes_ = build.summary().pages * kPageBytes;
        heap_.reset(std::aligned_alloc(kPageBytes, bytes_));
        auto* const pages = static_cast<std::uint8_t*>(heap_.get());
        std::fill(pages, pages + bytes_, std::uint8_t{0});
        for (std::uint32_t p = 0; p < build.summary().pages; ++p) build.fill_page(p, 1, 1, pages + p * kPageBytes);
        file_ = std::tmpfile();
        if (!file_ || std::fwrite(pages, 1, bytes_, file_) != bytes_ || std::fflush(file_) != 0)
            fail("cannot write the temporary file");
        mapped_ = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, fileno(file_), 0);
        if (mapped_ == MAP_FAILED) fail("cannot map the temporary file");
        open(pages, in_heap);
        open(static_cast<const std::uint8_t*>(mapped_), in_file);
    }
    ~Shard() {
        munmap(mapped_, bytes_);
        std::fclose(file_);
    }
    Shard(const Shard&) = delete;

    /// Sums all words of the codes' pages: the fastest that a scan could be.
    std::uint64_t read_codes() const {
        const RecordArray& codes = in_heap.lanes[0].codes;
        using Words = std::uint64_t __attribute__((vector_size(32)));
        const std::size_t n =
            std::size_t{RecordArray::pages_for(codes.count, codes.record_bytes)} * kPageBytes / sizeof(Words);
        const auto* p = reinterpret_cast<const Words*>(codes.base - kPageDataOffset);
        Words a{}, b{}, c{}, d{};
        for (std::size_t i = 0; i + 4 <= n; i += 4) {
            a += p[i];
            b += p[i + 1];
            c += p[i + 2];
            d += p[i + 3];
        }
        a += b + c + d;
        return a[0] + a[1] + a[2] + a[3];
    }

    ShardView in_heap, in_file;
    double build_seconds = 0;

private:
    void open(const std::uint8_t* pages, ShardView& view) const {
        ShardDamage damage{};
        if (!open_shard(pages, static_cast<std::uint32_t>(bytes_ / kPageBytes), 1, 1, view, damage)) fail(damage.what);
    }

    std::size_t bytes_ = 0;
    std::unique_ptr<void, Free> heap_;
    std::FILE* file_ = nullptr;
    void* mapped_ = nullptr;
};

struct Pass {
    double us = std::numeric_limits<double>::max();  // per query, of the best pass
    double recall = 0;
    double distances = 0;
};

/// Tombstones of a shard of one lane, and the same by node.
struct Dead {
    std::vector<std::uint8_t> postings, nodes;
};

class Searcher {
public:
    Searcher(const CodeSet& queries, std::size_t query_bytes, const ShardView& truth, const Dead& dead = {})
        : queries_(queries), bytes_(query_bytes) {
        options_.metric = truth.metric;
        options_.exact = true;
        Pass ignored;
        farthest_.assign(queries.size(), 0xFFFFFFFFu);
        pass(truth, ignored, dead);
        options_.exact = false;
    }
    NearestOptions& options() { return options_; }

    void pass(const ShardView& shard, Pass& best, const Dead& dead = {}) {
        double hits = 0, distances = 0;
        const double start = cpu_us();
        for (std::uint32_t q = 0; q < queries_.size(); ++q) {
            search_.reset(queries_.code(q).first(bytes_), options_);
            for (const LaneView& lane : shard.lanes) search_.add_lane(lane, dead.postings, dead.nodes);
            NearestHit hit{};
            for (std::uint32_t k = 0; k < kNearest;) {
                if (search_.step(hit) != NearestSearch::Step::hit) continue;
                ++k;
                hits += hit.key <= farthest_[q];
            }
            if (options_.exact) farthest_[q] = hit.key;
            distances += static_cast<double>(search_.distances());
        }
        const double us = (cpu_us() - start) / queries_.size();
        best.us = std::min(best.us, us);
        best.recall = hits / queries_.size() / kNearest;
        best.distances = distances / queries_.size();
    }

private:
    const CodeSet& queries_;
    std::size_t bytes_;
    NearestOptions options_;
    std::vector<DistanceKey> farthest_;  // of the true nearest
    NearestSearch search_;
};

DataSet make_data(const std::string& kind, std::uint32_t n, std::uint32_t code_bytes) {
    if (kind == "clustered") return test::clustered_data(n, kQueries, code_bytes, 7);
    if (kind == "clustered_families") return test::clustered_family_data(n, kQueries, code_bytes, 7);
    if (kind == "near_duplicates") return test::near_duplicate_data(n, kQueries, code_bytes, 7);
    return test::uniform_data(n, kQueries, code_bytes, 7);
}

struct Prepared {
    DataSet data;
    Shard shard;
    Prepared(const std::string& kind, std::uint32_t n, std::uint32_t code_bytes, const ShardOptions& options)
        : data(make_data(kind, n, code_bytes)), shard(data.codes, options) {}
};

/// Built at first use and kept, for building takes longer than any measurement.
const Prepared& prepared(const std::string& kind) {
    static std::map<std::string, std::unique_ptr<Prepared>> all;
    auto& p = all[kind];
    if (!p) p = std::make_unique<Prepared>(kind, rows, 32, ShardOptions{});
    return *p;
}

void graph(benchmark::State& state, const std::string& kind, std::size_t query_bytes, double slack) {
    const Prepared& p = prepared(kind);
    Searcher searcher(p.data.queries, query_bytes, p.shard.in_heap);
    searcher.options().slack = slack;
    Pass heap, mapped;
    searcher.pass(p.shard.in_file, mapped);  // page faults are no part of this
    mapped = {};
    for ([[maybe_unused]] auto _ : state) {
        searcher.pass(p.shard.in_heap, heap);
        searcher.pass(p.shard.in_file, mapped);
    }
    state.counters["us"] = heap.us;
    state.counters["recall"] = heap.recall;
    state.counters["distances"] = heap.distances;
    state.counters["mapped_over_heap"] = mapped.us / heap.us;
}

void exact(benchmark::State& state, const std::string& kind, std::size_t query_bytes) {
    const Prepared& p = prepared(kind);
    const CodeSet queries = [&] {
        CodeSet some(p.data.queries.code_bytes());
        for (std::uint32_t i = 0; i < 20; ++i) some.add(p.data.queries.code(i));
        return some;
    }();
    Searcher searcher(queries, query_bytes, p.shard.in_heap);
    searcher.options().exact = true;
    Pass scan;
    double read = std::numeric_limits<double>::max();
    for ([[maybe_unused]] auto _ : state) {
        searcher.pass(p.shard.in_heap, scan);
        const double start = cpu_us();
        for (std::uint32_t i = 0; i < queries.size(); ++i) benchmark::DoNotOptimize(p.shard.read_codes());
        read = std::min(read, (cpu_us() - start) / queries.size());
    }
    state.counters["us"] = scan.us;
    state.counters["over_read"] = scan.us / read;
}

/// A fifth of the rows dead, drawn at random: the graph's time when tombstones are known by posting only and by node
/// too, both over that without any, and the time that it takes to know them by node.
void dead(benchmark::State& state, const std::string& kind) {
    const Prepared& p = prepared(kind);
    const LaneView& lane = p.shard.in_file.lanes[0];
    Dead by_posting, by_node;
    by_posting.postings.assign(lane.postings / 8 + 1, 0);
    test::TestRandom random(7);
    for (std::uint32_t i = 0; i < lane.postings; ++i)
        if (random.below(5) == 0) by_posting.postings[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    by_node.postings = by_posting.postings;
    by_node.nodes.assign(dead_nodes_bytes(lane), 0);
    Searcher all(p.data.queries, 32, p.shard.in_heap), living(p.data.queries, 32, p.shard.in_heap, by_posting);
    Pass without, posting, node;
    double us = std::numeric_limits<double>::max();
    for ([[maybe_unused]] auto _ : state) {
        all.pass(p.shard.in_file, without);
        living.pass(p.shard.in_file, posting, by_posting);
        const double start = cpu_us();
        mark_dead_nodes(lane, by_node.postings, 0, lane.nodes, by_node.nodes.data());
        us = std::min(us, cpu_us() - start);
        living.pass(p.shard.in_file, node, by_node);
    }
    state.counters["us"] = without.us;
    state.counters["by_posting_over"] = posting.us / without.us;
    state.counters["by_node_over"] = node.us / without.us;
    state.counters["recall"] = node.recall;
    state.counters["pass_us"] = us;
}

/// How a column of a lane goes with its codes.
enum class Correlation { none, positive, negative };

/// Values of columns are below this, each as often as any other.
constexpr std::uint32_t kValues = 1u << 20;

/// A lane with a column of values that are drawn; or for each of some queries, with values that ascend (descend) with
/// the distance from it, but for much noise.
class FilteredLane {
public:
    FilteredLane(const LaneView& lane, const CodeSet& queries, Correlation correlation) {
        const std::uint32_t n = correlation == Correlation::none ? 1 : kCorrelatedQueries;
        std::vector<NodeId> order(lane.nodes);
        test::TestRandom random(std::uint64_t{1} << 41);
        for (std::uint32_t q = 0; q < n; ++q) {
            test::ColumnValues values(lane.postings);
            if (correlation == Correlation::none) {
                for (auto& v : values) v = random.below(kValues);
            } else {
                std::vector<double> score(lane.nodes);
                for (NodeId i = 0; i < lane.nodes; ++i) {
                    const double d = kernels().hamming(queries.code(q).data(), lane.code(i).data(), lane.code_bytes);
                    score[i] = (correlation == Correlation::positive ? d : -d) + 12 * random.normal();
                    order[i] = i;
                }
                std::sort(order.begin(), order.end(), [&](NodeId a, NodeId b) { return score[a] < score[b]; });
                for (NodeId i = 0; i < lane.nodes; ++i) values[order[i]] = std::uint64_t{i} * kValues / lane.nodes;
            }
            auto& made = queries_.emplace_back();
            made.lane = lane;
            made.column = std::make_unique<test::PlainColumns>(made.lane);
            made.column->add(4, values, true);
        }
    }
    const LaneView& lane(std::uint32_t q) const { return queries_[q % queries_.size()].lane; }
    static constexpr std::uint32_t kCorrelatedQueries = 12;

private:
    struct Copy {
        LaneView lane;
        std::unique_ptr<test::PlainColumns> column;
    };
    std::deque<Copy> queries_;
};

/// A query under a filter: time and recall, against the same without one, and against reading the codes that pass
/// alone. Medians over the queries of the best of all passes.
void filter(benchmark::State& state, const std::string& kind, Correlation correlation, double share) {
    const Prepared& p = prepared(kind);
    const std::uint32_t n = correlation == Correlation::none ? 100 : FilteredLane::kCorrelatedQueries;
    static std::map<Correlation, std::unique_ptr<FilteredLane>> lanes;
    auto& filtered = lanes[correlation];
    if (!filtered) filtered = std::make_unique<FilteredLane>(p.shard.in_file.lanes[0], p.data.queries, correlation);
    const ValueRange range{0, static_cast<FilterValue>(share * kValues)};
    const ColumnCondition condition{0, false, {&range, 1}};
    NearestSearch search;
    const auto run = [&](std::uint32_t q, const NearestOptions& options, std::vector<NearestHit>& hits) {
        hits.clear();
        const double start = cpu_us();
        search.reset(p.data.queries.code(q), options);
        search.add_lane(filtered->lane(q), {});
        NearestHit hit{};
        while (hits.size() < kNearest) {
            const auto step = search.step(hit);
            if (step == NearestSearch::Step::end) break;
            if (step == NearestSearch::Step::hit) hits.push_back(hit);
        }
        return cpu_us() - start;
    };
    NearestOptions plain, with_filter, exact;
    plain.metric = with_filter.metric = exact.metric = p.shard.in_file.metric;
    plain.recall = with_filter.recall = 0.95;
    with_filter.filter = exact.filter = {{&condition, 1}};
    exact.exact = true;
    constexpr double kNever = std::numeric_limits<double>::max();
    std::vector<double> us(n, kNever), unfiltered(n, kNever), reading(n, kNever);
    std::vector<NearestHit> hits, truth;
    double recall = 0, distances = 0;
    std::map<LaneAccount::Way, int> ways;
    for ([[maybe_unused]] auto _ : state) {
        recall = distances = 0;
        for (std::uint32_t q = 0; q < n; ++q) reading[q] = std::min(reading[q], run(q, exact, truth));
        for (std::uint32_t q = 0; q < n; ++q) unfiltered[q] = std::min(unfiltered[q], run(q, plain, hits));
        for (std::uint32_t q = 0; q < n; ++q) {
            us[q] = std::min(us[q], run(q, with_filter, hits));
            ++ways[search.account(0).way];
            distances += static_cast<double>(search.distances()) / n;
            run(q, exact, truth);
            if (truth.empty()) continue;
            const auto good =
                std::count_if(hits.begin(), hits.end(), [&](const NearestHit& h) { return h.key <= truth.back().key; });
            recall += static_cast<double>(good) / static_cast<double>(truth.size()) / n;
        }
    }
    const auto median = [](std::vector<double> v) {
        std::nth_element(v.begin(), v.begin() + static_cast<std::ptrdiff_t>(v.size() / 2), v.end());
        return v[v.size() / 2];
    };
    state.counters["us"] = median(us);
    state.counters["recall"] = recall;
    state.counters["distances"] = distances;
    state.counters["us_unfiltered"] = median(unfiltered);
    state.counters["us_reading"] = median(reading);
    const double all = static_cast<double>(state.iterations()) * n;
    state.counters["walked"] = (ways[LaneAccount::graph] + ways[LaneAccount::graph_scan]) / all;
    state.counters["gave_way"] = ways[LaneAccount::graph_scan] / all;
}

/// Time of a WithinSearch over all queries, microseconds a query, and how much it finds.
double within_us(const Prepared& p, WithinSearch& search, const std::vector<double>& radii, double& found) {
    std::vector<WithinHit> hits;
    found = 0;
    const double start = cpu_us();
    for (std::uint32_t q = 0; q < p.data.queries.size(); ++q) {
        search.reset(p.data.queries.code(q), p.shard.in_file.metric, radii[q]);
        for (const LaneView& lane : p.shard.in_file.lanes) search.add_lane(lane, {});
        for (bool more = true; more; found += static_cast<double>(hits.size())) more = search.step(hits);
    }
    found /= p.data.queries.size();
    return (cpu_us() - start) / p.data.queries.size();
}

/// All codes within so many bits, or within the radius that takes in the nearest hundredth (bits = 0): time, and time
/// over that of the plain scan, which computes all distances and looks at none.
void within(benchmark::State& state, const std::string& kind, std::uint32_t bits) {
    const Prepared& p = prepared(kind);
    const LaneView& lane = p.shard.in_file.lanes[0];
    std::vector<double> radii(p.data.queries.size(), bits / 256.0);
    std::vector<std::uint32_t> raw(lane.nodes);
    double scan_us = std::numeric_limits<double>::max(), us = scan_us, found = 0;
    const auto scan = [&](std::uint32_t q) {
        Probe probe;
        probe.words = p.data.queries.words(q).data();
        probe.n_words = 4;
        probe.bits = 256;
        static constexpr std::uint32_t kBlock = 1024;
        for (NodeId at = 0; at < lane.nodes; at += kBlock)
            kernels().hamming_range(probe, lane.codes, at, std::min(kBlock, lane.nodes - at), raw.data() + at);
    };
    for (std::uint32_t q = 0; bits == 0 && q < radii.size(); ++q) {
        scan(q);
        std::nth_element(raw.begin(), raw.begin() + lane.nodes / 100, raw.end());
        radii[q] = raw[lane.nodes / 100] / 256.0;
    }
    WithinSearch search;
    for ([[maybe_unused]] auto _ : state) {
        us = std::min(us, within_us(p, search, radii, found));
        const double start = cpu_us();
        for (std::uint32_t q = 0; q < 20; ++q) scan(q);
        scan_us = std::min(scan_us, (cpu_us() - start) / 20);
    }
    state.counters["us"] = us;
    state.counters["found"] = found;
    state.counters["over_scan"] = us / scan_us;
}

/// For lanes of `n` codes: the graph's time at default settings, and how many times longer the scan takes.
void threshold(benchmark::State& state, const std::string& kind, std::uint32_t code_bytes) {
    const auto n = static_cast<std::uint32_t>(state.range(0));
    ShardOptions options;
    options.graph_threshold = 1;
    const Prepared p(kind, n, code_bytes, options);
    Searcher searcher(p.data.queries, code_bytes, p.shard.in_heap);
    Pass walked, scanned;
    for ([[maybe_unused]] auto _ : state) {
        searcher.options().exact = false;
        searcher.pass(p.shard.in_heap, walked);
        searcher.options().exact = true;
        searcher.pass(p.shard.in_heap, scanned);
    }
    state.counters["us"] = walked.us;
    state.counters["recall"] = walked.recall;
    state.counters["scan_over_graph"] = scanned.us / walked.us;
}

/// Nanoseconds to find a code that is there, and one that is not.
void look_up(benchmark::State& state, const LaneView& lane) {
    constexpr std::uint32_t kLookUps = 20000;
    test::TestRandom random(std::uint64_t{1} << 40);  // near seeds give the same numbers later on
    CodeSet there(lane.code_bytes), absent(lane.code_bytes);
    for (std::uint32_t i = 0; i < kLookUps; ++i) {
        there.add(lane.code(random.below(lane.nodes)));
        absent.set_random(absent.add(), random);
    }
    const auto ns = [&](const CodeSet& codes, std::uint32_t& found) {
        found = 0;
        const double start = cpu_us();
        for (std::uint32_t i = 0; i < kLookUps; ++i) found += find_code(lane, codes.code(i)) != kNoNode;
        return (cpu_us() - start) * 1e3 / kLookUps;
    };
    double hit = std::numeric_limits<double>::max(), miss = hit;
    std::uint32_t found = 0, false_finds = 0;
    for ([[maybe_unused]] auto _ : state) {
        hit = std::min(hit, ns(there, found));
        miss = std::min(miss, ns(absent, false_finds));
    }
    if (found != kLookUps || false_finds != 0) fail("a look-up is wrong");
    state.counters["hit_ns"] = hit;
    state.counters["miss_ns"] = miss;
}

/// A wanted recall: the effort it comes to (0: the scan), and what that costs and finds, against the least effort and
/// the scan.
void wanted_recall(benchmark::State& state, const std::string& kind, std::size_t query_bytes, double wanted) {
    const Prepared& p = prepared(kind);
    const LaneView& lane = p.shard.in_heap.lanes[0];
    Searcher searcher(p.data.queries, query_bytes, p.shard.in_heap);
    const NearestOptions least = searcher.options();
    NearestOptions by_recall = least, exact = least;
    by_recall.recall = wanted;
    exact.exact = true;
    Pass chosen, walked, scanned, ignored;
    for ([[maybe_unused]] auto _ : state) {
        searcher.options() = exact;
        searcher.pass(p.shard.in_heap, scanned);
        searcher.options() = least;
        searcher.pass(p.shard.in_heap, ignored);  // the scan emptied the caches
        searcher.pass(p.shard.in_heap, walked);
        searcher.options() = by_recall;
        searcher.pass(p.shard.in_heap, chosen);
    }
    state.counters["ef"] = choose_effort(lane, static_cast<std::uint32_t>(8 * query_bytes), wanted);
    state.counters["recall"] = chosen.recall;
    state.counters["us"] = chosen.us;
    state.counters["recall_ef10"] = walked.recall;
    state.counters["us_ef10"] = walked.us;
    state.counters["us_scan"] = scanned.us;
}

/// What the calibration of a lane takes, of the time that its shard takes to build.
void calibration(benchmark::State& state, const std::string& kind) {
    const Prepared& p = prepared(kind);
    const LaneView& lane = p.shard.in_heap.lanes[0];
    const Progress progress;
    std::uint32_t words[16];
    double seconds = std::numeric_limits<double>::max();
    for ([[maybe_unused]] auto _ : state) {
        const double start = now();
        calibrate(lane, p.shard.in_heap.metric, ShardOptions{}.seed, kBuildThreads, progress, words);
        seconds = std::min(seconds, now() - start);
    }
    if (!std::equal(std::begin(words), std::end(words), lane.calibration)) fail("a calibration that is not as stored");
    state.counters["s"] = seconds;
    state.counters["build_s"] = p.shard.build_seconds;
    state.counters["share"] = seconds / p.shard.build_seconds;
}

void register_all() {
    const auto add = [](const std::string& name, auto&& run) {
        return benchmark::RegisterBenchmark(name.c_str(), run)->Unit(benchmark::kMillisecond)->UseRealTime();
    };
    for (const std::string kind : {"clustered", "near_duplicates"}) {
        for (const std::size_t bytes : {32u, 8u}) {
            for (const double slack : {0.02, 0.04, 0.06, 0.08, 0.10, 0.14}) {
                char name[100];
                std::snprintf(name, sizeof name, "graph/%s/%zub/slack:%.2f", kind.c_str(), 8 * bytes, slack);
                add(name, [=](benchmark::State& s) { graph(s, kind, bytes, slack); });
            }
            add("exact/" + kind + "/" + std::to_string(8 * bytes) + "b",
                [=](benchmark::State& s) { exact(s, kind, bytes); });
        }
    }
    for (const std::string kind : {"clustered_families", "near_duplicates"})
        for (const std::uint32_t bits : {8u, 15u, 31u, 47u, 63u, 0u})
            add("within/" + kind + "/" + (bits == 0 ? "hundredth" : std::to_string(bits)), [=](benchmark::State& s) {
                within(s, kind, bits);
            })->Iterations(3);
    for (const auto& [name, correlation] : {std::pair{"none", Correlation::none},
                                            {"positive", Correlation::positive},
                                            {"negative", Correlation::negative}})
        for (const double share : {0.5, 0.1, 0.01, 0.001, 0.0001}) {
            char full[100];
            std::snprintf(full, sizeof full, "filter/%s/%g%%", name, 100 * share);
            add(full, [=](benchmark::State& s) { filter(s, "clustered", correlation, share); })->Iterations(3);
        }
    add("dead/clustered", [](benchmark::State& s) { dead(s, "clustered"); });
    add("look_up/directory/256b", [](benchmark::State& s) {
        look_up(s, prepared("near_duplicates").shard.in_file.lanes[0]);
    })->Iterations(20);
    for (const std::uint32_t bytes : {8u, 32u, 1024u})
        add("look_up/scan/" + std::to_string(8 * bytes) + "b", [=](benchmark::State& s) {
            const Prepared p("uniform", ShardOptions{}.directory_threshold - 1, bytes, ShardOptions{});
            look_up(s, p.shard.in_heap.lanes[0]);
        })->Iterations(3);
    for (const std::string kind : {"clustered", "clustered_families", "near_duplicates", "uniform"}) {
        for (const std::size_t bytes : {32u, 8u})
            for (const double wanted : {0.9, 0.95, 0.99}) {
                char name[100];
                std::snprintf(name, sizeof name, "recall/%s/%zub/%.2f", kind.c_str(), 8 * bytes, wanted);
                add(name, [=](benchmark::State& s) { wanted_recall(s, kind, bytes, wanted); })->Iterations(3);
            }
        add("calibration/" + kind, [=](benchmark::State& s) { calibration(s, kind); })->Iterations(3);
    }
    for (const std::string kind : {"clustered", "near_duplicates", "uniform"})
        for (const std::uint32_t bytes : {8u, 32u, 128u})
            add("threshold/" + kind + "/" + std::to_string(8 * bytes) + "b",
                [=](benchmark::State& s) { threshold(s, kind, bytes); })
                ->RangeMultiplier(2)
                ->Range(4096, bytes == 128 ? 32768 : 131072)
                ->Iterations(20);
}

}  // namespace
}  // namespace nphd

int main(int argc, char** argv) {
    int kept = 1;
    for (int i = 1; i < argc; ++i) {
        unsigned n = 0;
        if (std::sscanf(argv[i], "--rows=%u", &n) == 1 && n > 0)
            nphd::rows = n;
        else
            argv[kept++] = argv[i];
    }
    argc = kept;
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    nphd::register_all();
    benchmark::RunSpecifiedBenchmarks();
}
