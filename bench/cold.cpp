// Searches of an index that is not in memory: pages read and time of the ten nearest. Run by bench/run, which starts
// the server; it has to run as the server's user, on its machine.
//
//   cold [rows] [keep]
//
// Before each pass the index's files are dropped from the page cache, and a new connection is made. `keep` uses the
// table of an earlier call, for a server that was started again with less memory than the index has
// (docs/benchmarks.md).

#include "bench/sql_bench.hpp"

#include <fcntl.h>

#include <filesystem>

using namespace nphd::bench;

namespace {

constexpr std::uint32_t kQueries = 1000;

/// What a process read from the disk, and how often it had to wait for a page.
struct Reads {
    double megabytes, faults;
};

Reads reads_of(const std::string& pid) {
    Reads reads{};
    std::ifstream io("/proc/" + pid + "/io");
    for (std::string line; std::getline(io, line);)
        if (line.starts_with("read_bytes:")) reads.megabytes = std::strtod(line.c_str() + 11, nullptr) / 1048576;
    std::ifstream stat("/proc/" + pid + "/stat");
    const std::string text((std::istreambuf_iterator<char>(stat)), {});
    std::istringstream fields(text.substr(text.rfind(')') + 2));
    std::string skipped;
    for (int i = 0; i < 9; ++i) fields >> skipped;
    fields >> reads.faults;
    return reads;
}

/// All segment files of a relation, out of the page cache.
void drop_from_cache(Connection& db, const std::string& relation) {
    db.run("CHECKPOINT");
    const std::string path =
        db.run("SELECT current_setting('data_directory') || '/' || pg_relation_filepath('" + relation + "')");
    for (int segment = 0;; ++segment) {
        const std::string file = segment == 0 ? path : path + "." + std::to_string(segment);
        if (!std::filesystem::exists(file)) break;
        const int fd = open(file.c_str(), O_RDONLY);
        if (fd < 0 || fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) {
            std::fprintf(stderr, "%s cannot be dropped from the cache\n", file.c_str());
            std::exit(1);
        }
        close(fd);
    }
}

/// One connection's searches from a cold start, in stretches.
void measure(const char* what, const std::string& setting, const CodeSet& queries) {
    {
        Connection db;
        drop_from_cache(db, "cold_nphd");
    }
    Connection db;
    const std::string pid = db.run("SELECT pg_backend_pid()");
    db.run(setting);
    db.prepare("nearest", "SELECT id FROM cold ORDER BY code <-> $1::bitvec LIMIT 10");
    std::uint32_t next = 0;
    for (const std::uint32_t end : {1u, 10u, 100u, kQueries}) {
        const Reads before = reads_of(pid);
        std::vector<double> times;
        const std::uint32_t n = end - next;
        for (; next < end; ++next) {
            const double start = now();
            db.execute("nearest", hex(queries.code(next)));
            times.push_back((now() - start) * 1e3);
        }
        const Reads after = reads_of(pid);
        std::printf("| %s | %u to %u | %.2f | %.2f | %.1f | %.2f |\n", what, end - n + 1, end, mean(times),
                    median(times), (after.faults - before.faults) / n, (after.megabytes - before.megabytes) / n);
        std::fflush(stdout);
    }
}

}  // namespace

int main(int argc, char** argv) {
    const auto rows = static_cast<std::uint32_t>(number_argument(argc, argv, 1, 1000000));
    const bool keep = argc > 2;
    const auto data = make_data(rows, kQueries, 41);
    {
        Connection db;
        db.run("SET client_min_messages = warning");
        db.run("CREATE EXTENSION IF NOT EXISTS nphd");
        if (!keep) {
            load(db, "cold", data.codes, false);
            db.run("CREATE INDEX cold_nphd ON cold USING nphd (code)");
        }
        std::printf("%u codes, index of %.0f MB\n\n", rows,
                    db.number("SELECT pg_relation_size('cold_nphd')") / 1048576);
    }
    std::printf(
        "| access | queries of a new connection | mean, ms | median, ms | waits for pages a query | MB read a query "
        "|\n|---|---|--:|--:|--:|--:|\n");
    measure("mapped", "SET nphd.shard_access = mapped", data.queries);
    if (!keep) measure("buffered", "SET nphd.shard_access = buffered", data.queries);  // it copies the shard
    return 0;
}
