// ShardCheck in tests: all that it finds.
#pragma once

#include <stdexcept>
#include <string>

#include "engine/shard/check_shard.hpp"
#include "test/engine/shard_fixture.hpp"

namespace nphd::test {

inline std::vector<ShardFinding> check(const ShardView& view, const Pages& pages,
                                       std::span<const std::uint8_t> dead = {},
                                       std::size_t memory = std::size_t{1} << 20) {
    ShardCheck check(view, pages.data(), dead, memory);
    std::vector<ShardFinding> findings;
    ShardFinding finding{};
    for (std::uint64_t steps = 0;; ++steps) {
        if (steps > 1000000) throw std::runtime_error("no end");
        const auto step = check.step(finding);
        if (step == ShardCheck::Step::end) return findings;
        if (step != ShardCheck::Step::finding) continue;
        EXPECT_NE(finding.what, nullptr);
        EXPECT_LT(finding.page, pages.count());
        findings.push_back(finding);
    }
}

inline std::string listed(const std::vector<ShardFinding>& findings) {
    std::string text;
    for (const ShardFinding& f : findings)
        text += (f.codeless ? "no code" : std::to_string(f.code_bytes) + " bytes") + ": " + f.what + " x " +
                std::to_string(f.count) + (f.warning ? " (warning)\n" : "\n");
    return text;
}

/// What may be damaged: a place in the pages that the view was opened on.
inline std::uint8_t* place_of(Pages& pages, const RecordArray& array, std::uint32_t i) {
    return pages.data() + (reinterpret_cast<const std::uint8_t*>(array.at(i)) - pages.data());
}
inline std::uint32_t page_of(Pages& pages, const RecordArray& array, std::uint32_t i) {
    return static_cast<std::uint32_t>(static_cast<std::size_t>(place_of(pages, array, i) - pages.data()) / kPageBytes);
}

}  // namespace nphd::test
