// Mixes of code lengths: what the ten nearest cost and find at the default settings, for queries of each length, beside
// the same over codes of 256 bits alone. Run by bench/run, which starts the server.
//
//   mixes [rows] [queries] [seed]

#include "bench/mixes.hpp"

#include <algorithm>

#include "bench/sql_bench.hpp"

using namespace nphd::bench;

namespace {

constexpr std::uint32_t kRecallQueries = 100, kSelfQueries = 1000;

void load_mix(Connection& db, const std::string& table, const CodeSet& codes, const Mix& mix) {
    static constexpr std::uint32_t kBatch = 50000;
    db.run("DROP TABLE IF EXISTS " + table);
    db.run("CREATE TABLE " + table + " (id int4 PRIMARY KEY, code bitvec NOT NULL)");
    for (std::uint32_t first = 0; first < codes.size(); first += kBatch) {
        std::string lines;
        for (std::uint32_t i = first; i < std::min(codes.size(), first + kBatch); ++i) {
            lines += std::to_string(i) + '\t';
            append_hex(lines, codes.code(i).first(bytes_of_row(mix, i)));
            lines += '\n';
        }
        db.copy(table, lines);
    }
    db.run("VACUUM ANALYZE " + table);
    db.run("CREATE INDEX " + table + "_nphd ON " + table + " USING nphd (code)");
    db.run("CHECKPOINT");
}

/// The share of the exact ten nearest, by distance.
double recall_of(Connection& db, const std::string& statement, const CodeSet& queries, std::uint32_t bytes) {
    double sum = 0;
    const std::uint32_t n = std::min(queries.size(), kRecallQueries);
    for (std::uint32_t q = 0; q < n; ++q) {
        const std::string query = hex(queries.code(q).first(bytes));
        const auto found = db.execute(statement.c_str(), query);
        db.run("SET nphd.exact = on");
        const double tenth = std::strtod(db.execute(statement.c_str(), query).back().c_str(), nullptr);
        db.run("SET nphd.exact = off");
        sum += static_cast<double>(std::ranges::count_if(
                   found, [&](const auto& d) { return std::strtod(d.c_str(), nullptr) <= tenth; })) /
               10;
    }
    return sum / n;
}

/// Of stored codes, how many are not at distance 0 of what a search for them finds first.
std::uint32_t lost(Connection& db, const std::string& statement, const CodeSet& codes, const Mix& mix) {
    std::uint32_t lost = 0;
    for (std::uint32_t i = 0; i < kSelfQueries; ++i) {
        const auto row = static_cast<std::uint32_t>(std::uint64_t{i} * codes.size() / kSelfQueries);
        const auto found = db.execute(statement.c_str(), hex(codes.code(row).first(bytes_of_row(mix, row))));
        lost += std::strtod(found.front().c_str(), nullptr) != 0;
    }
    return lost;
}

void measure(Connection& db, const char* data, const nphd::test::DataSet& set) {
    const auto prepare = [&](const char* name, const std::string& table) {
        db.prepare(name,
                   ("SELECT code <-> $1::bitvec FROM " + table + " ORDER BY code <-> $1::bitvec LIMIT 10").c_str());
    };
    load_mix(db, "pure", set.codes, {"", {{256, 100}}});
    for (const Mix& mix : mixes()) {
        load_mix(db, "mixed", set.codes, mix);
        db.run("DEALLOCATE ALL");
        prepare("pure", "pure");
        prepare("mixed", "mixed");
        std::string query_bits;
        double worst_recall = 1, worst_ratio = 0;
        for (const Share& share : mix.shares) {
            const auto query = [&](std::uint32_t i) {
                return hex(set.queries.code(i % set.queries.size()).first(share.bytes()));
            };
            const auto whole = [&](std::uint32_t i) {
                return hex(set.queries.code(i % set.queries.size()).first(kCodeBytes));
            };
            const Timed timed = in_turns(db, set.queries.size(), "mixed", query, "pure", whole);
            const double recall = recall_of(db, "mixed", set.queries, share.bytes()),
                         ratio = timed.first_us / timed.second_us;
            worst_recall = std::min(worst_recall, recall);
            worst_ratio = std::max(worst_ratio, ratio);
            char text[96];
            std::snprintf(text, sizeof text, "%s%u: %.3f, %.2f", query_bits.empty() ? "" : "; ", share.bits, recall,
                          ratio);
            query_bits += text;
        }
        std::printf("| %s | %s | %.3f | %.2f | %u | %s |\n", data, mix.name, worst_recall, worst_ratio,
                    lost(db, "mixed", set.codes, mix), query_bits.c_str());
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto rows = static_cast<std::uint32_t>(number_argument(argc, argv, 1, 1000000));
    const auto n_queries = static_cast<std::uint32_t>(number_argument(argc, argv, 2, 400));
    const std::uint64_t seed = number_argument(argc, argv, 3, 21);
    Connection db;
    db.run("SET client_min_messages = warning");
    db.run("CREATE EXTENSION IF NOT EXISTS nphd");
    db.run("SET maintenance_work_mem = '2GB'");
    std::printf("%u codes, seed %lu\n\n", rows, static_cast<unsigned long>(seed));
    std::printf(
        "| data | lengths | least recall@10 (>= 0.95) | most time, over 256 bits alone (<= 3) | of 1,000 stored codes "
        "do not "
        "find themselves | query bits: recall, time |\n|---|---|--:|--:|--:|---|\n");
    measure(db, "clustered families",
            nphd::test::clustered_family_data(rows, n_queries, kLongestBytes, seed, kFamily, kNoise));
    measure(db, "near-duplicates", nphd::test::near_duplicate_data(rows, n_queries, kLongestBytes, seed));
    return 0;
}
