// What an application sees: build, size, search and insert of an index over 10^6 codes, through libpq and a unix
// socket, each as a ratio to something measured in the same run. Run by bench/run, which starts the server.
//
//   through_sql [rows] [queries] [seed]

#include <libpq-fe.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "test/engine/test_data.hpp"

using nphd::test::CodeSet;
using nphd::test::TestRandom;

namespace {

constexpr std::uint32_t kCodeBytes = 32, kShortBytes = 8, kFamily = 10;
constexpr double kNoise = 0.03;

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

class Connection {
public:
    Connection() : connection_(PQconnectdb("")) {
        if (PQstatus(connection_) != CONNECTION_OK) fail("connect");
    }
    ~Connection() { PQfinish(connection_); }
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

    /// First column of the first row, or "".
    std::string run(const std::string& sql) {
        PGresult* result = PQexec(connection_, sql.c_str());
        check(result, sql.c_str());
        std::string value = PQntuples(result) > 0 ? PQgetvalue(result, 0, 0) : "";
        PQclear(result);
        return value;
    }
    double number(const std::string& sql) { return std::strtod(run(sql).c_str(), nullptr); }
    void prepare(const char* name, const char* sql) {
        PGresult* result = PQprepare(connection_, name, sql, 0, nullptr);
        check(result, sql);
        PQclear(result);
    }
    /// Runs a prepared statement with one text parameter; returns its first column.
    std::vector<std::string> execute(const char* name, const std::string& parameter) {
        const char* values[] = {parameter.c_str()};
        PGresult* result = PQexecPrepared(connection_, name, 1, values, nullptr, nullptr, 0);
        check(result, name);
        std::vector<std::string> column;
        for (int i = 0; i < PQntuples(result); ++i) column.emplace_back(PQgetvalue(result, i, 0));
        PQclear(result);
        return column;
    }
    /// COPY of lines into a table.
    void copy(const std::string& target, const std::string& lines) {
        PGresult* result = PQexec(connection_, ("COPY " + target + " FROM STDIN").c_str());
        check(result, "COPY");
        PQclear(result);
        if (PQputCopyData(connection_, lines.data(), static_cast<int>(lines.size())) != 1) fail("COPY data");
        if (PQputCopyEnd(connection_, nullptr) != 1) fail("COPY end");
        while ((result = PQgetResult(connection_)) != nullptr) {
            check(result, "COPY");
            PQclear(result);
        }
    }

private:
    [[noreturn]] void fail(const char* what) {
        std::fprintf(stderr, "%s: %s\n", what, PQerrorMessage(connection_));
        std::exit(1);
    }
    void check(PGresult* result, const char* what) {
        const auto status = PQresultStatus(result);
        if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN) fail(what);
    }
    PGconn* connection_;
};

void append_hex(std::string& out, std::span<const std::uint8_t> code) {
    static const char digits[] = "0123456789abcdef";
    for (const auto byte : code) {
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
}

std::string hex(std::span<const std::uint8_t> code) {
    std::string out;
    append_hex(out, code);
    return out;
}

/// Clustered bases (binary-quantised embeddings), each with a family of near-duplicates; queries are further
/// near-duplicates.
nphd::test::DataSet make_data(std::uint32_t rows, std::uint32_t queries, std::uint64_t seed) {
    const nphd::test::ClusteredSource source(kCodeBytes, seed);
    const CodeSet bases = source.take((rows + kFamily - 1) / kFamily, seed + 1);
    TestRandom random(seed + 2);
    nphd::test::DataSet data{CodeSet(kCodeBytes), CodeSet(kCodeBytes)};
    data.codes.reserve(rows);
    for (std::uint32_t i = 0; i < rows; ++i) {
        data.codes.add(bases.code(i / kFamily));
        if (i % kFamily != 0) data.codes.add_noise(i, kNoise, random);
    }
    for (std::uint32_t i = 0; i < queries; ++i) {
        data.queries.add(bases.code(random.below(bases.size())));
        data.queries.add_noise(i, kNoise, random);
    }
    data.codes.shuffle(random);
    return data;
}

/// Rows [first, last) as COPY lines; every tenth code is cut to 64 bits if `mixed`.
std::string copy_lines(const CodeSet& codes, std::uint32_t first, std::uint32_t last, std::uint32_t id_base,
                       bool mixed) {
    std::string lines;
    lines.reserve((last - first) * 76);
    for (std::uint32_t i = first; i < last; ++i) {
        lines += std::to_string(id_base + i);
        lines += '\t';
        append_hex(lines, codes.code(i).first(mixed && i % 10 == 9 ? kShortBytes : kCodeBytes));
        lines += '\n';
    }
    return lines;
}

void load(Connection& db, const std::string& table, const CodeSet& codes, bool mixed) {
    db.run("DROP TABLE IF EXISTS " + table);
    db.run("CREATE TABLE " + table + " (id int4 PRIMARY KEY, code bitvec NOT NULL)");
    for (std::uint32_t i = 0; i < codes.size(); i += 100000)
        db.copy(table, copy_lines(codes, i, std::min(codes.size(), i + 100000), 0, mixed));
    db.run("VACUUM ANALYZE " + table);
    db.run("CHECKPOINT");
}

void row(const char* what, const char* format, double figure, const char* target) {
    char text[64];
    std::snprintf(text, sizeof text, format, figure);
    std::printf("| %s | %s | %s |\n", what, text, target);
    std::fflush(stdout);
}

void build(Connection& db, const std::string& table, std::uint32_t rows) {
    for (const int workers : {0, 1}) {
        db.run("DROP INDEX IF EXISTS " + table + "_nphd");
        db.run("SET max_parallel_maintenance_workers = " + std::to_string(workers));
        const double start = now();
        db.run("CREATE INDEX " + table + "_nphd ON " + table + " USING nphd (code)");
        const double seconds = now() - start;
        row(workers == 0 ? "build, one thread: codes a second" : "build, two threads: codes a second", "%.0f",
            rows / seconds, workers == 0 ? ">= 25000" : "");
    }
    row("index bytes per code", "%.0f", db.number("SELECT pg_relation_size('" + table + "_nphd')") / rows, "<= 240");
}

double median(std::vector<double> times) {
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
}

struct SearchFigures {
    double microseconds, recall;
};

/// Medians of single statements, taken in turns with look-ups of ten rows by primary key, so that both see the same
/// machine.
SearchFigures search(Connection& db, const CodeSet& queries, std::uint32_t query_bytes, std::uint32_t rows,
                     double& key_us) {
    std::vector<double> nearest_times, key_times;
    std::vector<std::string> found;
    TestRandom random(99);
    for (std::uint32_t i = 0; i < queries.size(); ++i) {
        std::string keys = "{";
        for (int k = 0; k < 10; ++k) keys += (k ? "," : "") + std::to_string(random.below(rows));
        keys += "}";
        double start = now();
        db.execute("by_key", keys);
        key_times.push_back((now() - start) * 1e6);
        const std::string query = hex(queries.code(i).first(query_bytes));
        start = now();
        db.execute("nearest", query);
        nearest_times.push_back((now() - start) * 1e6);
        if (i < 300) {
            const auto distances = db.execute("nearest_distance", query);
            db.run("SET nphd.exact = on");
            const auto exact = db.execute("nearest_distance", query);
            db.run("SET nphd.exact = off");
            std::size_t hits = 0;
            const double kth = std::strtod(exact.back().c_str(), nullptr);
            for (const auto& d : distances) hits += std::strtod(d.c_str(), nullptr) <= kth;
            found.emplace_back(std::to_string(static_cast<double>(hits) / static_cast<double>(exact.size())));
        }
    }
    double recall = 0;
    for (const auto& r : found) recall += std::strtod(r.c_str(), nullptr);
    key_us = median(key_times);
    return {median(nearest_times), recall / static_cast<double>(found.size())};
}

void search_table(Connection& db, const std::string& table, const CodeSet& queries, std::uint32_t rows, bool mixed) {
    db.run("DEALLOCATE ALL");
    db.prepare("by_key", ("SELECT code FROM " + table + " WHERE id = ANY ($1::int4[])").c_str());
    db.prepare("nearest", ("SELECT id FROM " + table + " ORDER BY code <-> $1::bitvec LIMIT 10").c_str());
    db.prepare("nearest_distance",
               ("SELECT code <-> $1::bitvec FROM " + table + " ORDER BY code <-> $1::bitvec LIMIT 10").c_str());
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
    const auto argument = [&](int i, unsigned long otherwise) {
        return argc > i ? std::strtoul(argv[i], nullptr, 10) : otherwise;
    };
    const auto rows = static_cast<std::uint32_t>(argument(1, 1000000));
    const auto n_queries = static_cast<std::uint32_t>(argument(2, 2000));
    const std::uint64_t seed = argument(3, 7);

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
