// A shard in this process's memory, as CREATE INDEX makes it with its default options.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "engine/shard/shard_build.hpp"
#include "engine/shard/shard_view.hpp"

namespace nphd::bench {

class MemoryShard {
public:
    /// Rows 0 to n, of which code(i) is the code; built by one thread. Ends the program where that fails.
    template <class Code>
    MemoryShard(std::uint32_t n, Code&& code) {
        MemoryBudget budget;
        auto input = std::make_unique<ShardInput>(budget);
        for (std::uint32_t i = 0; i < n; ++i) input->add(code(i), {i / 200, static_cast<std::uint16_t>(i % 200 + 1)});
        ShardBuild build(std::move(input), ShardOptions{}, 1, budget);
        build.start();
        build.finish();
        const std::uint32_t pages = build.summary().pages;
        pages_.reset(static_cast<std::uint8_t*>(std::aligned_alloc(kPageBytes, pages * kPageBytes)));
        if (!pages_) fail("out of memory");
        std::memset(pages_.get(), 0, pages * kPageBytes);
        for (std::uint32_t p = 0; p < pages; ++p) build.fill_page(p, 1, 1, pages_.get() + p * kPageBytes);
        ShardDamage damage{};
        if (!open_shard(pages_.get(), pages, 1, 1, view_, damage)) fail(damage.what);
    }
    const ShardView& view() const { return view_; }

private:
    struct Free {
        void operator()(std::uint8_t* p) const { std::free(p); }
    };
    [[noreturn]] static void fail(const char* what) {
        std::fprintf(stderr, "a shard in memory: %s\n", what);
        std::exit(1);
    }

    std::unique_ptr<std::uint8_t, Free> pages_;
    ShardView view_;
};

}  // namespace nphd::bench
