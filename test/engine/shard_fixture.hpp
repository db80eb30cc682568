// Shards for tests: rows in, pages out, and what a reader must find in them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "engine/distance/distance.hpp"
#include "engine/shard/shard_build.hpp"
#include "engine/shard/shard_view.hpp"
#include "test/engine/test_data.hpp"

namespace nphd::test {

inline constexpr std::uint64_t kIncarnation = 0x1122334455667788, kGeneration = 7;

struct Row {
    std::vector<std::uint8_t> code;
    RowId id;
};
using Rows = std::vector<Row>;

inline RowId row_id(std::uint32_t n) { return {n / 200, static_cast<std::uint16_t>(n % 200 + 1)}; }

inline void append(Rows& rows, const CodeSet& codes) {
    for (std::uint32_t i = 0; i < codes.size(); ++i) {
        const auto code = codes.code(i);
        rows.push_back({{code.begin(), code.end()}, row_id(static_cast<std::uint32_t>(rows.size()))});
    }
}
inline void append(Rows& rows, const std::vector<std::vector<std::uint8_t>>& codes) {
    for (const auto& code : codes) rows.push_back({code, row_id(static_cast<std::uint32_t>(rows.size()))});
}
inline Rows rows_of(const CodeSet& codes) {
    Rows rows;
    append(rows, codes);
    return rows;
}
inline Rows rows_of(const std::vector<std::vector<std::uint8_t>>& codes) {
    Rows rows;
    append(rows, codes);
    return rows;
}

/// Pages as a mapped file has them: page-aligned, headers foreign.
class Pages {
public:
    explicit Pages(std::uint32_t count)
        : count_(count), bytes_(static_cast<std::uint8_t*>(std::aligned_alloc(kPageBytes, count * kPageBytes))) {
        std::memset(bytes_.get(), 0xEE, size());
    }
    Pages(const Pages& o) : Pages(o.count_) { std::memcpy(data(), o.data(), size()); }
    std::uint8_t* data() { return bytes_.get(); }
    const std::uint8_t* data() const { return bytes_.get(); }
    std::uint8_t* page(std::uint32_t n) { return data() + n * kPageBytes; }
    std::uint32_t count() const { return count_; }
    std::size_t size() const { return count_ * kPageBytes; }
    friend bool operator==(const Pages& a, const Pages& b) {
        return a.count_ == b.count_ && std::memcmp(a.data(), b.data(), a.size()) == 0;
    }

private:
    struct Free {
        void operator()(std::uint8_t* p) const { std::free(p); }
    };
    std::size_t count_;
    std::unique_ptr<std::uint8_t, Free> bytes_;
};

/// The shard's pages. `budget` must outlive the call only.
inline Pages build_pages(std::unique_ptr<ShardInput> input, const ShardOptions& options, unsigned threads,
                         MemoryBudget& budget) {
    ShardBuild build(std::move(input), options, threads, budget);
    build.start();
    build.finish();
    Pages pages(build.summary().pages);
    for (std::uint32_t p = 0; p < pages.count(); ++p) build.fill_page(p, kIncarnation, kGeneration, pages.page(p));
    return pages;
}
inline Pages build_pages(const Rows& rows, const ShardOptions& options, unsigned threads, MemoryBudget& budget) {
    auto input = std::make_unique<ShardInput>(budget);
    for (const Row& r : rows) input->add(r.code, r.id);
    return build_pages(std::move(input), options, threads, budget);
}

/// A shard and the view of its pages.
struct TestShard {
    Pages pages;
    ShardView view;

    explicit TestShard(Pages p) : pages(std::move(p)) {
        ShardDamage damage{};
        if (!open_shard(pages.data(), pages.count(), kIncarnation, kGeneration, view, damage))
            ADD_FAILURE() << "page " << damage.page << ": " << damage.what;
    }
    TestShard(const TestShard&) = delete;
};

inline std::unique_ptr<TestShard> make_shard(const Rows& rows, const ShardOptions& options = {}) {
    MemoryBudget budget;
    return std::make_unique<TestShard>(build_pages(rows, options, 2, budget));
}

}  // namespace nphd::test
