// nphd beside other indexes over the same codes, queries and measure of recall: pgvector and sequential scans through
// SQL, faiss and hnswlib in this process. Run by bench/compare, which starts the server.
//
//   compare [rows] [queries] [seed] [points file] [clustered | near-duplicates]
//
// Prints Markdown. Points of the plot, `data <tab> contender <tab> recall <tab> queries a second`, go into the file.
// Builds and changes are in CPU seconds of one thread, which other work on the machine disturbs least; searches are
// wall time of one client, taken in turns, the best of several rounds.

#include "bench/sql_bench.hpp"

#include <faiss/IndexBinaryFlat.h>
#include <faiss/IndexBinaryHash.h>
#include <faiss/IndexBinaryHNSW.h>
#include <hnswlib/hnswlib.h>
#include <omp.h>
#include <sys/resource.h>

#include <array>
#include <cstring>
#include <fstream>
#include <memory>
#include <optional>

using namespace nphd::bench;

namespace {

constexpr std::uint32_t kBits = 256, kNearest = 10, kRounds = 5;
constexpr int kLinks = 16, kBuildEffort = 64;  // pgvector's defaults, for every graph but nphd's
constexpr std::array kEfforts = {10, 20, 40, 80, 160, 320, 640, 1000};

double own_cpu_seconds() {
    rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return static_cast<double>(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
           static_cast<double>(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

/// What building and changing an index took; what was not measured is empty.
struct Costs {
    std::optional<double> build_cpu_seconds, bytes, wal_bytes, inserts_per_second, inserts_per_second_folded,
        vacuum_seconds, vacuum_seconds_folded;
};

/// One index, or way to search, at several settings of effort.
class Contender {
public:
    explicit Contender(std::string name) : name_(std::move(name)) {}
    virtual ~Contender() = default;
    const std::string& name() const { return name_; }
    virtual Costs build(const CodeSet& codes) = 0;
    virtual std::vector<std::string> settings() const = 0;
    virtual void choose(std::size_t setting) = 0;
    /// The row numbers of the nearest that it finds.
    virtual std::vector<std::uint32_t> search(const CodeSet& queries, std::uint32_t query) = 0;
    /// Adds rows one by one or as the way is, after the searches; then removes some and cleans up.
    virtual void change(const CodeSet& more, const std::vector<std::uint32_t>& removed, Costs& costs) = 0;
    /// So slow that fewer queries do.
    virtual bool scans() const { return false; }

private:
    std::string name_;
};

std::vector<std::string> effort_labels() {
    std::vector<std::string> labels;
    for (const int effort : kEfforts) labels.push_back("ef " + std::to_string(effort));
    return labels;
}

// ---- in this process ----

class FaissContender : public Contender {
public:
    FaissContender(std::string name, std::unique_ptr<faiss::IndexBinary> index)
        : Contender(std::move(name)), index_(std::move(index)) {}
    Costs build(const CodeSet& codes) override {
        const double start = own_cpu_seconds();
        index_->add(codes.size(), codes.code(0).data());
        Costs costs;
        costs.build_cpu_seconds = own_cpu_seconds() - start;
        return costs;
    }
    std::vector<std::uint32_t> search(const CodeSet& queries, std::uint32_t query) override {
        std::array<std::int32_t, kNearest> distances;
        std::array<std::int64_t, kNearest> labels;
        index_->search(1, queries.code(query).data(), kNearest, distances.data(), labels.data());
        std::vector<std::uint32_t> rows;
        for (const std::int64_t label : labels)
            if (label >= 0) rows.push_back(static_cast<std::uint32_t>(label));
        return rows;
    }
    void change(const CodeSet& more, const std::vector<std::uint32_t>&, Costs& costs) override {
        const double start = now();
        for (std::uint32_t i = 0; i < more.size(); ++i) index_->add(1, more.code(i).data());
        costs.inserts_per_second = more.size() / (now() - start);
    }

protected:
    faiss::IndexBinary& index() { return *index_; }

private:
    std::unique_ptr<faiss::IndexBinary> index_;
};

class FaissFlat final : public FaissContender {
public:
    FaissFlat() : FaissContender("faiss BinaryFlat", std::make_unique<faiss::IndexBinaryFlat>(kBits)) {}
    std::vector<std::string> settings() const override { return {"scan"}; }
    void choose(std::size_t) override {}
    bool scans() const override { return true; }
};

class FaissGraph final : public FaissContender {
public:
    FaissGraph() : FaissContender("faiss BinaryHNSW", make()) {}
    std::vector<std::string> settings() const override { return effort_labels(); }
    void choose(std::size_t setting) override { graph().hnsw.efSearch = kEfforts[setting]; }

private:
    static std::unique_ptr<faiss::IndexBinary> make() {
        auto index = std::make_unique<faiss::IndexBinaryHNSW>(kBits, kLinks);
        index->hnsw.efConstruction = kBuildEffort;
        return index;
    }
    faiss::IndexBinaryHNSW& graph() { return static_cast<faiss::IndexBinaryHNSW&>(index()); }
};

class FaissHash final : public FaissContender {
public:
    FaissHash()
        : FaissContender("faiss BinaryMultiHash", std::make_unique<faiss::IndexBinaryMultiHash>(kBits, 8, 20)) {}
    std::vector<std::string> settings() const override { return {"0 flips", "1 flip", "2 flips"}; }
    void choose(std::size_t setting) override {
        static_cast<faiss::IndexBinaryMultiHash&>(index()).nflip = static_cast<int>(setting);
    }
};

int hamming_of(const void* a, const void* b, const void*) {
    std::array<std::uint64_t, kBits / 64> x, y;
    std::memcpy(x.data(), a, sizeof x);
    std::memcpy(y.data(), b, sizeof y);
    int bits = 0;
    for (std::size_t i = 0; i < x.size(); ++i) bits += __builtin_popcountll(x[i] ^ y[i]);
    return bits;
}

class HammingSpace final : public hnswlib::SpaceInterface<int> {
public:
    std::size_t get_data_size() override { return kBits / 8; }
    hnswlib::DISTFUNC<int> get_dist_func() override { return hamming_of; }
    void* get_dist_func_param() override { return nullptr; }
};

class Hnswlib final : public Contender {
public:
    Hnswlib() : Contender("hnswlib") {}
    Costs build(const CodeSet& codes) override {
        graph_ = std::make_unique<hnswlib::HierarchicalNSW<int>>(&space_, codes.size() * 11 / 10, kLinks, kBuildEffort);
        const double start = own_cpu_seconds();
        for (std::uint32_t i = 0; i < codes.size(); ++i) graph_->addPoint(codes.code(i).data(), i);
        rows_ = codes.size();
        Costs costs;
        costs.build_cpu_seconds = own_cpu_seconds() - start;
        costs.bytes = static_cast<double>(codes.size() * graph_->size_data_per_element_);
        return costs;
    }
    std::vector<std::string> settings() const override { return effort_labels(); }
    void choose(std::size_t setting) override { graph_->setEf(static_cast<std::size_t>(kEfforts[setting])); }
    std::vector<std::uint32_t> search(const CodeSet& queries, std::uint32_t query) override {
        auto found = graph_->searchKnn(queries.code(query).data(), kNearest);
        std::vector<std::uint32_t> rows;
        for (; !found.empty(); found.pop()) rows.push_back(static_cast<std::uint32_t>(found.top().second));
        return rows;
    }
    void change(const CodeSet& more, const std::vector<std::uint32_t>&, Costs& costs) override {
        const double start = now();
        for (std::uint32_t i = 0; i < more.size(); ++i) graph_->addPoint(more.code(i).data(), rows_ + i);
        costs.inserts_per_second = more.size() / (now() - start);
    }

private:
    HammingSpace space_;
    std::unique_ptr<hnswlib::HierarchicalNSW<int>> graph_;
    std::uint32_t rows_ = 0;
};

// ---- through SQL ----

void append_bits(std::string& out, std::span<const std::uint8_t> code) {
    for (const auto byte : code)
        for (int bit = 7; bit >= 0; --bit) out += static_cast<char>('0' + (byte >> bit & 1));
}

/// A table of codes in one type and its searches.
class SqlContender : public Contender {
public:
    using Append = void (*)(std::string&, std::span<const std::uint8_t>);

    SqlContender(std::string name, std::string table, std::string type, Append append)
        : Contender(std::move(name)), table_(std::move(table)), type_(std::move(type)), append_(append) {
        pid_ = db_.run("SELECT pg_backend_pid()");
        for (const char* setting : {"client_min_messages = error", "max_parallel_workers_per_gather = 0",
                                    "max_parallel_maintenance_workers = 0", "maintenance_work_mem = '2GB'"})
            db_.run(std::string("SET ") + setting);
    }
    std::vector<std::uint32_t> search(const CodeSet& queries, std::uint32_t query) override {
        std::string text;
        append_(text, queries.code(query));
        std::vector<std::uint32_t> rows;
        for (const auto& id : db_.execute("nearest", text))
            rows.push_back(static_cast<std::uint32_t>(std::strtoul(id.c_str(), nullptr, 10)));
        return rows;
    }

protected:
    Connection& db() { return db_; }
    const std::string& table() const { return table_; }
    std::string index() const { return table_ + "_index"; }

    void load(const CodeSet& codes) {
        db_.run("DROP TABLE IF EXISTS " + table_);
        db_.run("CREATE TABLE " + table_ + " (id int4 PRIMARY KEY, code " + type_ + " NOT NULL)");
        static constexpr std::uint32_t kBatch = 20000;
        for (std::uint32_t i = 0; i < codes.size(); i += kBatch) copy(codes, i, std::min(codes.size(), i + kBatch), 0);
        db_.run("VACUUM ANALYZE " + table_);
        db_.run("CHECKPOINT");
        rows_ = codes.size();
    }
    /// `method` is what follows USING.
    Costs create_index(const std::string& method) {
        const std::string before = db_.run("SELECT pg_current_wal_insert_lsn()");
        const double start = cpu_seconds_of(pid_);
        db_.run("CREATE INDEX " + index() + " ON " + table_ + " USING " + method);
        Costs costs;
        costs.build_cpu_seconds = cpu_seconds_of(pid_) - start;
        costs.wal_bytes = db_.number("SELECT pg_current_wal_insert_lsn() - '" + before + "'::pg_lsn");
        costs.bytes = db_.number("SELECT pg_relation_size('" + index() + "')");
        db_.run("CHECKPOINT");
        return costs;
    }
    void prepare_nearest(const std::string& operation) {
        db_.prepare("nearest", ("SELECT id FROM " + table_ + " ORDER BY code " + operation + " $1::" + type_ +
                                " LIMIT " + std::to_string(kNearest))
                                   .c_str());
    }
    /// COPY in batches of 1,000, each a transaction; then `folded`; then DELETE and VACUUM and `cleaned`.
    void change_rows(const CodeSet& more, const std::vector<std::uint32_t>& removed, const std::string& folded,
                     Costs& costs) {
        static constexpr std::uint32_t kBatch = 1000;
        double start = now();
        for (std::uint32_t i = 0; i < more.size(); i += kBatch) copy(more, i, std::min(more.size(), i + kBatch), rows_);
        const double inserted = now() - start;
        costs.inserts_per_second = more.size() / inserted;
        if (!folded.empty()) {
            db_.run(folded);
            costs.inserts_per_second_folded = more.size() / (now() - start);
        }
        db_.run("CREATE TEMP TABLE removed (id int4)");
        std::string lines;
        for (const std::uint32_t id : removed) lines += std::to_string(id) + '\n';
        db_.copy("removed", lines);
        db_.run("DELETE FROM " + table_ + " USING removed WHERE removed.id = " + table_ + ".id");
        db_.run("DROP TABLE removed");
        db_.run("CHECKPOINT");
        start = now();
        db_.run("VACUUM (TRUNCATE off) " + table_);
        costs.vacuum_seconds = now() - start;
        if (!folded.empty()) {
            db_.run(folded);
            costs.vacuum_seconds_folded = now() - start;
        }
    }

private:
    void copy(const CodeSet& codes, std::uint32_t first, std::uint32_t last, std::uint32_t id_base) {
        std::string lines;
        for (std::uint32_t i = first; i < last; ++i) {
            lines += std::to_string(id_base + i) + '\t';
            append_(lines, codes.code(i));
            lines += '\n';
        }
        db_.copy(table_, lines);
    }

    Connection db_;
    std::string table_, type_, pid_;
    Append append_;
    std::uint32_t rows_ = 0;
};

class Nphd final : public SqlContender {
public:
    Nphd() : SqlContender("nphd", "codes_nphd", "bitvec(256)", append_hex) {}
    Costs build(const CodeSet& codes) override {
        load(codes);
        const Costs costs = create_index("nphd (code bitvec_hamming_ops)");
        prepare_nearest("<~>");
        return costs;
    }
    std::vector<std::string> settings() const override {
        std::vector<std::string> labels = {"recall 0.95 (default)", "recall 0.99"};
        for (const auto& label : effort_labels()) labels.push_back(label);
        return labels;
    }
    void choose(std::size_t setting) override {
        db().run(std::string("SET nphd.recall = ") + (setting == 1 ? "0.99" : "0.95"));
        db().run("SET nphd.ef_search = " + std::to_string(setting < 2 ? 0 : kEfforts[setting - 2]));
    }
    void change(const CodeSet& more, const std::vector<std::uint32_t>& removed, Costs& costs) override {
        change_rows(more, removed, "SELECT nphd_compact('" + index() + "')", costs);
    }
};

/// Every code compared inside of the index; the index and table are those of Nphd.
class NphdExact final : public SqlContender {
public:
    NphdExact() : SqlContender("nphd.exact", "codes_nphd", "bitvec(256)", append_hex) {}
    Costs build(const CodeSet&) override {
        prepare_nearest("<~>");
        return {};
    }
    std::vector<std::string> settings() const override { return {"scan"}; }
    void choose(std::size_t) override { db().run("SET nphd.exact = on"); }
    void change(const CodeSet&, const std::vector<std::uint32_t>&, Costs&) override {}
    bool scans() const override { return true; }
};

class Pgvector final : public SqlContender {
public:
    Pgvector() : SqlContender("pgvector", "codes_bit", "bit(256)", append_bits) {}
    Costs build(const CodeSet& codes) override {
        load(codes);
        const Costs costs = create_index("hnsw (code bit_hamming_ops) WITH (m = " + std::to_string(kLinks) +
                                         ", ef_construction = " + std::to_string(kBuildEffort) + ")");
        prepare_nearest("<~>");
        return costs;
    }
    std::vector<std::string> settings() const override { return effort_labels(); }
    void choose(std::size_t setting) override { db().run("SET hnsw.ef_search = " + std::to_string(kEfforts[setting])); }
    void change(const CodeSet& more, const std::vector<std::uint32_t>& removed, Costs& costs) override {
        change_rows(more, removed, "", costs);
    }
};

/// The table of another contender without any index.
class SequentialScan final : public SqlContender {
public:
    using SqlContender::SqlContender;
    Costs build(const CodeSet&) override {
        db().run("SET enable_indexscan = off");
        prepare_nearest("<~>");
        return {};
    }
    std::vector<std::string> settings() const override { return {"scan"}; }
    void choose(std::size_t) override {}
    void change(const CodeSet&, const std::vector<std::uint32_t>&, Costs&) override {}
    bool scans() const override { return true; }
};

// ---- the comparison ----

struct Point {
    std::string setting;
    double recall, microseconds;
};

std::uint32_t distance_of(const CodeSet& codes, std::uint32_t row, const CodeSet& queries, std::uint32_t query) {
    return static_cast<std::uint32_t>(hamming_of(codes.code(row).data(), queries.code(query).data(), nullptr));
}

/// The distance of the tenth nearest of each query.
std::vector<std::uint32_t> true_tenths(const CodeSet& codes, const CodeSet& queries) {
    std::vector<std::uint32_t> tenths;
    for (std::uint32_t q = 0; q < queries.size(); ++q) {
        std::array<std::uint32_t, kBits + 1> at{};
        for (std::uint32_t row = 0; row < codes.size(); ++row) ++at[distance_of(codes, row, queries, q)];
        std::uint32_t distance = 0;
        for (std::uint32_t seen = at[0]; seen < kNearest; seen += at[++distance]) {
        }
        tenths.push_back(distance);
    }
    return tenths;
}

/// Every contender's settings in turns, so that all see the same machine; the best round of each.
std::vector<std::vector<Point>> search_all(std::vector<std::unique_ptr<Contender>>& contenders, const CodeSet& codes,
                                           const CodeSet& queries, const std::vector<std::uint32_t>& tenths) {
    std::vector<std::vector<Point>> points(contenders.size());
    for (std::uint32_t round = 0; round < kRounds; ++round) {
        for (std::size_t c = 0; c < contenders.size(); ++c) {
            Contender& contender = *contenders[c];
            const auto labels = contender.settings();
            const std::uint32_t n = contender.scans() ? std::min(queries.size(), 20u) : queries.size();
            points[c].resize(labels.size(), {"", 0, 1e300});
            for (std::size_t s = 0; s < labels.size(); ++s) {
                contender.choose(s);
                contender.search(queries, 0);
                std::vector<std::vector<std::uint32_t>> found(n);
                const double start = now();
                for (std::uint32_t q = 0; q < n; ++q) found[q] = contender.search(queries, q);
                const double microseconds = (now() - start) * 1e6 / n;
                std::size_t hits = 0;
                for (std::uint32_t q = 0; q < n; ++q)
                    for (const std::uint32_t row : found[q]) hits += distance_of(codes, row, queries, q) <= tenths[q];
                points[c][s] = {labels[s], static_cast<double>(hits) / (n * kNearest),
                                std::min(points[c][s].microseconds, microseconds)};
            }
        }
    }
    return points;
}

/// The fastest setting that finds so much; empty if none does.
std::optional<double> microseconds_at(const std::vector<Point>& points, double recall) {
    std::optional<double> best;
    for (const Point& p : points)
        if (p.recall >= recall && (!best || p.microseconds < *best)) best = p.microseconds;
    return best;
}

std::string shown(const char* format, std::optional<double> figure) {
    if (!figure) return "";
    char text[64];
    std::snprintf(text, sizeof text, format, *figure);
    return text;
}

void print_costs(const std::vector<std::unique_ptr<Contender>>& contenders, const std::vector<Costs>& costs,
                 std::uint32_t rows) {
    std::printf(
        "\n| | build: CPU seconds | bytes a code | WAL of the build, of its size | inserts a second | with folding | "
        "VACUUM, s "
        "| with rewriting |\n|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for (std::size_t c = 0; c < costs.size(); ++c) {
        const Costs& k = costs[c];
        if (!k.build_cpu_seconds) continue;
        std::optional<double> per_code, wal;
        if (k.bytes) per_code = *k.bytes / rows;
        if (k.wal_bytes) wal = *k.wal_bytes / *k.bytes;
        std::printf("| %s | %s | %s | %s | %s | %s | %s | %s |\n", contenders[c]->name().c_str(),
                    shown("%.1f", k.build_cpu_seconds).c_str(), shown("%.0f", per_code).c_str(),
                    shown("%.2f", wal).c_str(), shown("%.0f", k.inserts_per_second).c_str(),
                    shown("%.0f", k.inserts_per_second_folded).c_str(), shown("%.2f", k.vacuum_seconds).c_str(),
                    shown("%.2f", k.vacuum_seconds_folded).c_str());
    }
}

void print_points(const std::vector<std::unique_ptr<Contender>>& contenders,
                  const std::vector<std::vector<Point>>& points) {
    std::printf("\n| | us at recall 0.95 | us at recall 0.99 | setting: recall, us |\n|---|--:|--:|---|\n");
    for (std::size_t c = 0; c < contenders.size(); ++c) {
        std::string all;
        for (const Point& p : points[c])
            all += (all.empty() ? "" : "; ") + p.setting + ": " + shown("%.3f", p.recall) + ", " +
                   shown("%.0f", p.microseconds);
        std::printf("| %s | %s | %s | %s |\n", contenders[c]->name().c_str(),
                    shown("%.0f", microseconds_at(points[c], 0.95)).c_str(),
                    shown("%.0f", microseconds_at(points[c], 0.99)).c_str(), all.c_str());
    }
}

void compare(const std::string& name, const nphd::test::DataSet& data, const CodeSet& more, bool has_pgvector,
             std::ofstream& plot) {
    std::vector<std::unique_ptr<Contender>> contenders;
    contenders.push_back(std::make_unique<Nphd>());
    if (has_pgvector) contenders.push_back(std::make_unique<Pgvector>());
    contenders.push_back(std::make_unique<Hnswlib>());
    contenders.push_back(std::make_unique<FaissGraph>());
    contenders.push_back(std::make_unique<FaissHash>());
    contenders.push_back(std::make_unique<FaissFlat>());
    contenders.push_back(std::make_unique<NphdExact>());
    contenders.push_back(
        std::make_unique<SequentialScan>("sequential scan, bitvec", "codes_nphd", "bitvec(256)", append_hex));
    if (has_pgvector)
        contenders.push_back(
            std::make_unique<SequentialScan>("sequential scan, pgvector", "codes_bit", "bit(256)", append_bits));

    std::vector<Costs> costs;
    for (auto& contender : contenders) {
        std::fprintf(stderr, "%s: building %s\n", name.c_str(), contender->name().c_str());
        costs.push_back(contender->build(data.codes));
    }
    std::fprintf(stderr, "%s: searching\n", name.c_str());
    const auto points = search_all(contenders, data.codes, data.queries, true_tenths(data.codes, data.queries));
    // At once: a VACUUM may take a quarter of an hour.
    std::printf("\n## %s, %u codes of %u bits\n", name.c_str(), data.codes.size(), kBits);
    print_points(contenders, points);
    std::fflush(stdout);
    for (std::size_t c = 0; c < contenders.size(); ++c)
        for (const Point& p : points[c])
            plot << name << '\t' << contenders[c]->name() << '\t' << p.recall << '\t' << 1e6 / p.microseconds << '\n';
    plot.flush();

    std::vector<std::uint32_t> removed(data.codes.size());
    std::iota(removed.begin(), removed.end(), 0);
    TestRandom random(5);
    nphd::test::shuffle(removed, random);
    removed.resize(removed.size() / 5);
    for (std::size_t c = 0; c < contenders.size(); ++c) {
        std::fprintf(stderr, "%s: changing %s\n", name.c_str(), contenders[c]->name().c_str());
        contenders[c]->change(more, removed, costs[c]);
    }
    print_costs(contenders, costs, data.codes.size());
    std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
    const auto rows = static_cast<std::uint32_t>(number_argument(argc, argv, 1, 1000000));
    const auto n_queries = static_cast<std::uint32_t>(number_argument(argc, argv, 2, 500));
    const std::uint64_t seed = number_argument(argc, argv, 3, 11);
    std::ofstream plot(argc > 4 ? argv[4] : "/dev/null");
    const std::string only = argc > 5 ? argv[5] : "";
    if (!only.empty() && only != "clustered" && only != "near-duplicates") {
        std::fprintf(stderr, "compare: there are no data called %s\n", only.c_str());
        return 1;
    }
    omp_set_num_threads(1);

    Connection db;
    db.run("SET client_min_messages = error");
    db.run("CREATE EXTENSION IF NOT EXISTS nphd");
    const bool has_pgvector = !db.run("SELECT 1 FROM pg_available_extensions WHERE name = 'vector'").empty();
    if (has_pgvector) db.run("CREATE EXTENSION IF NOT EXISTS vector");
    std::printf(
        "faiss %d.%d.%d, %s, seed %lu, %u queries\n", FAISS_VERSION_MAJOR, FAISS_VERSION_MINOR, FAISS_VERSION_PATCH,
        has_pgvector ? ("pgvector " + db.run("SELECT extversion FROM pg_extension WHERE extname = 'vector'")).c_str()
                     : "no pgvector here",
        static_cast<unsigned long>(seed), n_queries);

    const std::uint32_t n_more = std::max(1000u, rows / 50);
    if (only.empty() || only == "clustered")
        compare("clustered", nphd::test::clustered_data(rows, n_queries, kBits / 8, seed),
                nphd::test::clustered_data(n_more, 1, kBits / 8, seed + 1).codes, has_pgvector, plot);
    if (only.empty() || only == "near-duplicates")
        compare("near-duplicates", nphd::test::near_duplicate_data(rows, n_queries, kBits / 8, seed),
                nphd::test::near_duplicate_data(n_more, 1, kBits / 8, seed + 1).codes, has_pgvector, plot);
    return 0;
}
