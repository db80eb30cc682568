// Exact answers through SQL: everything within a radius and this very code, each in turns with something that everybody
// knows, a look-up by primary key or a B-tree on the same codes. Run by bench/run, which starts the server.
//
//   exact [rows] [seed] [part...]      parts: radius, equality; short_codes (not run unless named)

#include "bench/sql_bench.hpp"

#include <functional>
#include <set>

using namespace nphd::bench;

namespace {

void table_head(const std::string& what) {
    std::printf("\n%s\n\n| what | measured | target |\n|---|---|---|\n", what.c_str());
}

struct Timed {
    double first_us, second_us;  // medians
};

/// Two prepared statements in turns. parameter(i) gives the i-th parameter of each.
Timed in_turns(Connection& db, std::uint32_t n, const char* first, const std::function<std::string(std::uint32_t)>& a,
               const char* second, const std::function<std::string(std::uint32_t)>& b) {
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

/// Fails unless the plan of the prepared statement uses the index.
void must_use(Connection& db, const std::string& statement, const std::string& index) {
    const auto lines = db.rows("EXPLAIN EXECUTE " + statement + "('\\x00')");
    for (const auto& line : lines)
        if (line.find(" using " + index + " ") != std::string::npos ||
            line.find(" on " + index + " ") != std::string::npos)
            return;
    std::fprintf(stderr, "%s does not use %s\n", statement.c_str(), index.c_str());
    std::exit(1);
}

std::multiset<std::string> answer(Connection& db, const char* statement, const std::string& query) {
    const auto rows = db.execute(statement, query);
    return {rows.begin(), rows.end()};
}

/// Radius searches of a table in turns with the primary key; every answer of the first ones is compared with a
/// sequential scan's.
void measure_radius(Connection& db, const std::string& table, const CodeSet& queries, std::uint32_t radius,
                    const char* target_us, const char* target_ratio) {
    static constexpr std::uint32_t kCompared = 50;
    const std::string name = "within_" + std::to_string(radius);
    const std::string of = std::to_string(radius) + ")";
    db.prepare(name.c_str(), ("SELECT id FROM " + table + " WHERE hamming_within(code, $1::bitvec, " + of).c_str());
    db.prepare((name + "_scan").c_str(),
               ("SELECT id FROM " + table + " WHERE (code <~> $1::bitvec) <= " + std::to_string(radius)).c_str());
    must_use(db, name, table + "_nphd");
    std::size_t rows = 0, missed = 0;
    for (std::uint32_t q = 0; q < kCompared; ++q) {
        const auto found = answer(db, name.c_str(), hex(queries.code(q)));
        const auto all = answer(db, (name + "_scan").c_str(), hex(queries.code(q)));
        rows += all.size();
        missed += found == all ? 0 : 1;
    }
    TestRandom random(99);
    const double n = db.number("SELECT count(*) FROM " + table);
    const auto query = [&](std::uint32_t i) { return hex(queries.code(i % queries.size())); };
    const auto key = [&](std::uint32_t) { return std::to_string(random.below(static_cast<std::uint32_t>(n))); };
    const Timed t = in_turns(db, queries.size(), name.c_str(), query, "by_key", key);
    const std::string what = "radius " + std::to_string(radius) + ": ";
    row((what + "median, us").c_str(), "%.0f", t.first_us, target_us);
    row((what + "over one row by primary key").c_str(), "%.2f", t.first_us / t.second_us, target_ratio);
    row((what + "rows found, mean").c_str(), "%.1f", static_cast<double>(rows) / kCompared, "");
    row((what + "answers that differ from a sequential scan's, of 50").c_str(), "%.0f", static_cast<double>(missed),
        "0");
}

void create_index(Connection& db, const std::string& table) {
    db.run("CREATE INDEX " + table + "_nphd ON " + table + " USING nphd (code bitvec_hamming_ops)");
    db.run("VACUUM ANALYZE " + table);
    db.run("DEALLOCATE ALL");
    db.prepare("by_key", ("SELECT code FROM " + table + " WHERE id = $1::int4").c_str());
}

void radius_part(Connection& db, std::uint32_t rows, std::uint64_t seed) {
    const auto data = make_data(rows, 2000, seed);
    load(db, "near", data.codes, false);
    create_index(db, "near");
    table_head(std::to_string(rows) + " codes of 256 bits, near-duplicate families of 10 in clusters");
    measure_radius(db, "near", data.queries, 15, "", "<= 3");
    measure_radius(db, "near", data.queries, 31, "<= 300", "");
}

/// Uniformly random codes of 64 bits, one in ten a near-duplicate of another; queries are near-duplicates too.
void short_codes_part(Connection& db, std::uint32_t rows, std::uint64_t seed) {
    TestRandom random(seed << 40);
    CodeSet queries(kShortBytes);
    db.run("DROP TABLE IF EXISTS short");
    db.run("CREATE TABLE short (id int4 PRIMARY KEY, code bitvec NOT NULL)");
    for (std::uint32_t from = 0; from < rows; from += 100000) {
        CodeSet codes(kShortBytes);
        for (std::uint32_t i = 0; i < std::min(rows - from, 100000u); ++i) {
            if (i % 10 == 9) {
                codes.add(codes.code(i - 1));
                codes.add_noise(i, kNoise, random);
            } else {
                codes.set_random(codes.add(), random);
            }
        }
        for (std::uint32_t i = 0; i < 20 && queries.size() < 1000; ++i) {
            queries.add(codes.code(random.below(codes.size())));
            queries.add_noise(queries.size() - 1, kNoise, random);
        }
        db.copy("short", copy_lines(codes, 0, codes.size(), from, false, kShortBytes));
    }
    create_index(db, "short");
    table_head(std::to_string(rows) + " codes of 64 bits, random and near-duplicates of these");
    measure_radius(db, "short", queries, 8, "<= 2000", "");
}

/// Equality in turns with a B-tree on the same codes in a table of its own.
void measure_equality(Connection& db, const CodeSet& there, const CodeSet& absent) {
    const auto hit = [&](std::uint32_t i) { return hex(there.code(i * 7919 % there.size())); };
    const auto miss = [&](std::uint32_t i) { return hex(absent.code(i % absent.size())); };
    const Timed hits = in_turns(db, 4000, "equal", hit, "equal_btree", hit);
    const Timed misses = in_turns(db, 4000, "equal", miss, "equal_btree", miss);
    row("shards", "%.0f", db.number("SELECT shards FROM nphd_index_stats('coded_nphd')"), "");
    row("a hit, us", "%.1f", hits.first_us, "");
    row("a hit, over the B-tree's", "%.2f", hits.first_us / hits.second_us, "<= 1.5");
    row("a miss, us", "%.1f", misses.first_us, "");
    row("a miss, over the B-tree's", "%.2f", misses.first_us / misses.second_us, "<= 1.5");
    row("a miss, over a hit", "%.2f", misses.first_us / hits.first_us, "<= 1");
}

void equality_part(Connection& db, std::uint32_t rows, std::uint64_t seed) {
    const auto data = make_data(rows, 1, seed);
    TestRandom random(seed << 40);
    CodeSet absent(kCodeBytes);
    for (int i = 0; i < 1000; ++i) absent.set_random(absent.add(), random);
    load(db, "tree", data.codes, false);
    db.run("CREATE INDEX tree_btree ON tree (code)");
    db.run("VACUUM ANALYZE tree");
    load(db, "coded", data.codes, false);
    create_index(db, "coded");
    db.prepare("equal", "SELECT id FROM coded WHERE code = $1::bitvec");
    db.prepare("equal_btree", "SELECT id FROM tree WHERE code = $1::bitvec");
    must_use(db, "equal", "coded_nphd");
    must_use(db, "equal_btree", "tree_btree");
    table_head(std::to_string(rows) + " codes of 256 bits, equality");
    measure_equality(db, data.codes, absent);

    // As many shards as merging by doubling ever leaves: each holds less than half of the one before.
    db.run("SET nphd.background_maintenance = off");
    db.run("DROP INDEX coded_nphd");
    db.run("TRUNCATE coded");
    create_index(db, "coded");
    std::uint32_t done = 0;
    for (double part = rows / 1.85; done < rows && part >= 1; part /= 2.2) {
        const std::uint32_t to = std::min(rows, done + static_cast<std::uint32_t>(part));
        for (; done < to; done = std::min(to, done + 100000))
            db.copy("coded", copy_lines(data.codes, done, std::min(to, done + 100000), 0, false));
        db.run("SELECT nphd_compact('coded_nphd')");
    }
    db.run("VACUUM ANALYZE coded");
    db.prepare("equal", "SELECT id FROM coded WHERE code = $1::bitvec");
    db.prepare("equal_btree", "SELECT id FROM tree WHERE code = $1::bitvec");
    table_head("the same in many shards, all codes of which are there but for a few");
    measure_equality(db, data.codes, absent);
}

}  // namespace

int main(int argc, char** argv) {
    const auto rows = static_cast<std::uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000000);
    const std::uint64_t seed = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 7;
    std::set<std::string> parts(argv + std::min(argc, 3), argv + argc);
    if (parts.empty()) parts = {"radius", "equality"};
    Connection db;
    db.run("SET client_min_messages = warning");
    db.run("CREATE EXTENSION IF NOT EXISTS nphd");
    db.run("SET maintenance_work_mem = '2GB'");
    if (parts.count("radius")) radius_part(db, rows, seed);
    if (parts.count("equality")) equality_part(db, rows, seed);
    if (parts.count("short_codes")) short_codes_part(db, rows, seed);
    return 0;
}
