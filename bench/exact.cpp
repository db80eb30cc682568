// Exact answers through SQL: everything within a radius and this very code, each in turns with something that everybody
// knows, a look-up by primary key or a B-tree on the same codes. Run by bench/run, which starts the server.
//
//   exact [rows] [seed] [part...]      parts: radius, equality; short_codes (not run unless named)

#include "bench/sql_bench.hpp"

#include <set>

using namespace nphd::bench;

namespace {

void table_head(const std::string& what) {
    std::printf("\n%s\n\n| what | measured | target |\n|---|---|---|\n", what.c_str());
}

/// Fails unless the plan of the prepared statement uses the index, for a known parameter and for any.
void must_use(Connection& db, const std::string& statement, const std::string& index, const std::string& query) {
    for (const std::string mode : {"force_custom_plan", "force_generic_plan"}) {
        db.run("SET plan_cache_mode = " + mode);
        const auto lines = db.rows("EXPLAIN EXECUTE " + statement + "('" + query + "')");
        if (std::none_of(lines.begin(), lines.end(), [&](const std::string& line) {
                return line.find(" using " + index + " ") != std::string::npos ||
                       line.find(" on " + index + " ") != std::string::npos;
            })) {
            std::fprintf(stderr, "%s does not use %s under %s:\n%s\n", statement.c_str(), index.c_str(), mode.c_str(),
                         lines.front().c_str());
            std::exit(1);
        }
    }
    db.run("RESET plan_cache_mode");
}

std::multiset<std::string> answer(Connection& db, const char* statement, const std::string& query) {
    const auto rows = db.execute(statement, query);
    return {rows.begin(), rows.end()};
}

/// Which rows are asked for, in the index's words and in others that no index knows.
struct Question {
    std::string name, condition, index, for_scan;
};

Question hamming_question(const std::string& table, std::uint32_t radius) {
    const std::string r = std::to_string(radius);
    return {"radius_" + r, "hamming_within(code, $1::bitvec, " + r + ")", table + "_nphd",
            "(code <~> $1::bitvec) <= " + r};
}

/// For codes of 256 bits.
Question nphd_question(const std::string& table, std::uint32_t radius) {
    const std::string r = std::to_string(radius) + "/256.0";
    return {"nphd_radius_" + std::to_string(radius), "nphd_within(code, $1::bitvec, " + r + ")", table + "_prefix",
            "(code <-> $1::bitvec) <= " + r};
}

/// Radius searches of a table in turns with the primary key; every answer of the first ones is compared with a
/// sequential scan's.
void measure_radius(Connection& db, const std::string& table, const CodeSet& queries, const Question& question,
                    const char* target_us, const char* target_ratio) {
    static constexpr std::uint32_t kCompared = 50;
    const std::string& name = question.name;
    db.prepare(name.c_str(), ("SELECT id FROM " + table + " WHERE " + question.condition).c_str());
    db.prepare((name + "_scan").c_str(), ("SELECT id FROM " + table + " WHERE " + question.for_scan).c_str());
    must_use(db, name, question.index, hex(queries.code(0)));
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
    const std::string what = name + ": ";
    row((what + "median, us").c_str(), "%.0f", t.first_us, target_us);
    row((what + "over one row by primary key").c_str(), "%.2f", t.first_us / t.second_us, target_ratio);
    row((what + "rows found, mean").c_str(), "%.1f", static_cast<double>(rows) / kCompared, "");
    row((what + "answers that differ from a sequential scan's, of 50").c_str(), "%.0f", static_cast<double>(missed),
        "0");
}

/// Counts the rows within the radius that takes in a hundredth of the table, against a sequential scan that does.
void measure_hundredth(Connection& db, const std::string& table, const CodeSet& queries) {
    static constexpr std::uint32_t kQueries = 20;
    std::vector<double> times[2], rows;
    std::uint32_t differ = 0;
    for (std::uint32_t q = 0; q < kQueries; ++q) {
        const std::string query = "'" + hex(queries.code(q)) + "'::bitvec";
        const std::string radius =
            db.run("SELECT percentile_disc(0.01) WITHIN GROUP (ORDER BY code <~> " + query + ")::int FROM " + table);
        const std::string statements[] = {
            "SELECT count(*) FROM " + table + " WHERE hamming_within(code, " + query + ", " + radius + ")",
            "SELECT count(*) FROM " + table + " WHERE (code <~> " + query + ") <= " + radius};
        std::string counts[2];
        for (const std::size_t i : {0u, 1u}) {
            const double start = now();
            counts[i] = db.run(statements[i]);
            times[i].push_back((now() - start) * 1e6);
        }
        rows.push_back(std::strtod(counts[1].c_str(), nullptr));
        differ += counts[0] == counts[1] ? 0 : 1;
    }
    row("a hundredth of the table: rows, mean", "%.0f", mean(rows), "");
    row("a hundredth of the table: median, us", "%.0f", median(times[0]), "");
    row("a hundredth of the table: over a sequential scan", "%.3f", median(times[0]) / median(times[1]), "");
    row("a hundredth of the table: counts that differ from the scan's, of 20", "%.0f", differ, "0");
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
    measure_radius(db, "near", data.queries, hamming_question("near", 15), "", "<= 3");
    measure_radius(db, "near", data.queries, hamming_question("near", 31), "<= 300", "");
    measure_hundredth(db, "near", data.queries);
    db.run("CREATE INDEX near_prefix ON near USING nphd (code)");
    measure_radius(db, "near", data.queries, nphd_question("near", 31), "<= 300", "");
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
    measure_radius(db, "short", queries, hamming_question("short", 8), "<= 2000", "");
}

/// Equality in turns with a B-tree on the same codes in a table of its own.
void measure_equality(Connection& db, const CodeSet& there, const CodeSet& absent) {
    const auto hit = [&](std::uint32_t i) { return hex(there.code(i * 7919 % there.size())); };
    const auto miss = [&](std::uint32_t i) { return hex(absent.code(i % absent.size())); };
    const Timed hits = in_turns(db, 4000, "equal", hit, "equal_btree", hit);
    const Timed misses = in_turns(db, 4000, "equal", miss, "equal_btree", miss);
    std::uint32_t differ = 0;
    for (std::uint32_t i = 0; i < 1000; ++i)
        for (const auto& query : {hit(i), miss(i)})
            differ += answer(db, "equal", query) == answer(db, "equal_btree", query) ? 0 : 1;
    row("shards", "%.0f", db.number("SELECT shards FROM nphd_index_stats('coded_nphd')"), "");
    row("a hit, us", "%.1f", hits.first_us, "");
    row("a hit, over the B-tree's", "%.2f", hits.first_us / hits.second_us, "<= 1.5");
    row("a miss, us", "%.1f", misses.first_us, "");
    row("a miss, over the B-tree's", "%.2f", misses.first_us / misses.second_us, "<= 1.5");
    row("a miss, over a hit", "%.2f", misses.first_us / hits.first_us, "<= 1");
    row("answers that differ from the B-tree's, of 2,000", "%.0f", differ, "0");
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
    must_use(db, "equal", "coded_nphd", hex(absent.code(0)));
    must_use(db, "equal_btree", "tree_btree", hex(absent.code(0)));
    table_head(std::to_string(rows) + " codes of 256 bits, equality");
    measure_equality(db, data.codes, absent);

    // As many shards as merging by doubling ever leaves: each is a little more than twice as large as the one before.
    db.run("SET nphd.background_maintenance = off");
    db.run("DROP INDEX coded_nphd");
    db.run("TRUNCATE coded");
    create_index(db, "coded");
    std::vector<std::uint32_t> parts;
    std::uint32_t left = rows;
    for (std::uint32_t part = 1; left - part > 2 * part; part = 2 * part + 1) {
        parts.push_back(part);
        left -= part;
    }
    parts.push_back(left);
    std::reverse(parts.begin(), parts.end());
    std::uint32_t done = 0;
    for (const std::uint32_t part : parts) {
        for (const std::uint32_t to = done + part; done < to;) {
            const std::uint32_t next = std::min(to, done + 100000);
            db.copy("coded", copy_lines(data.codes, done, next, 0, false));
            done = next;
        }
        db.run("SELECT nphd_compact('coded_nphd')");
    }
    db.run("VACUUM ANALYZE coded");
    db.prepare("equal", "SELECT id FROM coded WHERE code = $1::bitvec");
    db.prepare("equal_btree", "SELECT id FROM tree WHERE code = $1::bitvec");
    table_head("the same in many shards");
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
