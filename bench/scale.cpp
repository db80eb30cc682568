// How time, memory, WAL and size grow with the number of codes: tables of 10,000 rows, ten times as many and so on, and
// of the most. Run by bench/run, which starts the server, up to 10^6; by hand further.
//
//   scale [most rows] [points file]
//
// One backend without parallel workers; its CPU time, which other work on the machine disturbs least. Searches are the
// median at the default settings. Points of the plot (scale.gp), a line for each table, go into the file.

#include "bench/sql_bench.hpp"

using namespace nphd::bench;

namespace {

struct Growth {
    double rows, build_seconds, peak_mb, wal_bytes, bytes, nearest_us, recall, exact_us, inserts_per_second,
        vacuum_seconds;
};

/// The greatest resident set of a process of this machine, in MB, shared memory included.
double peak_megabytes(const std::string& pid) {
    std::ifstream file("/proc/" + pid + "/status");
    for (std::string line; std::getline(file, line);)
        if (line.starts_with("VmHWM:")) return std::strtod(line.c_str() + 6, nullptr) / 1024;
    return 0;
}

void build(Growth& g) {
    Connection db;  // its own, so that its memory is that of the build
    const std::string pid = db.run("SELECT pg_backend_pid()");
    db.run("SET maintenance_work_mem = '2GB'");
    db.run("SET max_parallel_maintenance_workers = 0");
    const std::string before = db.run("SELECT pg_current_wal_insert_lsn()");
    const double start = cpu_seconds_of(pid);
    db.run("CREATE INDEX scaled_nphd ON scaled USING nphd (code)");
    g.build_seconds = cpu_seconds_of(pid) - start;
    g.peak_mb = peak_megabytes(pid);
    g.wal_bytes = db.number("SELECT pg_current_wal_insert_lsn() - '" + before + "'::pg_lsn");
    g.bytes = db.number("SELECT pg_relation_size('scaled_nphd')");
    db.run("CHECKPOINT");
}

void measure_search(Connection& db, const CodeSet& queries, Growth& g) {
    prepare_search(db, "scaled");
    const auto query = [&](std::uint32_t i) { return hex(queries.code(i % queries.size())); };
    std::vector<double> times, found, exact_times;
    for (std::uint32_t i = 0; i < 2 * queries.size(); ++i) {
        const std::string code = query(i);
        const double start = now();
        db.execute("nearest", code);
        if (i >= queries.size()) times.push_back((now() - start) * 1e6);  // the first pass warms caches and mappings
    }
    for (std::uint32_t i = 0; i < 100; ++i) found.push_back(recall(db, query(i)));
    db.run("SET nphd.exact = on");
    for (std::uint32_t i = 0; i < 20; ++i) {
        const double start = now();
        db.execute("nearest", query(i));
        exact_times.push_back((now() - start) * 1e6);
    }
    db.run("SET nphd.exact = off");
    g.nearest_us = median(times);
    g.recall = mean(found);
    g.exact_us = median(exact_times);
}

Growth measure(std::uint32_t rows, std::uint64_t seed) {
    Growth g{};
    g.rows = rows;
    Connection db;
    db.run("SET client_min_messages = warning");
    const auto data = make_data(rows, 500, seed);
    load(db, "scaled", data.codes, false);
    build(g);
    measure_search(db, data.queries, g);

    const CodeSet more = make_data(rows / 10, 1, seed + 100).codes;
    double start = now();
    for (std::uint32_t i = 0; i < more.size(); i += 1000)
        db.copy("scaled", copy_lines(more, i, std::min(more.size(), i + 1000), rows, false));
    g.inserts_per_second = more.size() / (now() - start);
    db.run("SELECT nphd_compact('scaled_nphd')");
    db.run("DELETE FROM scaled WHERE id % 10 = 3");
    db.run("CHECKPOINT");
    start = now();
    db.run("VACUUM (TRUNCATE off) scaled");
    g.vacuum_seconds = now() - start;
    return g;
}

/// Powers of ten up to the most, and the most itself.
std::vector<std::uint32_t> sizes_up_to(std::uint32_t most) {
    std::vector<std::uint32_t> sizes;
    for (std::uint64_t rows = 10000; rows < most; rows *= 10) sizes.push_back(static_cast<std::uint32_t>(rows));
    sizes.push_back(most);
    return sizes;
}

void print_row(const Growth& g) {
    std::printf("| %.0f | %.1f | %.0f | %.0f | %.0f | %.0f | %.3f | %.0f | %.0f | %.2f |\n", g.rows,
                g.build_seconds * 1e6 / g.rows, g.peak_mb, g.wal_bytes / g.rows, g.bytes / g.rows, g.nearest_us,
                g.recall, g.exact_us, g.inserts_per_second, g.vacuum_seconds);
    std::fflush(stdout);
}

/// At once, for the next table may take an hour.
void write_point(std::ofstream& points, const Growth& g) {
    points << g.rows << '\t' << g.build_seconds * 1e6 / g.rows << '\t' << g.bytes / g.rows << '\t'
           << g.wal_bytes / g.rows << '\t' << g.nearest_us << '\t' << g.exact_us << '\t' << g.peak_mb << '\t'
           << g.inserts_per_second << '\t' << g.vacuum_seconds << std::endl;
}

}  // namespace

int main(int argc, char** argv) {
    const auto most = static_cast<std::uint32_t>(number_argument(argc, argv, 1, 1000000));
    std::ofstream points(argc > 2 ? argv[2] : "/dev/null");
    points << "# rows\tbuild, CPU us a code\tindex bytes a code\tWAL bytes a code\tnearest, us\texact, us\tpeak, MB\t"
              "inserts a second\tVACUUM, s\n";
    {
        Connection db;
        db.run("SET client_min_messages = warning");
        db.run("CREATE EXTENSION IF NOT EXISTS nphd");
    }
    std::printf(
        "| codes | build: CPU us a code | peak of the backend, MB | WAL bytes a code | index bytes a code | ten "
        "nearest, us | "
        "recall | exact, us | inserts a second | VACUUM of a tenth, s |\n|--:|--:|--:|--:|--:|--:|--:|--:|--:|--:|\n");
    for (const std::uint32_t rows : sizes_up_to(most)) {
        const Growth g = measure(rows, 31);
        print_row(g);
        write_point(points, g);
    }
    return 0;
}
