// What an application sees: build, size, search and insert of an index over 10^6 codes, through libpq and a unix
// socket, each as a ratio to something measured in the same run. Run by bench/run, which starts the server.
//
//   through_sql [rows] [queries] [seed]

#include <atomic>
#include <chrono>
#include <map>
#include <thread>

#include "bench/sql_bench.hpp"

using namespace nphd::bench;

namespace {

/// Looks every 50 ms at what phase a build is in.
class PhaseWatch {
public:
    PhaseWatch() : thread_([this] { watch(); }) {}
    /// Ends it; phases as they came first, each with its share of the looks.
    std::vector<std::pair<std::string, double>> shares() {
        stop_ = true;
        thread_.join();
        std::vector<std::pair<std::string, double>> out;
        for (const std::string& phase : order_) out.emplace_back(phase, looks_[phase] / all_);
        return out;
    }

private:
    void watch() {
        Connection db;
        while (!stop_) {
            const std::string phase = db.run("SELECT max(phase) FROM pg_stat_progress_create_index");
            std::this_thread::sleep_for(std::chrono::milliseconds(50));
            if (phase.empty()) continue;
            if (looks_[phase]++ == 0) order_.push_back(phase);
            ++all_;
        }
    }

    std::atomic<bool> stop_{false};
    std::vector<std::string> order_;
    std::map<std::string, double> looks_;
    double all_ = 0;
    std::thread thread_;
};

void build(Connection& db, const std::string& table, std::uint32_t rows) {
    for (const int workers : {0, 1}) {
        db.run("DROP INDEX IF EXISTS " + table + "_nphd");
        db.run("SET max_parallel_maintenance_workers = " + std::to_string(workers));
        PhaseWatch watch;
        const double start = now();
        db.run("CREATE INDEX " + table + "_nphd ON " + table + " USING nphd (code)");
        const double seconds = now() - start;
        const auto shares = watch.shares();
        row(workers == 0 ? "build, one thread: codes a second" : "build, two threads: codes a second", "%.0f",
            rows / seconds, workers == 0 ? ">= 25000" : "");
        for (const auto& [phase, share] : shares) row(phase.c_str(), "%.3f of its time", share, "");
    }
    row("index bytes per code", "%.0f", db.number("SELECT pg_relation_size('" + table + "_nphd')") / rows, "<= 240");
}

void search_table(Connection& db, const std::string& table, const CodeSet& queries, std::uint32_t rows, bool mixed) {
    prepare_search(db, table);
    double key_us = 0;
    search(db, queries, kCodeBytes, rows, key_us);  // warms caches and mappings
    const SearchFigures full = search(db, queries, kCodeBytes, rows, key_us);
    row("ten rows by primary key, us", "%.0f", key_us, "");
    row("ten nearest of a 256-bit code, us", "%.0f", full.microseconds, "");
    row("ratio to the primary key", "%.2f", full.microseconds / key_us, "<= 5");
    row("recall@10, near-duplicate queries", "%.3f", full.recall, ">= 0.95");
    if (!mixed) return;
    const SearchFigures cut = search(db, queries, kShortBytes, rows, key_us);
    row("ten nearest of a 64-bit code, us", "%.0f", cut.microseconds, "");
    row("recall@10, 64-bit queries", "%.3f", cut.recall, "");
}

/// Rows a second and bytes of WAL a row of COPY in batches of 1,000, each a transaction.
struct InsertFigures {
    double rows_per_second, wal_per_row;
};
InsertFigures insert(Connection& db, const std::string& table, const CodeSet& codes, std::uint32_t id_base) {
    static constexpr std::uint32_t kBatch = 1000;
    db.run("CHECKPOINT");
    const std::string before = db.run("SELECT pg_current_wal_insert_lsn()");
    double seconds = 0;
    for (std::uint32_t i = 0; i < codes.size(); i += kBatch) {
        const std::string lines = copy_lines(codes, i, std::min(codes.size(), i + kBatch), id_base, false);
        const double start = now();
        db.copy(table, lines);
        seconds += now() - start;
    }
    const double wal = db.number("SELECT pg_current_wal_insert_lsn() - '" + before + "'::pg_lsn");
    return {codes.size() / seconds, wal / codes.size()};
}

}  // namespace

int main(int argc, char** argv) {
    const auto rows = static_cast<std::uint32_t>(number_argument(argc, argv, 1, 1000000));
    const auto n_queries = static_cast<std::uint32_t>(number_argument(argc, argv, 2, 2000));
    const std::uint64_t seed = number_argument(argc, argv, 3, 7);

    Connection db;
    db.run("SET client_min_messages = warning");
    db.run("CREATE EXTENSION IF NOT EXISTS nphd");
    db.run("SET maintenance_work_mem = '2GB'");
    std::fprintf(stderr, "making %u codes, seed %lu\n", rows, static_cast<unsigned long>(seed));
    const auto data = make_data(rows, n_queries, seed);
    const auto more = make_data(rows / 10, 1, seed + 100);

    for (const bool mixed : {false, true}) {
        const std::string table = mixed ? "mixed" : "uniform";
        std::printf("\n%u codes, %s, near-duplicate families of %u in clusters, seed %lu\n\n", rows,
                    mixed ? "90 % of 256 bits and 10 % of 64 bits" : "all of 256 bits", kFamily,
                    static_cast<unsigned long>(seed));
        std::printf("| what | measured | target |\n|---|---|---|\n");
        load(db, table, data.codes, mixed);
        build(db, table, rows);
        search_table(db, table, data.queries, rows, mixed);
    }

    std::printf(
        "\ninserts into the index of %u codes, COPY in batches of 1,000\n\n| what | measured | target "
        "|\n|---|---|---|\n",
        rows);
    db.run("DROP TABLE IF EXISTS bare");
    db.run("CREATE TABLE bare (id int4 PRIMARY KEY, code bitvec NOT NULL)");
    const InsertFigures bare = insert(db, "bare", more.codes, 0);
    const InsertFigures indexed = insert(db, "uniform", more.codes, rows);
    row("rows a second", "%.0f", indexed.rows_per_second, ">= 30000");
    row("rows a second without the index", "%.0f", bare.rows_per_second, "");
    row("bytes of WAL a row, index share", "%.0f", indexed.wal_per_row - bare.wal_per_row, "<= 400");
    double start = now();
    db.run("SELECT nphd_compact('uniform_nphd')");
    row("fold of the inserted rows, seconds", "%.2f", now() - start, "");
    return 0;
}
