// What a search through SQL takes beside the engine's search of the same codes: statements of growing content, queries
// of a batch, and the engine in this process, in turns. Run by bench/run, which starts the server.
//
//   overhead [rows] [queries] [rounds] [seed]
//
// Each way is given all queries in a round, the best of which counts. CPU time is that of the process that does the
// work, this one or the backend, so that neither libpq nor other work on the machine is in it. The program and its
// backend share one core: on two, each statement would wait for the other core to wake up, which takes longer than most
// of what is measured.

#include <sched.h>
#include <time.h>

#include <limits>

#include "bench/memory_shard.hpp"
#include "bench/sql_bench.hpp"
#include "engine/search/nearest.hpp"

using namespace nphd::bench;

namespace {

constexpr std::uint32_t kNearest = 10;
const char* const kSelf = "self";

[[noreturn]] void fail(const char* what) {
    std::fprintf(stderr, "overhead: %s\n", what);
    std::exit(1);
}

/// Stays on one core of those allowed, and keeps the process there too.
void share_core(pid_t other) {
    cpu_set_t core;
    CPU_ZERO(&core);
    CPU_SET(static_cast<std::size_t>(sched_getcpu()), &core);
    if (sched_setaffinity(0, sizeof core, &core) != 0 || sched_setaffinity(other, sizeof core, &core) != 0)
        fail("cannot bind the backend to a core");
}

/// CPU time of a process of this machine, to the nanosecond where the kernel keeps it. What the kernel says of a
/// process that runs is from its last tick, so this one asks its clock.
double cpu_us_of(const std::string& pid) {
    if (pid == kSelf) {
        timespec t{};
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
        return static_cast<double>(t.tv_sec) * 1e6 + static_cast<double>(t.tv_nsec) / 1e3;
    }
    std::ifstream file("/proc/" + pid + "/schedstat");
    double nanoseconds = 0;
    return file >> nanoseconds ? nanoseconds / 1e3 : cpu_seconds_of(pid) * 1e6;
}

void search_in_process(const nphd::ShardView& shard, const CodeSet& queries, double& distances) {
    static nphd::NearestSearch search;
    nphd::NearestOptions options;
    options.recall = 0.95;
    distances = 0;
    for (std::uint32_t q = 0; q < queries.size(); ++q) {
        search.reset(queries.code(q), options);
        for (const nphd::LaneView& lane : shard.lanes) search.add_lane(lane, {});
        nphd::NearestHit hit{};
        for (std::uint32_t k = 0; k < kNearest;) k += search.step(hit) == nphd::NearestSearch::Step::hit;
        distances += static_cast<double>(search.distances()) / queries.size();
    }
}

/// One of the ways: all queries, once.
struct Way {
    const char* name;
    std::string process;  // that does the work
    std::function<void()> run;
    double wall_us = std::numeric_limits<double>::max(), cpu_us = wall_us;  // a query, of the best round
};

/// One statement for each query, with its parameter.
std::function<void()> single(Connection& db, const char* statement, const std::vector<std::string>& parameters) {
    return [&db, statement, &parameters] {
        for (const std::string& parameter : parameters) db.execute(statement, parameter);
    };
}

/// One statement for all queries, of which it says how many rows it found.
std::function<void()> batch(Connection& db, const char* statement, const std::string& all, std::uint32_t queries) {
    return [&db, statement, &all, queries] {
        if (db.execute(statement, all).at(0) != std::to_string(queries * kNearest)) fail("a batch lacks rows");
    };
}

void prepare(Connection& db) {
    prepare_search(db, "coded");
    db.prepare("nothing", "SELECT 1 WHERE $1::text IS NOT NULL");
    db.prepare("batch", "SELECT count(*) FROM nphd_search('coded_nphd', $1::bitvec[], 10)");
    db.prepare("lateral",
               "SELECT count(n.id) FROM unnest($1::bitvec[]) AS q(code), "
               "LATERAL (SELECT id FROM coded ORDER BY coded.code <-> q.code LIMIT 10) AS n");
}

/// Each way finds in the caches what the one before it left there, so their order is another one in each round.
void measure(std::vector<Way>& ways, std::uint32_t queries, std::uint32_t rounds) {
    std::vector<Way*> order;
    for (Way& way : ways) order.push_back(&way);
    TestRandom random(1);
    for (std::uint32_t round = 0; round <= rounds; ++round) {
        for (std::uint32_t i = 1; i < order.size(); ++i) std::swap(order[i], order[random.below(i + 1)]);
        for (Way* way : order) {
            const double cpu = cpu_us_of(way->process), start = now();
            way->run();
            if (round == 0) continue;  // warms caches, mappings and plans
            way->wall_us = std::min(way->wall_us, (now() - start) * 1e6 / queries);
            way->cpu_us = std::min(way->cpu_us, (cpu_us_of(way->process) - cpu) / queries);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto rows = static_cast<std::uint32_t>(number_argument(argc, argv, 1, 1000000));
    const auto n_queries = static_cast<std::uint32_t>(number_argument(argc, argv, 2, 1000));
    const auto rounds = static_cast<std::uint32_t>(number_argument(argc, argv, 3, 15));
    const std::uint64_t seed = number_argument(argc, argv, 4, 7);
    const auto data = make_data(rows, n_queries, seed);
    const MemoryShard shard(data.codes.size(), [&](std::uint32_t i) { return data.codes.code(i); });
    Connection db;
    db.run("SET client_min_messages = warning");
    db.run("CREATE EXTENSION IF NOT EXISTS nphd");
    load(db, "coded", data.codes, false);
    db.run("SET maintenance_work_mem = '2GB'");
    db.run("CREATE INDEX coded_nphd ON coded USING nphd (code)");
    db.run("CHECKPOINT");
    prepare(db);

    std::vector<std::string> codes, keys;
    std::string all = "{";
    TestRandom random(99);
    for (std::uint32_t q = 0; q < n_queries; ++q) {
        codes.push_back(hex(data.queries.code(q)));
        all += (q > 0 ? "," : "") + codes.back();
        keys.emplace_back("{");
        for (std::uint32_t k = 0; k < kNearest; ++k)
            keys.back() += (k > 0 ? "," : "") + std::to_string(random.below(rows));
        keys.back() += '}';
    }
    all += '}';

    const std::string backend = db.run("SELECT pg_backend_pid()");
    share_core(static_cast<pid_t>(std::stol(backend)));
    double distances = 0;
    std::vector<Way> ways = {
        {"the engine's search, in this process", "self",
         [&] { search_in_process(shard.view(), data.queries, distances); }},
        {"`nphd_search` of all queries", backend, batch(db, "batch", all, n_queries)},
        {"`LATERAL` over all queries", backend, batch(db, "lateral", all, n_queries)},
        {"a statement for each query", backend, single(db, "nearest", codes)},
        {"ten rows by primary key", backend, single(db, "by_key", keys)},
        {"a statement that does nothing", backend, single(db, "nothing", codes)},
    };
    measure(ways, n_queries, rounds);
    std::printf("%u codes, %u queries, %.0f distances a query, seed %lu\n\n", rows, n_queries, distances,
                static_cast<unsigned long>(seed));
    std::printf("| ten nearest, a query | us | CPU us | CPU, over the engine's |\n|---|--:|--:|--:|\n");
    for (const Way& way : ways)
        std::printf("| %s | %.1f | %.1f | %.2f |\n", way.name, way.wall_us, way.cpu_us,
                    way.cpu_us / ways.front().cpu_us);
    return 0;
}
