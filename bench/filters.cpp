// Filters inside the index through SQL: the ten nearest of the rows that pass, key look-ups against a B-tree, what the
// columns add to the index. Run by bench/run, which starts the server.
//
//   filters [rows] [seed] [part...]      parts: nearest, tenants, keys, growth

#include "bench/sql_bench.hpp"

#include <bit>
#include <functional>
#include <set>

using namespace nphd::bench;

namespace {

constexpr std::uint32_t kQueries = 500, kTenants = 1000;

/// What a row has beside its code.
struct Columns {
    std::vector<std::uint32_t> independent;  // 0 .. rows - 1 in random order
    std::vector<std::uint32_t> correlated;   // the row's rank by distance from a fixed code
};

struct Ranks {
    std::vector<std::uint32_t> of_codes;
    std::vector<std::uint32_t> of_queries;  // where they would stand
};

Ranks rank_by_distance(const CodeSet& codes, const CodeSet& queries, std::uint64_t seed) {
    TestRandom random(seed);
    CodeSet pivot(kCodeBytes);
    pivot.set_random(pivot.add(), random);
    // Codes at one distance are told apart at random.
    const auto place = [&](const CodeSet& set, std::uint32_t i) {
        int bits = 0;
        for (std::size_t w = 0; w < pivot.words(0).size(); ++w)
            bits += std::popcount(set.words(i)[w] ^ pivot.words(0)[w]);
        return bits + random.below(1000) / 1000.0;
    };
    std::vector<std::pair<double, std::uint32_t>> places;
    for (std::uint32_t i = 0; i < codes.size(); ++i) places.emplace_back(place(codes, i), i);
    std::sort(places.begin(), places.end());
    Ranks ranks;
    ranks.of_codes.resize(codes.size());
    for (std::uint32_t i = 0; i < codes.size(); ++i) ranks.of_codes[places[i].second] = i;
    for (std::uint32_t i = 0; i < queries.size(); ++i)
        ranks.of_queries.push_back(static_cast<std::uint32_t>(
            std::lower_bound(places.begin(), places.end(), std::pair(place(queries, i), 0u)) - places.begin()));
    return ranks;
}

std::string uuid_of(std::uint64_t i) {
    // Random to a B-tree, known to the bench.
    std::uint64_t words[2];
    for (std::uint64_t& word : words) {
        i = (i ^ i >> 31) * 0x9E3779B97F4A7C15ull + 0xD1B54A32D192ED03ull;
        word = i ^ i >> 29;
    }
    char text[40];
    std::snprintf(text, sizeof text, "%08x-%04x-%04x-%04x-%012llx", static_cast<unsigned>(words[0] >> 32),
                  static_cast<unsigned>(words[0] >> 16 & 0xFFFF), static_cast<unsigned>(words[0] & 0xFFFF),
                  static_cast<unsigned>(words[1] >> 48), static_cast<unsigned long long>(words[1] & 0xFFFFFFFFFFFF));
    return text;
}

void load_filtered(Connection& db, const CodeSet& codes, const Columns& columns) {
    db.run("DROP TABLE IF EXISTS filtered");
    db.run("CREATE TABLE filtered (id int4, independent int4, correlated int4, tenant int4, code bitvec NOT NULL)");
    for (std::uint32_t from = 0; from < codes.size(); from += 100000) {
        std::string lines;
        for (std::uint32_t i = from; i < std::min(codes.size(), from + 100000); ++i) {
            lines += std::to_string(i) + '\t' + std::to_string(columns.independent[i]) + '\t' +
                     std::to_string(columns.correlated[i]) + '\t' + std::to_string(columns.independent[i] % kTenants) +
                     '\t';
            append_hex(lines, codes.code(i));
            lines += '\n';
        }
        db.copy("filtered", lines);
    }
    db.run("VACUUM ANALYZE filtered");
}

using Parameters = std::function<std::vector<std::string>(std::uint32_t query)>;

struct Filtered {
    double us = 0, of_unfiltered = 0, exact_us = 0, recall = 0, fewest = 10;
    std::string way;  // that most lanes took
};

/// A filtered statement in turns with the unfiltered one and with itself under nphd.exact.
Filtered measure(Connection& db, const CodeSet& queries, const std::string& statement, const Parameters& parameters) {
    std::vector<double> times, plain_times, exact_times;
    Filtered out;
    double found = 0, wanted = 0;
    const std::string distances = statement + "_distance";
    for (std::uint32_t q = 0; q < queries.size(); ++q) {
        double start = now();
        db.execute("unfiltered", hex(queries.code(q)));
        plain_times.push_back((now() - start) * 1e6);
        start = now();
        const auto rows = db.execute(statement.c_str(), parameters(q));
        times.push_back((now() - start) * 1e6);
        out.fewest = std::min(out.fewest, static_cast<double>(rows.size()));
        const auto near = db.execute(distances.c_str(), parameters(q));
        db.run("SET nphd.exact = on");
        start = now();
        db.execute(statement.c_str(), parameters(q));
        exact_times.push_back((now() - start) * 1e6);
        const auto exact = db.execute(distances.c_str(), parameters(q));
        db.run("SET nphd.exact = off");
        const double farthest = std::strtod(exact.back().c_str(), nullptr);
        for (const std::string& d : near) found += std::strtod(d.c_str(), nullptr) <= farthest;
        wanted += static_cast<double>(exact.size());
    }
    db.execute(statement.c_str(), parameters(0));
    out.way = db.run("SELECT way FROM nphd_last_scan() WHERE way <> 'pending' ORDER BY distances DESC LIMIT 1");
    out.us = median(times);
    out.of_unfiltered = out.us / median(plain_times);
    out.exact_us = median(exact_times);
    out.recall = found / wanted;
    return out;
}

void print(const std::string& what, const Filtered& f) {
    std::printf("| %s | %.0f | %.2f | %.0f | %.0f | %.3f | %.0f | %s |\n", what.c_str(), f.us, f.of_unfiltered,
                f.exact_us, f.us - f.exact_us, f.recall, f.fewest, f.way.c_str());
    std::fflush(stdout);
}

void filtered_head(const std::string& what) {
    std::printf(
        "\n%s\n\n| rows that pass | median, us | over unfiltered | the same, exact, us | slower than exact by, us | "
        "recall@10 | fewest rows | way |\n|---|---|---|---|---|---|---|---|\n",
        what.c_str());
}

void prepare_filtered(Connection& db, const std::string& name, const std::string& condition) {
    const std::string order = " FROM filtered WHERE " + condition + " ORDER BY code <-> $1::bitvec LIMIT 10";
    db.prepare(name.c_str(), ("SELECT id" + order).c_str());
    db.prepare((name + "_distance").c_str(), ("SELECT code <-> $1::bitvec" + order).c_str());
}

void nearest_part(Connection& db, const CodeSet& queries, const Ranks& ranks, std::uint32_t rows) {
    db.run("DROP INDEX IF EXISTS filtered_nphd");
    db.run("CREATE INDEX filtered_nphd ON filtered USING nphd (code, independent, correlated)");
    db.run("DEALLOCATE ALL");
    db.prepare("unfiltered", "SELECT id FROM filtered ORDER BY code <-> $1::bitvec LIMIT 10");
    prepare_filtered(db, "independent", "independent < $2::int4");
    prepare_filtered(db, "correlated", "correlated BETWEEN $2::int4 AND $3::int4");
    static constexpr double kShares[] = {0.5, 0.1, 0.01, 0.001, 0.0001};
    const auto percent = [](double share) {
        char text[32];
        std::snprintf(text, sizeof text, "%g %%", 100 * share);
        return std::string(text);
    };
    const std::string of_rows = ", of " + std::to_string(rows) + " rows";
    filtered_head("A filter that knows nothing of the codes" + of_rows);
    for (const double share : kShares)
        print(percent(share), measure(db, queries, "independent", [&](std::uint32_t q) {
                  return std::vector{hex(queries.code(q)), std::to_string(static_cast<int>(rows * share))};
              }));
    // Rows whose distance from a third code is that of the query, or as different as can be.
    for (const bool far : {false, true}) {
        filtered_head(std::string("A filter that lets pass what is ") + (far ? "far from" : "like") + " the query" +
                      of_rows);
        for (const double share : kShares)
            print(percent(share), measure(db, queries, "correlated", [&](std::uint32_t q) {
                      const auto width = static_cast<std::int64_t>(rows * share);
                      std::int64_t from = std::int64_t{ranks.of_queries[q]} - width / 2;
                      if (far) from = ranks.of_queries[q] < rows / 2 ? std::int64_t{rows} - width : 0;
                      from = std::clamp<std::int64_t>(from, 0, std::int64_t{rows} - width);
                      return std::vector{hex(queries.code(q)), std::to_string(from), std::to_string(from + width - 1)};
                  }));
    }
}

/// One tenant's rows, side by side in the shard or not.
void tenants_part(Connection& db, const CodeSet& queries, std::uint32_t rows) {
    filtered_head("One of " + std::to_string(kTenants) + " tenants, of " + std::to_string(rows) + " rows");
    for (const bool sorted : {false, true}) {
        db.run("DROP INDEX IF EXISTS filtered_nphd");
        db.run(std::string("CREATE INDEX filtered_nphd ON filtered USING nphd (code, tenant) WITH (sort_by_filter = ") +
               (sorted ? "on)" : "off)"));
        db.run("DEALLOCATE ALL");
        db.prepare("unfiltered", "SELECT id FROM filtered ORDER BY code <-> $1::bitvec LIMIT 10");
        prepare_filtered(db, "tenant", "tenant = $2::int4");
        print(sorted ? "with sort_by_filter" : "without", measure(db, queries, "tenant", [&](std::uint32_t q) {
                  return std::vector{hex(queries.code(q)), std::to_string(q % kTenants)};
              }));
    }
}

/// Look-ups of a key by an index of as many shards as merging by doubling ever leaves, each a little more than twice as
/// large as the next.
void keys_part(Connection& db, const CodeSet& codes) {
    db.run("SET nphd.background_maintenance = off");
    for (const char* table : {"keyed", "treed"}) {
        db.run(std::string("DROP TABLE IF EXISTS ") + table);
        db.run(std::string("CREATE TABLE ") + table +
               " (id int4, key uuid NOT NULL, number int8, code bitvec NOT NULL)");
    }
    db.run("CREATE INDEX keyed_nphd ON keyed USING nphd (code, key, number)");
    std::vector<std::uint32_t> parts;
    std::uint32_t left = codes.size();
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
            std::string lines;
            for (; done < next; ++done) {
                lines +=
                    std::to_string(done) + '\t' + uuid_of(done) + '\t' + std::to_string(std::int64_t{done} * 7) + '\t';
                append_hex(lines, codes.code(done));
                lines += '\n';
            }
            db.copy("keyed", lines);
        }
        db.run("SELECT nphd_compact('keyed_nphd')");
    }
    db.run("INSERT INTO treed SELECT * FROM keyed");
    db.run("CREATE INDEX treed_key ON treed (key)");
    db.run("CREATE INDEX treed_number ON treed (number)");
    db.run("VACUUM ANALYZE keyed");
    db.run("VACUUM ANALYZE treed");
    std::printf("\nKey look-ups, %u rows\n\n| what | measured | target |\n|---|---|---|\n", codes.size());
    row("shards", "%.0f", db.number("SELECT shards FROM nphd_index_stats('keyed_nphd')"), "");
    db.run("DEALLOCATE ALL");
    for (const std::string column : {"key", "number"}) {
        const std::string type = column == "key" ? "uuid" : "int8";
        for (const std::string table : {"keyed", "treed"})
            db.prepare((column + "_" + table).c_str(),
                       ("SELECT id FROM " + table + " WHERE " + column + " = $1::" + type).c_str());
        const auto value = [&](std::uint64_t i) { return column == "key" ? uuid_of(i) : std::to_string(i * 7); };
        const auto hit = [&](std::uint32_t i) { return value(i * 7919ull % codes.size()); };
        const auto miss = [&](std::uint32_t i) {
            return column == "key" ? uuid_of(i + (std::uint64_t{1} << 40)) : std::to_string(i * 7 + 3);
        };
        std::uint32_t differ = 0;
        for (std::uint32_t i = 0; i < 1000; ++i)
            for (const auto& v : {hit(i), miss(i)})
                differ += db.execute((column + "_keyed").c_str(), v) != db.execute((column + "_treed").c_str(), v);
        const Timed hits = in_turns(db, 4000, (column + "_keyed").c_str(), hit, (column + "_treed").c_str(), hit);
        const Timed misses = in_turns(db, 4000, (column + "_keyed").c_str(), miss, (column + "_treed").c_str(), miss);
        row((type + ": a hit, us").c_str(), "%.1f", hits.first_us, "");
        row((type + ": a hit, over the B-tree's").c_str(), "%.2f", hits.first_us / hits.second_us, "<= 1.5");
        row((type + ": a miss, over the B-tree's").c_str(), "%.2f", misses.first_us / misses.second_us, "<= 1.5");
        row((type + ": answers that differ from the B-tree's, of 2,000").c_str(), "%.0f", differ, "0");
    }
}

/// What columns add to a fresh index.
void growth_part(Connection& db, std::uint32_t rows) {
    db.run("DROP TABLE IF EXISTS grown");
    db.run(
        "CREATE TABLE grown AS SELECT id, tenant, independent::int8 AS number, gen_random_uuid() AS key, code FROM "
        "filtered");
    const auto bytes = [&](const std::string& columns) {
        db.run("CREATE INDEX grown_nphd ON grown USING nphd (code" + columns + ")");
        const double size = db.number("SELECT pg_relation_size('grown_nphd')");
        db.run("DROP INDEX grown_nphd");
        return size / rows;
    };
    const double none = bytes("");
    std::printf(
        "\nBytes a row that a column adds, %u rows, %.1f without\n\n| what | measured | target |\n|---|---|---|\n",
        rows, none);
    row("int4 with 1,000 values", "%.1f", bytes(", tenant") - none, "<= 4 + 12");
    row("int8, all distinct", "%.1f", bytes(", number") - none, "<= 8 + 12");
    row("uuid, all distinct", "%.1f", bytes(", key") - none, "<= 16 + 12");
    row("all three", "%.1f", bytes(", tenant, number, key") - none, "<= 28 + 36");
}

}  // namespace

int main(int argc, char** argv) {
    const auto rows = static_cast<std::uint32_t>(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1000000);
    const std::uint64_t seed = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 7;
    std::set<std::string> parts(argv + std::min(argc, 3), argv + argc);
    if (parts.empty()) parts = {"nearest", "tenants", "keys", "growth"};
    const auto data = make_data(rows, kQueries, seed);
    const Ranks ranks = rank_by_distance(data.codes, data.queries, seed + 100);
    Columns columns{std::vector<std::uint32_t>(data.codes.size()), ranks.of_codes};
    std::iota(columns.independent.begin(), columns.independent.end(), 0u);
    TestRandom random(seed + 101);
    nphd::test::shuffle(columns.independent, random);
    Connection db;
    db.run("SET client_min_messages = warning");
    db.run("CREATE EXTENSION IF NOT EXISTS nphd");
    db.run("SET maintenance_work_mem = '2GB'");
    load_filtered(db, data.codes, columns);
    if (parts.count("nearest")) nearest_part(db, data.queries, ranks, rows);
    if (parts.count("tenants")) tenants_part(db, data.queries, rows);
    if (parts.count("keys")) keys_part(db, data.codes);
    if (parts.count("growth")) growth_part(db, rows);
    return 0;
}
