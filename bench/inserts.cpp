// What the index adds to inserts: rows a second, CPU time, WAL bytes and waits of one to eight sessions, beside the
// same table with its primary key only and with a btree index on the code. Run by bench/run, which starts the server;
// server and program are on one machine.
//
//   inserts [rows]
//
// Every round begins with empty tables, and the tables take turns. A COPY round inserts a fifth of `rows`, one of
// single-row transactions a twenty-fifth, one of single rows in long transactions a twentieth.

#include "bench/sql_bench.hpp"

#include <atomic>
#include <barrier>
#include <map>
#include <thread>

using namespace nphd::bench;

namespace {

constexpr std::uint32_t kBatch = 1000;
constexpr int kRounds = 3;
const char* const kSessionName = "nphd inserter";

struct Table {
    const char* name;
    const char* what;
    const char* index;  // SQL; null: none
};
constexpr Table kTables[] = {
    {"keyed", "primary key only", nullptr},
    {"measured", "nphd", "CREATE INDEX measured_nphd ON measured USING nphd (code)"},
    {"sorted", "btree", "CREATE INDEX sorted_btree ON sorted USING btree (code)"},
};
constexpr std::size_t kNphd = 1;

enum class Way { copy, transactions, one_transaction };
struct WayOf {
    Way way;
    const char* what;
    std::uint32_t share;  // a round inserts rows / share
};
constexpr WayOf kWays[] = {
    {Way::copy, "COPY, 1,000 rows", 5},
    {Way::transactions, "INSERT, own transactions", 25},
    {Way::one_transaction, "INSERT, one transaction", 20},
};

/// What the sessions of a round take from: COPY batches, or parameters of single rows. Ids ascend in the order in which
/// work is taken, as those of a sequence would.
struct Work {
    std::vector<std::string> batches;
    std::vector<std::vector<std::string>> rows;
};

Work make_work(Way way, std::uint32_t rows, std::uint32_t first_id, std::uint64_t seed) {
    TestRandom random(seed);
    CodeSet codes(kCodeBytes);
    for (std::uint32_t i = 0; i < rows; ++i) codes.set_random(codes.add(), random);
    Work work;
    if (way == Way::copy) {
        for (std::uint32_t i = 0; i < rows; i += kBatch)
            work.batches.push_back(copy_lines(codes, i, std::min(rows, i + kBatch), first_id, false));
    } else {
        for (std::uint32_t i = 0; i < rows; ++i)
            work.rows.push_back({std::to_string(first_id + i), hex(codes.code(i))});
    }
    return work;
}

/// One look at a session that was at work: "none", or what it waited for.
using Waits = std::map<std::string, std::uint32_t>;

struct Figures {
    double rows = 0, seconds = 0, cpu_seconds = 0, wal_bytes = 0;
    Waits waits;
};

struct Round {
    const Table& table;
    Way way;
    const Work& work;
    int sessions;
    bool background;
};

/// One session from its connection to its last row. Returns its server process's CPU seconds.
double insert_share(const Round& round, std::atomic<std::size_t>& next, std::barrier<>& start) {
    Connection db;
    db.run(std::string("SET application_name = '") + kSessionName + "'");
    db.run("SET synchronous_commit = off");
    db.run("LOAD 'nphd'");
    background(db, round.background);
    const std::string table = round.table.name, pid = db.run("SELECT pg_backend_pid()");
    db.prepare("insert", ("INSERT INTO " + table + " VALUES ($1::int4, $2::bitvec)").c_str());
    start.arrive_and_wait();
    const double cpu = cpu_seconds_of(pid);
    if (round.way == Way::copy) {
        for (std::size_t i; (i = next++) < round.work.batches.size();) db.copy(table, round.work.batches[i]);
    } else {
        if (round.way == Way::one_transaction) db.run("BEGIN");
        for (std::size_t i; (i = next++) < round.work.rows.size();) db.execute("insert", round.work.rows[i]);
        if (round.way == Way::one_transaction) db.run("COMMIT");
    }
    return cpu_seconds_of(pid) - cpu;
}

/// Every 10 ms, what the sessions at work wait for. One that waits for its client is not at work.
void watch(const std::atomic<bool>& done, Waits& waits) {
    Connection db;
    const std::string look =
        std::string("SELECT coalesce(wait_event_type || ':' || wait_event, 'none') FROM pg_stat_activity ") +
        "WHERE application_name = '" + kSessionName +
        "' AND state = 'active' AND wait_event_type IS DISTINCT FROM 'Client'";
    while (!done) {
        for (const std::string& event : db.rows(look)) ++waits[event];
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
}

/// Inserts the work once and adds to `figures`; best time and CPU time, sums of the rest.
void run_round(Connection& db, const Round& round, Figures& figures) {
    std::atomic<std::size_t> next = 0;
    std::atomic<bool> done = false;
    std::barrier<> start(round.sessions + 1);
    std::vector<double> cpu(static_cast<std::size_t>(round.sessions));
    std::vector<std::thread> sessions;
    std::thread watcher([&] { watch(done, figures.waits); });
    for (double& seconds : cpu) sessions.emplace_back([&] { seconds = insert_share(round, next, start); });
    const std::string lsn = db.run("SELECT pg_current_wal_insert_lsn()");
    start.arrive_and_wait();
    const double began = now();
    for (auto& session : sessions) session.join();
    const double seconds = now() - began, cpu_seconds = std::accumulate(cpu.begin(), cpu.end(), 0.0);
    done = true;
    watcher.join();
    const bool first = figures.rows == 0;
    figures.rows = std::max<double>(static_cast<double>(round.work.rows.size()),
                                    static_cast<double>(round.work.batches.size() * kBatch));
    figures.seconds = first ? seconds : std::min(figures.seconds, seconds);
    figures.cpu_seconds = first ? cpu_seconds : std::min(figures.cpu_seconds, cpu_seconds);
    figures.wal_bytes += db.number("SELECT pg_current_wal_insert_lsn() - '" + lsn + "'::pg_lsn") / kRounds;
}

void make_tables(Connection& db) {
    for (const Table& table : kTables) {
        db.run(std::string("DROP TABLE IF EXISTS ") + table.name);
        db.run(std::string("CREATE TABLE ") + table.name +
               " (id int4 PRIMARY KEY, code bitvec NOT NULL) WITH (autovacuum_enabled = off)");
        if (table.index != nullptr) db.run(table.index);
    }
}

std::string shares(const Waits& waits) {
    std::uint32_t looks = 0;
    for (const auto& [event, times] : waits) looks += times;
    std::vector<std::pair<std::uint32_t, std::string>> most;
    for (const auto& [event, times] : waits)
        if (event != "none" && times * 100 >= looks) most.emplace_back(times, event);
    std::sort(most.rbegin(), most.rend());
    std::string text;
    for (std::size_t i = 0; i < std::min<std::size_t>(3, most.size()); ++i) {
        char part[100];
        std::snprintf(part, sizeof part, "%s%s %.2f", i > 0 ? ", " : "", most[i].second.c_str(),
                      static_cast<double>(most[i].first) / looks);
        text += part;
    }
    return text;
}

/// The lines of the second table, which are known when those of the first are printed.
void measure_way(Connection& db, const WayOf& way, const Work& work, std::string& wal_lines) {
    for (const int sessions : {1, 2, 4, 8}) {
        Figures figures[std::size(kTables)];
        for (int round = 0; round < kRounds; ++round)
            for (std::size_t t = 0; t < std::size(kTables); ++t) {
                db.run(std::string("TRUNCATE ") + kTables[t].name);
                run_round(db, {kTables[t], way.way, work, sessions, false}, figures[t]);
            }
        std::printf("| %s | %d |", way.what, sessions);
        wal_lines += "| " + std::string(way.what) + " | " + std::to_string(sessions) + " |";
        for (const Figures& f : figures) {
            std::printf(" %.0f |", f.rows / f.seconds);
            if (&f != figures) std::printf(" %.2f |", figures[0].seconds / f.seconds);
            wal_lines += " " + std::to_string(std::lround(f.wal_bytes / f.rows)) + " |";
        }
        for (const Figures& f : figures) {
            std::printf(" %.1f |", f.cpu_seconds * 1e6 / f.rows);
            wal_lines += " " + shares(f.waits) + " |";
        }
        wal_lines += "\n";
        std::printf("\n");
        std::fflush(stdout);
    }
}

void measure_all(Connection& db, const Work (&work)[std::size(kWays)]) {
    std::printf(
        "| way | sessions | primary key only: rows a second | nphd | of it | btree | of it | primary key only: CPU us "
        "a "
        "row | nphd | btree |\n|---|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    std::string wal_lines;
    for (std::size_t w = 0; w < std::size(kWays); ++w) measure_way(db, kWays[w], work[w], wal_lines);
    std::printf(
        "\n| way | sessions | primary key only: WAL bytes a row | nphd | btree | primary key only: waits, of the looks "
        "at sessions at work | nphd | btree |\n|---|--:|--:|--:|--:|---|---|---|\n%s",
        wal_lines.c_str());
}

void measure_worker(Connection& db, const Work (&work)[std::size(kWays)]) {
    static constexpr int kSessions = 4;
    std::printf(
        "\n| nphd, four sessions | rows a second without a worker | beside its worker | of it | CPU us a row without | "
        "beside | waits beside |\n|---|--:|--:|--:|--:|--:|---|\n");
    for (std::size_t w = 0; w < std::size(kWays); ++w) {
        Figures figures[2];
        for (int round = 0; round < kRounds; ++round)
            for (const bool on : {false, true}) {
                db.run(std::string("TRUNCATE ") + kTables[kNphd].name);
                run_round(db, {kTables[kNphd], kWays[w].way, work[w], kSessions, on}, figures[on]);
                db.run(std::string("SELECT count(pg_terminate_backend(pid)) ") + kWorkers);
                wait_for_workers(db);
            }
        std::printf("| %s | %.0f | %.0f | %.2f | %.1f | %.1f | %s |\n", kWays[w].what,
                    figures[0].rows / figures[0].seconds, figures[1].rows / figures[1].seconds,
                    figures[0].seconds / figures[1].seconds, figures[0].cpu_seconds * 1e6 / figures[0].rows,
                    figures[1].cpu_seconds * 1e6 / figures[1].rows, shares(figures[1].waits).c_str());
        std::fflush(stdout);
    }
}

/// Bytes of WAL a row by resource manager, of one session's rows that come after as many rows and a checkpoint.
void split_wal(Connection& db, const Table& table, const WayOf& way, std::uint32_t rows) {
    Figures ignored;
    const std::uint32_t n = rows / way.share;
    db.run(std::string("TRUNCATE ") + table.name);
    run_round(db, {table, Way::copy, make_work(Way::copy, rows / kWays[0].share, 0, 53), 1, false}, ignored);
    db.run("CHECKPOINT");
    const Work work = make_work(way.way, n, rows / kWays[0].share, 54);
    const std::string from = db.run("SELECT pg_current_wal_insert_lsn()");
    run_round(db, {table, way.way, work, 1, false}, ignored);
    const std::string to = db.run("SELECT pg_current_wal_insert_lsn()");
    db.run("CREATE TABLE flushed ()");  // its commit waits until what came before is on the disk, too
    db.run("DROP TABLE flushed");
    const std::string stats = " FROM pg_get_wal_stats('" + from + "', '" + to + "')";
    std::printf("| %s | %s |", way.what, table.what);
    for (const char* which :
         {"LIKE 'Heap%'", "= 'Btree'", "= 'Generic'", "= 'Transaction'", "!~ '^(Heap.*|Btree|Generic|Transaction)$'"})
        std::printf(
            " %.1f |",
            db.number("SELECT sum(combined_size)" + stats + " WHERE \"resource_manager/record_type\" " + which) / n);
    std::printf(" %.1f | %.1f |\n", db.number("SELECT sum(combined_size)" + stats) / n,
                db.number("SELECT sum(fpi_size)" + stats) / n);
    std::fflush(stdout);
}

void measure_wal(Connection& db, std::uint32_t rows) {
    if (db.number("SELECT count(*) FROM pg_available_extensions WHERE name = 'pg_walinspect'") == 0) {
        std::printf("\nThe server has no pg_walinspect (PostgreSQL 15 and newer) that would tell WAL records apart.\n");
        return;
    }
    db.run("CREATE EXTENSION IF NOT EXISTS pg_walinspect");
    std::printf(
        "\n| after a checkpoint, one session: WAL bytes a row | table | Heap | Btree | Generic | Transaction | others "
        "| "
        "all | of these full-page images |\n|---|---|--:|--:|--:|--:|--:|--:|--:|\n");
    for (const WayOf& way : kWays)
        for (const Table& table : kTables) split_wal(db, table, way, rows);
}

}  // namespace

int main(int argc, char** argv) {
    const auto rows =
        static_cast<std::uint32_t>(number_argument(argc, argv, 1, 1000000)) / (kBatch * 100) * kBatch * 100;
    if (rows == 0) {
        std::fprintf(stderr, "at least %u rows\n", kBatch * 100);
        return 1;
    }
    Connection db;
    db.run("SET client_min_messages = warning");
    db.run("CREATE EXTENSION IF NOT EXISTS nphd");
    make_tables(db);
    Work work[std::size(kWays)];
    for (std::size_t w = 0; w < std::size(kWays); ++w) work[w] = make_work(kWays[w].way, rows / kWays[w].share, 0, 51);
    measure_all(db, work);
    measure_worker(db, work);
    measure_wal(db, rows);
    for (const Table& table : kTables) db.run(std::string("DROP TABLE ") + table.name);
    return 0;
}
