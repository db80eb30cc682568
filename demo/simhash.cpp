// simhash --code TEXT: prints the 256-bit code of TEXT.
// simhash [--limit ROWS] PATH...: reads the text files below the given paths (also gzipped ones), cuts them into chunks
// and prints a row of COPY's text format for each: file, number of the chunk, its beginning, 64-bit code, 256-bit code.
// What cannot be read, or is no text, is passed over. A note on what was read goes to standard error.
#include <zlib.h>

#include <algorithm>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "demo/simhash.hpp"

namespace fs = std::filesystem;

namespace {

constexpr std::size_t kMostBytes = std::size_t{1} << 20;  // of one file: no single one shall make up the table
constexpr std::size_t kFewestBytes = 120;                 // of a chunk: shorter ones are headings and leftovers
constexpr std::size_t kExcerpt = 80;

/// The beginning of a file, unpacked where it is gzipped; empty when it cannot be read.
std::string read_file(const std::string& path) {
    std::string data;
    // gzread() hands out what is not gzipped as it is.
    const std::unique_ptr<gzFile_s, decltype(&gzclose)> file(gzopen(path.c_str(), "rb"), &gzclose);
    if (!file) return data;
    gzbuffer(file.get(), 1 << 16);
    char block[1 << 16];
    int got = 0;
    while (data.size() < kMostBytes && (got = gzread(file.get(), block, sizeof block)) > 0) {
        data.append(block, static_cast<std::size_t>(got));
        if (data.size() <= sizeof block && !simhash::looks_like_text(data)) return {};
    }
    return got < 0 ? std::string() : data;
}

/// Adds the regular files below a path; symbolic links are not followed.
void add_files(const fs::path& root, std::vector<std::string>& out) {
    std::error_code error;
    if (fs::is_regular_file(root, error)) out.push_back(root.string());
    fs::recursive_directory_iterator at(root, fs::directory_options::skip_permission_denied, error), end;
    for (; !error && at != end; at.increment(error)) {
        std::error_code unreadable;
        if (at->symlink_status(unreadable).type() == fs::file_type::regular) out.push_back(at->path().string());
    }
}

/// The same order on every run, and one that mixes directories: a limit then cuts off a bit of each.
void mix_order(std::vector<std::string>& files) {
    const auto key = [](const std::string& path) {
        return std::pair(simhash::hash_word(path), std::string_view(path));
    };
    std::sort(files.begin(), files.end(), [&](const auto& a, const auto& b) { return key(a) < key(b); });
}

struct Totals {
    std::size_t files = 0, chunks = 0, bytes = 0;
};

void print_chunks(const std::string& path, std::size_t limit, Totals& totals) {
    const std::string text = read_file(path);
    if (text.empty()) return;
    const std::string name = simhash::copy_field(simhash::excerpt(path, path.size()));
    int number = 0;
    for (const std::string_view chunk : simhash::chunks(text)) {
        if (totals.chunks == limit) break;
        if (chunk.size() < kFewestBytes) continue;
        const simhash::Code code = simhash::simhash(chunk);
        std::printf("%s\t%d\t%s\t%s\t%s\n", name.c_str(), ++number,
                    simhash::copy_field(simhash::excerpt(chunk, kExcerpt)).c_str(), simhash::hex(code, 1).c_str(),
                    simhash::hex(code, 4).c_str());
        ++totals.chunks;
        totals.bytes += chunk.size();
    }
    if (number > 0) ++totals.files;
}

}  // namespace

int main(int argc, char** argv) {
    std::vector<std::string> arguments(argv + 1, argv + argc);
    if (arguments.size() == 2 && arguments[0] == "--code") {
        std::puts(simhash::hex(simhash::simhash(arguments[1]), 4).c_str());
        return 0;
    }
    std::size_t limit = 200000;
    if (arguments.size() >= 2 && arguments[0] == "--limit") {
        const std::string& n = arguments[1];
        const auto [rest, error] = std::from_chars(n.data(), n.data() + n.size(), limit);
        if (error != std::errc() || rest != n.data() + n.size())
            arguments.clear();
        else
            arguments.erase(arguments.begin(), arguments.begin() + 2);
    }
    if (arguments.empty()) {
        std::fputs("usage: simhash [--limit ROWS] PATH...\n       simhash --code TEXT\n", stderr);
        return 2;
    }
    Totals totals;
    std::vector<std::string> files;
    for (const std::string& root : arguments) add_files(root, files);
    mix_order(files);
    for (const std::string& path : files) {
        if (totals.chunks == limit) break;
        print_chunks(path, limit, totals);
    }
    std::fprintf(stderr, "%zu chunks of text (%zu MB) from %zu files\n", totals.chunks, totals.bytes >> 20,
                 totals.files);
    return std::fflush(stdout) == 0 ? 0 : 1;
}
