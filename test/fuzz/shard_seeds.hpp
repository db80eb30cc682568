// Sound shards for the fuzz target of the shard reader, written by the engine itself, of every layout that there is:
// small, with all look-up tables.
#pragma once

#include <cstring>
#include <memory>
#include <vector>

#include "engine/shard/shard_build.hpp"
#include "test/engine/test_data.hpp"

namespace nphd::fuzz {

inline constexpr std::uint64_t kIncarnation = 0x1122334455667788, kGeneration = 7;

/// Pages in memory of just their size.
struct SeedShard {
    std::vector<std::uint8_t> pages;
    std::uint32_t count;
};

struct SeedKind {
    Metric metric;
    std::uint32_t rows;
    bool graphs, tables, filters, codeless;
};

/// Some rows to a code, as many NULL values as others; of the first column few values.
inline std::vector<std::byte> seed_record(const FilterLayout& layout, test::TestRandom& random) {
    std::vector<std::byte> record(layout.record_bytes());
    for (std::uint32_t c = 0; c < layout.columns; ++c) {
        if (random.below(4) == 0)
            set_filter_null(record.data(), c);
        else
            store_filter_value(record.data() + layout.offset(c), layout.width[c], random.below(c == 0 ? 3 : 200));
    }
    return record;
}

inline SeedShard make_seed(const SeedKind& kind, std::uint64_t seed) {
    test::TestRandom random(seed);
    FilterLayout layout;
    if (kind.filters)
        for (const std::uint8_t width : {1, 2, 4, 8, 16}) layout.width[layout.columns++] = width;
    MemoryBudget budget;
    auto input = std::make_unique<ShardInput>(budget, layout);
    // Hamming and Jaccard have lanes of several lengths too, which their searches do not mix.
    const test::CodeSet sets[] = {test::near_duplicate_data(kind.rows, 0, 32, random.next()).codes,
                                  test::near_duplicate_data(kind.rows / 2, 0, 8, random.next()).codes,
                                  test::uniform_data(kind.rows / 8 + 1, 0, 3, random.next()).codes};
    std::uint32_t row = 0;
    const auto next_row = [&] { return RowId{row / 50, static_cast<std::uint16_t>(row++ % 50 + 1)}; };
    for (const test::CodeSet& set : sets)
        for (std::uint32_t i = 0; i < set.size(); ++i)
            for (std::uint32_t copies = 1 + (random.below(4) == 0); copies > 0; --copies)
                input->add(set.code(i), next_row(), seed_record(layout, random).data());
    for (std::uint32_t i = 0; kind.codeless && i < 100; ++i)
        input->add_codeless(next_row(), seed_record(layout, random).data());

    ShardOptions options;
    options.metric = kind.metric;
    options.m = 4;
    options.ef_construction = 16;
    options.graph_threshold = kind.graphs ? 30 : 1u << 30;
    options.directory_threshold = options.radius_threshold = options.value_order_threshold =
        kind.tables ? 30 : 1u << 30;
    options.radius_bits = 64;
    ShardBuild build(std::move(input), options, 1, budget);
    build.start();
    build.finish();
    SeedShard shard{std::vector<std::uint8_t>(build.summary().pages * kPageBytes), build.summary().pages};
    for (std::uint32_t p = 0; p < shard.count; ++p)
        build.fill_page(p, kIncarnation, kGeneration, shard.pages.data() + p * kPageBytes);
    return shard;
}

inline const std::vector<SeedShard>& seed_shards() {
    static const std::vector<SeedShard> shards = [] {
        constexpr SeedKind kKinds[] = {
            {Metric::nphd, 150, true, true, true, true},      {Metric::nphd, 150, true, false, false, false},
            {Metric::hamming, 150, true, true, false, false}, {Metric::jaccard, 150, true, true, true, true},
            {Metric::nphd, 30, false, false, true, false},    {Metric::hamming, 120, false, true, true, true}};
        std::vector<SeedShard> made;
        for (const SeedKind& kind : kKinds) made.push_back(make_seed(kind, made.size() + 1));
        return made;
    }();
    return shards;
}

}  // namespace nphd::fuzz
