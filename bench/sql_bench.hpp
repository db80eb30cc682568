// What the benchmarks through SQL share: a connection, data, loading, search figures and the lines of their tables.
#pragma once

#include <libpq-fe.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <numeric>
#include <sstream>
#include <string>
#include <vector>

#include "test/engine/test_data.hpp"

namespace nphd::bench {

using nphd::test::CodeSet;
using nphd::test::TestRandom;

constexpr std::uint32_t kCodeBytes = 32, kShortBytes = 8, kFamily = 10;
constexpr double kNoise = 0.03;

inline unsigned long number_argument(int argc, char** argv, int i, unsigned long otherwise) {
    return argc > i ? std::strtoul(argv[i], nullptr, 10) : otherwise;
}

inline double now() {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

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
    /// The first column of all rows.
    std::vector<std::string> rows(const std::string& sql) {
        PGresult* result = PQexec(connection_, sql.c_str());
        check(result, sql.c_str());
        std::vector<std::string> column;
        for (int i = 0; i < PQntuples(result); ++i) column.emplace_back(PQgetvalue(result, i, 0));
        PQclear(result);
        return column;
    }
    double number(const std::string& sql) { return std::strtod(run(sql).c_str(), nullptr); }
    void prepare(const char* name, const char* sql) {
        PGresult* result = PQprepare(connection_, name, sql, 0, nullptr);
        check(result, sql);
        PQclear(result);
    }
    /// Runs a prepared statement with text parameters; returns its first column.
    std::vector<std::string> execute(const char* name, const std::vector<std::string>& parameters) {
        std::vector<const char*> values;
        for (const std::string& parameter : parameters) values.push_back(parameter.c_str());
        PGresult* result =
            PQexecPrepared(connection_, name, static_cast<int>(values.size()), values.data(), nullptr, nullptr, 0);
        check(result, name);
        std::vector<std::string> column;
        for (int i = 0; i < PQntuples(result); ++i) column.emplace_back(PQgetvalue(result, i, 0));
        PQclear(result);
        return column;
    }
    std::vector<std::string> execute(const char* name, const std::string& parameter) {
        return execute(name, std::vector{parameter});
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

inline void append_hex(std::string& out, std::span<const std::uint8_t> code) {
    static const char digits[] = "0123456789abcdef";
    for (const auto byte : code) {
        out += digits[byte >> 4];
        out += digits[byte & 15];
    }
}

inline std::string hex(std::span<const std::uint8_t> code) {
    std::string out;
    append_hex(out, code);
    return out;
}

using nphd::test::FamilyData;

/// Clustered bases (binary-quantised embeddings), each with a family of near-duplicates; queries are further
/// near-duplicates.
inline FamilyData make_data(std::uint32_t rows, std::uint32_t queries, std::uint64_t seed) {
    return nphd::test::clustered_family_data(rows, queries, kCodeBytes, seed, kFamily, kNoise);
}

/// Rows [first, last) as COPY lines; every tenth code is cut to 64 bits if `mixed`.
inline std::string copy_lines(const CodeSet& codes, std::uint32_t first, std::uint32_t last, std::uint32_t id_base,
                              bool mixed, std::uint32_t bytes = kCodeBytes) {
    std::string lines;
    lines.reserve((last - first) * 76);
    for (std::uint32_t i = first; i < last; ++i) {
        lines += std::to_string(id_base + i);
        lines += '\t';
        append_hex(lines, codes.code(i).first(mixed && i % 10 == 9 ? kShortBytes : bytes));
        lines += '\n';
    }
    return lines;
}

inline void load(Connection& db, const std::string& table, const CodeSet& codes, bool mixed) {
    db.run("DROP TABLE IF EXISTS " + table);
    db.run("CREATE TABLE " + table + " (id int4 PRIMARY KEY, code bitvec NOT NULL)");
    for (std::uint32_t i = 0; i < codes.size(); i += 100000)
        db.copy(table, copy_lines(codes, i, std::min(codes.size(), i + 100000), 0, mixed));
    db.run("VACUUM ANALYZE " + table);
    db.run("CHECKPOINT");
}

inline void row(const char* what, const char* format, double figure, const char* target) {
    char text[64];
    std::snprintf(text, sizeof text, format, figure);
    std::printf("| %s | %s | %s |\n", what, text, target);
    std::fflush(stdout);
}

inline double median(std::vector<double> times) {
    std::nth_element(times.begin(), times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2), times.end());
    return times[times.size() / 2];
}

inline double mean(const std::vector<double>& values) {
    return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

/// CPU seconds of a process of this machine.
inline double cpu_seconds_of(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/stat");
    const std::string text((std::istreambuf_iterator<char>(file)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 11; ++i) fields >> skipped;
    double user = 0, system = 0;
    fields >> user >> system;
    return (user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

/// Whether inserts and VACUUM of this session may start background workers. The module is loaded (LOAD 'nphd').
inline void background(Connection& db, bool on) {
    db.run(std::string("SET nphd.background_maintenance = ") + (on ? "on" : "off"));
}

inline const char* const kWorkers = "FROM pg_stat_activity WHERE backend_type = 'nphd maintenance'";

/// Until none was seen for a while: one that was asked for may not have started yet.
inline void wait_for_workers(Connection& db) {
    for (int idle = 0; idle < 5; db.run("SELECT pg_sleep(0.05)"))
        idle = db.number(std::string("SELECT count(*) ") + kWorkers) > 0 ? 0 : idle + 1;
}

struct Timed {
    double first_us, second_us;  // medians
};

/// Two prepared statements in turns. a(i) and b(i) give the i-th parameter of each.
inline Timed in_turns(Connection& db, std::uint32_t n, const char* first,
                      const std::function<std::string(std::uint32_t)>& a, const char* second,
                      const std::function<std::string(std::uint32_t)>& b) {
    std::vector<double> times[2];
    for (std::uint32_t i = 0; i < n + n / 4; ++i) {
        if (i == n / 4) times[0].clear(), times[1].clear();  // the first warm caches, mappings and plans
        for (const bool which : {i % 2 == 0, i % 2 != 0}) {
            const std::string parameter = which ? b(i) : a(i);
            const double start = now();
            db.execute(which ? second : first, parameter);
            times[which].push_back((now() - start) * 1e6);
        }
    }
    return {median(times[0]), median(times[1])};
}

struct SearchFigures {
    double microseconds, recall;
};

/// The statements that recall() and search() run.
inline void prepare_search(Connection& db, const std::string& table) {
    db.run("DEALLOCATE ALL");
    db.prepare("by_key", ("SELECT code FROM " + table + " WHERE id = ANY ($1::int4[])").c_str());
    db.prepare("nearest", ("SELECT id FROM " + table + " ORDER BY code <-> $1::bitvec LIMIT 10").c_str());
    db.prepare("nearest_distance",
               ("SELECT code <-> $1::bitvec FROM " + table + " ORDER BY code <-> $1::bitvec LIMIT 10").c_str());
}

/// Recall@10 of one query, against exact mode in the same state of the table.
inline double recall(Connection& db, const std::string& query) {
    const auto distances = db.execute("nearest_distance", query);
    db.run("SET nphd.exact = on");
    const auto exact = db.execute("nearest_distance", query);
    db.run("SET nphd.exact = off");
    std::size_t hits = 0;
    const double kth = std::strtod(exact.back().c_str(), nullptr);
    for (const auto& d : distances) hits += std::strtod(d.c_str(), nullptr) <= kth;
    return static_cast<double>(hits) / static_cast<double>(exact.size());
}

/// Medians of single statements, taken in turns with look-ups of ten rows by primary key, so that both see the same
/// machine.
inline SearchFigures search(Connection& db, const CodeSet& queries, std::uint32_t query_bytes, std::uint32_t rows,
                            double& key_us) {
    std::vector<double> nearest_times, key_times, found;
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
            found.push_back(recall(db, query));
        }
    }
    key_us = median(key_times);
    return {median(nearest_times), mean(found)};
}

}  // namespace nphd::bench
