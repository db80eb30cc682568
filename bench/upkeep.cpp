// What looking after an index costs: VACUUM after deletes, compaction, latency of inserts beside the background worker,
// growth under steady updates, and what is left of a long load, each against something measured in the same run. Run by
// bench/run, which starts the server. It changes settings of the server by ALTER SYSTEM and resets them at its end.
//
//   upkeep [rows] [seed] [part...]        parts: deletes inserts updates load; all by default

#include "bench/sql_bench.hpp"

#include <atomic>
#include <cmath>
#include <thread>

using namespace nphd::bench;

namespace {

constexpr std::uint32_t kQueries = 1000, kRecallQueries = 300;

void table_head(const char* what) { std::printf("\n%s\n\n| what | measured | target |\n|---|---|---|\n", what); }

double seconds_of(Connection& db, const std::string& sql) {
    const double start = now();
    db.run(sql);
    return now() - start;
}

/// Also for background workers, which read the server's configuration only.
void pending_limit(Connection& db, const char* limit) {
    db.run(std::string("ALTER SYSTEM SET nphd.pending_limit = '") + limit + "'");
    db.run("SELECT pg_reload_conf(), pg_sleep(0.2)");
}

double size(Connection& db, const std::string& relation) {
    return db.number("SELECT pg_relation_size('" + relation + "')");
}

double stat(Connection& db, const std::string& column, const std::string& index) {
    return db.number("SELECT " + column + " FROM nphd_index_stats('" + index + "')");
}

double create_index(Connection& db, const std::string& table) {
    return seconds_of(db, "CREATE INDEX " + table + "_nphd ON " + table + " USING nphd (code)");
}

// ---- Deletes: VACUUM, search afterwards, rewrite, compaction

using Ids = std::vector<std::uint32_t>;

/// A fifth of the rows, drawn at random.
Ids random_fifth(const FamilyData& data, std::uint64_t seed) {
    Ids ids(data.codes.size());
    std::iota(ids.begin(), ids.end(), 0u);
    TestRandom random(seed);
    shuffle(ids, random);
    ids.resize(ids.size() / 5);
    return ids;
}

/// Every fifth family.
Ids fifth_of_families(const FamilyData& data) {
    Ids ids;
    for (std::uint32_t i = 0; i < data.codes.size(); ++i)
        if (data.family[i] % 5 == 0) ids.push_back(i);
    return ids;
}

/// The queries whose family keeps a row.
CodeSet queries_left(const FamilyData& data, const Ids& doomed) {
    std::vector<std::uint32_t> members(data.codes.size() / kFamily + 1);
    for (const std::uint32_t family : data.family) ++members[family];
    for (const std::uint32_t id : doomed) --members[data.family[id]];
    CodeSet kept(kCodeBytes);
    for (std::uint32_t i = 0; i < data.queries.size(); ++i)
        if (members[data.query_family[i]] > 0) kept.add(data.queries.code(i));
    return kept;
}

/// doomed(id, stage): all but the last of these ids in stage 1, the last in stage 2.
void load_doomed(Connection& db, const Ids& ids) {
    std::string lines;
    for (std::size_t i = 0; i < ids.size(); ++i)
        lines += std::to_string(ids[i]) + (i + 1 < ids.size() ? "\t1\n" : "\t2\n");
    db.run("DROP TABLE IF EXISTS doomed");
    db.run("CREATE TABLE doomed (id int4 PRIMARY KEY, stage int4 NOT NULL)");
    db.copy("doomed", lines);
    db.run("ANALYZE doomed");
}

void delete_stage(Connection& db, const std::string& table, int stage) {
    db.run("DELETE FROM " + table + " AS t USING doomed AS d WHERE t.id = d.id AND d.stage = " + std::to_string(stage));
}

/// One in `of` of the rows that are left, drawn at random.
void delete_share(Connection& db, const std::string& table, int of) {
    db.run("DELETE FROM " + table + " WHERE id IN (SELECT id FROM " + table + " ORDER BY hashint4(id) LIMIT (SELECT " +
           "count(*) / " + std::to_string(of) + " FROM " + table + "))");
}

/// Seconds of VACUUM with the table and its primary key in memory and nothing left to write from before.
double vacuum_seconds(Connection& db, const std::string& table) {
    db.run("SELECT count(code) FROM " + table);
    db.run("SET enable_seqscan = off");
    db.run("SET enable_bitmapscan = off");
    db.run("SELECT count(*) FROM " + table + " WHERE id >= 0");
    db.run("RESET enable_seqscan");
    db.run("RESET enable_bitmapscan");
    db.run("CHECKPOINT");
    return seconds_of(db, "VACUUM (INDEX_CLEANUP ON, PARALLEL 0) " + table);
}

/// Median of the searches of `one` over that of the same searches of `other`, in turns in one session.
struct Turns {
    double one_us, ratio;
};

Turns search_in_turns(Connection& db, const std::string& one, const std::string& other, const CodeSet& queries) {
    static constexpr int kPasses = 6;
    prepare_search(db, one);
    db.prepare("nearest_other", ("SELECT id FROM " + other + " ORDER BY code <-> $1::bitvec LIMIT 10").c_str());
    std::vector<double> one_times, other_times;
    for (int pass = 0; pass < kPasses; ++pass) {
        if (pass == 1) one_times.clear(), other_times.clear();  // the first warms caches and mappings
        for (std::uint32_t i = 0; i < queries.size(); ++i) {
            const std::string query = hex(queries.code(i));
            for (const bool first : {true, false}) {
                const bool is_one = first == ((i + static_cast<std::uint32_t>(pass)) % 2 == 0);
                const double start = now();
                db.execute(is_one ? "nearest" : "nearest_other", query);
                (is_one ? one_times : other_times).push_back((now() - start) * 1e6);
            }
        }
    }
    return {median(one_times), median(one_times) / median(other_times)};
}

double mean_recall(Connection& db, const std::string& table, const CodeSet& queries) {
    prepare_search(db, table);
    std::vector<double> recalls;
    for (std::uint32_t i = 0; i < std::min(kRecallQueries, queries.size()); ++i)
        recalls.push_back(recall(db, hex(queries.code(i))));
    return mean(recalls);
}

/// Ends the worker that VACUUM started, so that its work is left to whoever is measured.
void end_worker(Connection& db) {
    for (int i = 0; i < 200 && db.number(std::string("SELECT count(pg_terminate_backend(pid)) ") + kWorkers) == 0; ++i)
        db.run("SELECT pg_sleep(0.005)");
    wait_for_workers(db);
}

/// VACUUM of a table with the index between two of copies without.
void measure_vacuum(Connection& db, std::uint32_t rows) {
    const double bare_first = vacuum_seconds(db, "bare_first");
    const double indexed = vacuum_seconds(db, "aged");
    const double bare_last = vacuum_seconds(db, "bare_last");
    const double index_part = indexed - (bare_first + bare_last) / 2;
    row("VACUUM of the table without the index, first time, seconds", "%.2f", bare_first, "");
    row("VACUUM of the table with the index, seconds", "%.2f", indexed, "");
    row("VACUUM of the table without the index, second time, seconds", "%.2f", bare_last, "");
    row("index part, seconds", "%.2f", index_part, "< 5 for 10^6 rows");
    row("index part, of the VACUUM without", "%.2f", index_part / (indexed - index_part), "");
    row("postings asked a second", "%.0f", rows / index_part, "");
    row("dead entries, of all", "%.3f", stat(db, "dead", "aged_nphd") / rows, "");
}

/// What a search of `aged` finds and takes, against before, and against `bare_first`, whose index is fresh.
void measure_search(Connection& db, const CodeSet& queries, double recall_before, double ratio_before) {
    const double recall_now = mean_recall(db, "aged", queries);
    row("recall@10", "%.3f", recall_now, "");
    row("recall over before", "%.3f", recall_now / recall_before, ">= 0.95");
    const Turns still = search_in_turns(db, "aged", "still", queries);
    row("median, us", "%.0f", still.one_us, "");
    row("median over the copy's", "%.3f", still.ratio, "");
    row("latency over before", "%.3f", still.ratio / ratio_before, "<= 1.05");
    row("latency over that of a fresh index of the same rows", "%.3f",
        search_in_turns(db, "aged", "bare_first", queries).ratio, "");
}

/// Deletes the rows `doomed`, a fifth: all but one, which leaves the shard below the share at which it is rewritten,
/// and then the last, with which VACUUM starts a worker. Leaves the tables for more. Returns codes a second of CREATE
/// INDEX.
double delete_fifth(Connection& db, const FamilyData& data, const Ids& doomed, const std::string& what) {
    const std::uint32_t rows = data.codes.size();
    background(db, false);
    load_doomed(db, doomed);
    for (const char* table : {"aged", "still", "bare_first", "bare_last"}) load(db, table, data.codes, false);
    create_index(db, "still");
    const double build_rate = rows / create_index(db, "aged");
    const CodeSet queries = queries_left(data, doomed);
    const double ratio_before = search_in_turns(db, "aged", "still", queries).ratio;
    const double recall_before = mean_recall(db, "aged", queries);

    table_head((what + ": VACUUM, no rewrite due").c_str());
    for (const char* table : {"aged", "bare_first", "bare_last"}) delete_stage(db, table, 1);
    measure_vacuum(db, rows);

    table_head((what + ": near-duplicate queries after the VACUUM, in turns with a copy that keeps all rows").c_str());
    create_index(db, "bare_first");
    row("queries whose family is left", "%.0f", queries.size(), "");
    row("recall@10 before", "%.3f", recall_before, "");
    row("recall@10 of a fresh index of the rows left", "%.3f", mean_recall(db, "bare_first", queries), "");
    row("median over the copy's, before", "%.3f", ratio_before, "");
    row("fresh index of the rows left, over before", "%.3f",
        search_in_turns(db, "bare_first", "still", queries).ratio / ratio_before, "");
    measure_search(db, queries, recall_before, ratio_before);

    table_head((what + ": the same after the rewrite that VACUUM started").c_str());
    delete_stage(db, "aged", 2);
    background(db, true);
    db.run("VACUUM (INDEX_CLEANUP ON) aged");
    background(db, false);
    const double start = now();
    wait_for_workers(db);
    row("worker at its end after the VACUUM, seconds", "%.1f", now() - start, "");
    row("dead entries", "%.0f", stat(db, "dead", "aged_nphd"), "0");
    measure_search(db, queries, recall_before, ratio_before);
    return build_rate;
}

void measure_rewrite(Connection& db, double build_rate) {
    delete_share(db, "aged", 5);
    background(db, true);  // VACUUM leaves the rewrite to a worker
    db.run("VACUUM aged");
    background(db, false);
    end_worker(db);
    const double dead = stat(db, "dead", "aged_nphd"), live = stat(db, "live", "aged_nphd");
    row("dead entries before the rewrite, of all", "%.3f", dead / (live + dead), "");
    const double seconds = seconds_of(db, "SELECT nphd_compact('aged_nphd')");
    const double rate = live / seconds;
    row("rewrite by nphd_compact(), one thread, seconds", "%.2f", seconds, "");
    row("living rows rewritten a second", "%.0f", rate, "");
    row("this rate over that of CREATE INDEX", "%.2f", rate / build_rate, "");
    row("dead entries after it", "%.0f", stat(db, "dead", "aged_nphd"), "");
}

/// nphd_compact(index, true) in the present state, then REINDEX.
void compact_and_reindex(Connection& db) {
    const std::string before = db.run(
        "SELECT shards || ' shards, ' || dead || ' dead, ' || pending || ' pending' FROM "
        "nphd_index_stats('aged_nphd')");
    std::printf("| before | %s | |\n", before.c_str());
    const double size_before = size(db, "aged_nphd");
    const double seconds = seconds_of(db, "SELECT nphd_compact('aged_nphd', true)");
    const double compacted = size(db, "aged_nphd");
    const double reindex = seconds_of(db, "REINDEX INDEX aged_nphd");
    const double fresh = size(db, "aged_nphd");
    row("size before, of REINDEX's", "%.2f", size_before / fresh, "");
    row("size after nphd_compact(index, true), of REINDEX's", "%.3f", compacted / fresh, "<= 1.10");
    row("nphd_compact(index, true), one thread, seconds", "%.2f", seconds, "");
    row("its seconds, of REINDEX's", "%.2f", seconds / reindex, "");
}

void measure_full_compaction(Connection& db, const CodeSet& more, std::uint32_t rows) {
    const std::uint32_t folded = more.size() * 4 / 5;
    table_head("Compaction after the rewrite, a tenth deleted and 5 % of new rows");
    delete_share(db, "aged", 10);
    db.copy("aged", copy_lines(more, 0, folded, rows, false));
    db.run("VACUUM aged");
    db.copy("aged", copy_lines(more, folded, more.size(), rows, false));
    compact_and_reindex(db);
    table_head("Compaction of this fresh index after 5 % of new rows and no deletes");
    db.copy("aged", copy_lines(more, 0, more.size(), rows + more.size(), false));
    compact_and_reindex(db);
}

void measure_deletes(Connection& db, const FamilyData& data, const CodeSet& more, std::uint64_t seed) {
    delete_fifth(db, data, fifth_of_families(data), "A fifth of the families deleted");
    const double build_rate = delete_fifth(db, data, random_fifth(data, seed), "A fifth deleted at random");
    table_head("Rewrite of a shard of which a fifth is dead");
    measure_rewrite(db, build_rate);
    measure_full_compaction(db, more, data.codes.size());
    for (const char* table : {"aged", "still", "bare_first", "bare_last", "doomed"})
        db.run(std::string("DROP TABLE ") + table);
}

// ---- Latency of inserts

enum class Beside { nothing, computing, worker };

struct Traffic {
    bool copy;  // batches of 100, else single rows
    bool synchronous_commit;
    Beside beside;
};

struct Latencies {
    std::vector<double> all;     // microseconds
    std::vector<double> beside;  // of those that began while a worker was seen

    void append(const Latencies& other) {
        all.insert(all.end(), other.all.begin(), other.all.end());
        beside.insert(beside.end(), other.beside.begin(), other.beside.end());
        std::sort(all.begin(), all.end());
        std::sort(beside.begin(), beside.end());
    }
};

double quantile(const std::vector<double>& sorted, double q) {
    if (sorted.empty()) return std::nan("");
    return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(q * static_cast<double>(sorted.size())))];
}

void one_writer(const Traffic& traffic, const CodeSet& pool, std::uint64_t seed, const std::atomic<bool>& seen,
                double until, Latencies& out) {
    static constexpr std::uint32_t kBatch = 100;
    Connection db;
    db.run("LOAD 'nphd'");
    background(db, traffic.beside == Beside::worker);
    db.run(std::string("SET synchronous_commit = ") + (traffic.synchronous_commit ? "on" : "off"));
    db.prepare("insert", "INSERT INTO traffic (code) VALUES ($1::bitvec)");
    TestRandom random(seed);
    while (now() < until) {
        CodeSet batch(kCodeBytes);
        for (std::uint32_t i = 0; i < (traffic.copy ? kBatch : 1); ++i) {
            batch.add(pool.code(random.below(pool.size())));
            batch.add_noise(i, kNoise, random);
        }
        std::string text;
        for (std::uint32_t i = 0; i < batch.size(); ++i) {
            append_hex(text, batch.code(i));
            if (traffic.copy) text += '\n';
        }
        const bool was_seen = seen;
        const double start = now();
        if (traffic.copy)
            db.copy("traffic (code)", text);
        else
            db.execute("insert", text);
        out.all.push_back((now() - start) * 1e6);
        if (was_seen) out.beside.push_back(out.all.back());
    }
}

/// What a worker was found doing, looked at every 5 ms.
struct Looks {
    std::uint64_t all = 0, folding = 0, merging = 0;
};
void watch(std::atomic<bool>& seen, double until, Looks& looks) {
    Connection db;
    const std::string look = std::string("SELECT min('at work: ' || coalesce(query, '')) ") + kWorkers;
    const auto says = [](const std::string& what, const char* word) { return what.find(word) != std::string::npos; };
    while (now() < until) {
        const std::string what = db.run(look);
        seen = !what.empty();
        ++looks.all;
        looks.folding += says(what, "folding");
        looks.merging += says(what, "shard");
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
}

/// A session that only computes: what any busy process takes from the others on this machine.
void compute(double seconds) {
    Connection db;
    db.run("DO $$ DECLARE stop timestamptz := clock_timestamp() + '" + std::to_string(seconds) +
           " s'; BEGIN WHILE clock_timestamp() < stop LOOP END LOOP; END $$");
}

/// The table anew with one shard, a quarter of it dead if a worker is wanted: VACUUM starts it.
void prepare_traffic(Connection& db, Beside beside) {
    db.run("DROP INDEX IF EXISTS traffic_nphd");
    db.run("TRUNCATE traffic RESTART IDENTITY");
    db.run("INSERT INTO traffic (code) SELECT code FROM traffic_rows");
    db.run("VACUUM ANALYZE traffic");
    create_index(db, "traffic");
    if (beside == Beside::worker) db.run("DELETE FROM traffic WHERE id % 4 = 0");
    db.run("CHECKPOINT");
    background(db, beside == Beside::worker);
    if (beside == Beside::worker) db.run("VACUUM traffic");
}

Latencies run_traffic(Connection& db, const Traffic& traffic, const CodeSet& pool, Looks& looks) {
    static constexpr double kSeconds = 8;
    prepare_traffic(db, traffic.beside);
    std::atomic<bool> seen = false;
    const double until = now() + kSeconds;
    Latencies one, two;
    {
        std::vector<std::thread> threads;
        threads.emplace_back([&] { watch(seen, until, looks); });
        threads.emplace_back([&] { one_writer(traffic, pool, 1, seen, until, one); });
        threads.emplace_back([&] { one_writer(traffic, pool, 2, seen, until, two); });
        if (traffic.beside == Beside::computing) threads.emplace_back([&] { compute(until - now()); });
        for (auto& thread : threads) thread.join();
    }
    // What is pending now is not needed any more.
    db.run(std::string("SELECT count(pg_terminate_backend(pid)) ") + kWorkers);
    wait_for_workers(db);
    one.append(two);
    return one;
}

void measure_latency(Connection& db, bool copy, bool synchronous_commit, const CodeSet& pool) {
    std::string title = copy ? "COPY of batches of 100 rows" : "Single-row INSERTs";
    title += " from two connections, synchronous_commit = ";
    title += synchronous_commit ? "on" : "off";
    table_head(title.c_str());
    const auto run = [&](Beside beside, Looks& looks) {
        return run_traffic(db, {copy, synchronous_commit, beside}, pool, looks);
    };
    Looks ignored, looks;
    Latencies alone = run(Beside::nothing, ignored);
    const double first_p99 = quantile(alone.all, 0.99);
    const Latencies computing = run(Beside::computing, ignored);
    const Latencies worker = run(Beside::worker, looks);
    const Latencies again = run(Beside::nothing, ignored);
    alone.append(again);
    const auto share = [](std::size_t part, std::size_t of) {
        return static_cast<double>(part) / static_cast<double>(of);
    };
    const double p50 = quantile(alone.all, 0.5), p99 = quantile(alone.all, 0.99);
    row("statements in a run without a worker", "%.0f", static_cast<double>(alone.all.size()) / 2, "");
    row("statements in the run with a worker", "%.0f", static_cast<double>(worker.all.size()), "");
    row("share of these that began while one was at work", "%.2f", share(worker.beside.size(), worker.all.size()),
        "> 0.5");
    row("looks that found it folding", "%.2f", share(looks.folding, looks.all), "");
    row("looks that found it merging or rewriting shards", "%.2f", share(looks.merging, looks.all), "");
    row("p50 without, us", "%.0f", p50, "");
    row("p50 beside a worker, us", "%.0f", quantile(worker.beside, 0.5), "");
    row("p50, ratio", "%.2f", quantile(worker.beside, 0.5) / p50, "");
    row("p99 without, us", "%.0f", p99, "");
    row("p99 without: last run over first run", "%.2f", quantile(again.all, 0.99) / first_p99, "");
    row("p99 beside a worker, us", "%.0f", quantile(worker.beside, 0.99), "");
    row("p99, ratio", "%.2f", quantile(worker.beside, 0.99) / p99, synchronous_commit ? "" : "<= 10");
    row("p99 beside a session that only computes, ratio", "%.2f", quantile(computing.all, 0.99) / p99, "");
    row("longest without, ms", "%.1f", alone.all.back() / 1e3, "");
    row("longest beside a session that only computes, ms", "%.1f", computing.all.back() / 1e3, "");
    row("longest with a worker, ms", "%.1f", worker.all.back() / 1e3, "");
}

void measure_latencies(Connection& db, const CodeSet& more) {
    load(db, "traffic_rows", more, false);
    background(db, false);
    db.run("DROP TABLE IF EXISTS traffic");
    db.run("CREATE TABLE traffic (id int8 GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, code bitvec NOT NULL)");
    pending_limit(db, "256kB");
    for (const bool synchronous_commit : {false, true})
        for (const bool copy : {false, true}) measure_latency(db, copy, synchronous_commit, more);
    db.run("DROP TABLE traffic, traffic_rows");
}

// ---- Steady updates

void measure_updates(Connection& db, const CodeSet& codes, std::uint64_t seed) {
    static constexpr int kRounds = 30;
    load(db, "steady", codes, false);
    create_index(db, "steady");
    pending_limit(db, "1MB");
    background(db, true);
    TestRandom random(seed);
    const double fresh = size(db, "steady_nphd");
    double largest = 0, worst = 0, worst_less = 0, vacuum = 0, in_use = 0;
    for (int round = 0; round < kRounds; ++round) {
        CodeSet change(kCodeBytes);
        change.add();
        change.add_noise(0, kNoise, random);
        db.run("UPDATE steady SET code = code # '" + hex(change.code(0)) +
               "'::bitvec WHERE id % 3 = " + std::to_string(round % 3));
        vacuum += seconds_of(db, "VACUUM steady");
        in_use = stat(db, "bytes - unused_bytes", "steady_nphd");
        const double bytes = size(db, "steady_nphd");
        const double shard = db.number(
            "SELECT coalesce(max(bytes), 0) FROM (SELECT sum(blocks) * current_setting('block_size')::int AS bytes "
            "FROM nphd_index_extents('steady_nphd') WHERE state = 'live' AND kind = 'shard' GROUP BY generation) AS s");
        largest = std::max(largest, bytes);
        worst = std::max(worst, bytes / in_use);
        worst_less = std::max(worst_less, (bytes - shard) / in_use);
    }
    wait_for_workers(db);
    in_use = stat(db, "bytes - unused_bytes", "steady_nphd");
    row("largest file, of a fresh index of as many rows", "%.2f", largest / fresh, "");
    row("file over bytes in use, worst round", "%.2f", worst, "");
    row("file less its largest shard over bytes in use, worst round", "%.2f", worst_less, "<= 2");
    row("largest file over bytes in use at the end", "%.2f", largest / in_use, "");
    row("shards at the end", "%.0f", stat(db, "shards", "steady_nphd"), "");
    row("dead entries at the end, of the rows", "%.2f", stat(db, "dead", "steady_nphd") / codes.size(), "");
    row("VACUUM, seconds a round", "%.2f", vacuum / kRounds, "");
    db.run("DROP TABLE steady");
}

// ---- A long load

/// Median of a few searches over that of ten rows by primary key; kept short, since the state may be changing.
SearchFigures search_now(Connection& db, const CodeSet& queries, std::uint32_t queries_now, std::uint32_t rows,
                         double& over_key) {
    CodeSet few(kCodeBytes);
    for (std::uint32_t i = 0; i < queries_now; ++i) few.add(queries.code(i));
    double key_us = 0;
    const SearchFigures figures = search(db, few, kCodeBytes, rows, key_us);
    over_key = figures.microseconds / key_us;
    return figures;
}

/// Loads the first `rows` rows, as fast as it goes or `rate` rows a second, and looks at the index at once, after the
/// worker came to its end, and as one shard.
void measure_load(Connection& db, const nphd::test::DataSet& data, std::uint32_t rows, double rate) {
    static constexpr std::uint32_t kBatch = 1000, kAtOnce = 50;
    db.run("DROP TABLE IF EXISTS grown");
    db.run("CREATE TABLE grown (id int4 PRIMARY KEY, code bitvec NOT NULL)");
    create_index(db, "grown");
    prepare_search(db, "grown");
    const double start = now();
    for (std::uint32_t i = 0; i < rows; i += kBatch) {
        db.copy("grown", copy_lines(data.codes, i, std::min(rows, i + kBatch), 0, false));
        const double ahead = rate > 0 ? start + (i + kBatch) / rate - now() : 0;
        if (ahead > 0) std::this_thread::sleep_for(std::chrono::duration<double>(ahead));
    }
    const double loaded = now();
    row("rows", "%.0f", rows, "");
    row("rows a second", "%.0f", rows / (loaded - start), "");
    row("at once: shards", "%.0f", stat(db, "shards", "grown_nphd"), "");
    row("at once: pending rows", "%.0f", stat(db, "pending", "grown_nphd"), "");
    double at_once = 0, settled = 0, single = 0;
    search_now(db, data.queries, 5, rows, at_once);
    const SearchFigures first = search_now(db, data.queries, kAtOnce, rows, at_once);
    row("at once: ten nearest, us", "%.0f", first.microseconds, "");
    row("at once: ten nearest, of ten rows by primary key", "%.2f", at_once, "");
    wait_for_workers(db);
    row("worker at its end after the load, seconds", "%.2f", now() - loaded, "");
    db.run("VACUUM (ANALYZE, INDEX_CLEANUP OFF) grown");
    row("then: shards", "%.0f", stat(db, "shards", "grown_nphd"), "");
    row("then: pending rows", "%.0f", stat(db, "pending", "grown_nphd"), "");
    row("then: bytes per code", "%.0f", size(db, "grown_nphd") / rows, "");
    search_now(db, data.queries, data.queries.size(), rows, settled);
    const SearchFigures then = search_now(db, data.queries, data.queries.size(), rows, settled);
    row("then: ten nearest, us", "%.0f", then.microseconds, "");
    row("then: ten nearest, of ten rows by primary key", "%.2f", settled, "");
    row("then: recall@10", "%.3f", then.recall, "");
    row("nphd_compact(index, true), seconds", "%.2f", seconds_of(db, "SELECT nphd_compact('grown_nphd', true)"), "");
    search_now(db, data.queries, data.queries.size(), rows, single);
    const SearchFigures one = search_now(db, data.queries, data.queries.size(), rows, single);
    row("one shard: ten nearest, us", "%.0f", one.microseconds, "");
    row("one shard: ten nearest, of ten rows by primary key", "%.2f", single, "");
    row("one shard: recall@10", "%.3f", one.recall, "");
    row("one shard: bytes per code", "%.0f", size(db, "grown_nphd") / rows, "");
    row("latency at once over that of one shard", "%.2f", at_once / single, "");
    row("latency then over that of one shard", "%.2f", settled / single, "");
    db.run("DROP TABLE grown");
}

}  // namespace

int main(int argc, char** argv) {
    const auto rows = static_cast<std::uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000000) / 100 * 100;
    const std::uint64_t seed = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 7;
    const auto wanted = [&](const char* part) {
        return argc <= 3 || std::find(argv + 3, argv + argc, std::string(part)) != argv + argc;
    };

    Connection db;
    db.run("SET client_min_messages = warning");
    db.run("CREATE EXTENSION IF NOT EXISTS nphd");
    db.run("LOAD 'nphd'");
    db.run("SET maintenance_work_mem = '2GB'");
    db.run("SET max_parallel_maintenance_workers = 0");
    db.run("ALTER SYSTEM SET autovacuum = off");
    db.run("SELECT pg_reload_conf(), pg_sleep(0.2)");
    std::fprintf(stderr, "making %u codes, seed %lu\n", rows, static_cast<unsigned long>(seed));
    const auto data = make_data(rows, kQueries, seed);

    std::printf("\n%u codes of 256 bits, near-duplicate families of %u in clusters, seed %lu\n", rows, kFamily,
                static_cast<unsigned long>(seed));
    if (wanted("deletes")) measure_deletes(db, data, make_data(rows / 20, 1, seed + 100).codes, seed);
    if (wanted("inserts")) {
        std::printf("\nTable of %u rows, nphd.pending_limit = 256kB, two connections without a pause for 8 s\n",
                    rows / 4);
        measure_latencies(db, make_data(rows / 4, 1, seed + 300).codes);
    }
    if (wanted("updates")) {
        table_head("30 rounds of updating a third of a table, VACUUM after each, background on");
        std::printf("| rows | %u | |\n", rows / 10);
        measure_updates(db, make_data(rows / 10, 1, seed + 200).codes, seed);
    }
    if (wanted("load")) {
        background(db, true);
        table_head("The rows loaded by COPY in batches of 1,000, background on, against one shard");
        measure_load(db, data, rows, 0);
        table_head("The same at 20,000 rows a second, half of the rows");
        measure_load(db, data, rows / 2, 20000);
    }
    db.run("ALTER SYSTEM RESET autovacuum");
    db.run("ALTER SYSTEM RESET nphd.pending_limit");
    db.run("SELECT pg_reload_conf()");
    return 0;
}
