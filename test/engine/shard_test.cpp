// A shard holds exactly what went in, whatever was repeated, and the same rows give the same pages.
#include <cstdio>
#include <map>
#include <set>

#include "engine/shard/packed_numbers.hpp"
#include "test/engine/shard_fixture.hpp"

namespace nphd::test {
namespace {

using CodeKey = std::vector<std::uint8_t>;
using Contents = std::map<CodeKey, std::multiset<RowId>>;

Contents contents(const Rows& rows) {
    Contents out;
    for (const Row& r : rows) out[r.code].insert(r.id);
    return out;
}

Contents contents(const ShardView& view) {
    Contents out;
    for (const LaneView& lane : view.lanes)
        for (NodeId node = 0; node < lane.nodes; ++node) {
            const auto code = lane.code(node);
            LaneView::PostingRange range{};
            EXPECT_TRUE(lane.posting_range(node, range));
            const auto [at, fresh] = out.try_emplace(CodeKey(code.begin(), code.end()));
            EXPECT_TRUE(fresh) << "two nodes with one code";
            for (std::uint32_t p = range.begin; p < range.end; ++p) {
                if (p > range.begin) {
                    EXPECT_LE(lane.row_id(p - 1), lane.row_id(p));
                }
                at->second.insert(lane.row_id(p));
            }
        }
    return out;
}

void expect_well_formed(const ShardView& view, const ShardOptions& options) {
    std::uint64_t nodes = 0, postings = 0;
    for (const LaneView& lane : view.lanes) {
        EXPECT_EQ(lane.posting_base, postings);
        nodes += lane.nodes;
        postings += lane.postings;
        // A lane with a graph is worth as much as graph_threshold codes of 256 bits.
        const std::uint64_t worth = std::uint64_t{lane.nodes} * (32 + lane.codes.record_bytes) / 64;
        EXPECT_EQ(lane.has_graph(), lane.code_bytes > 0 && lane.nodes > 1 && worth >= options.graph_threshold);
        if (lane.has_graph()) continue;
        for (NodeId node = 1; node < lane.nodes; ++node)
            ASSERT_LT(std::memcmp(lane.code(node - 1).data(), lane.code(node).data(), lane.code_bytes), 0);
    }
    EXPECT_EQ(view.nodes, nodes);
    EXPECT_EQ(view.postings, postings);
}

Rows many_lengths(std::uint64_t seed) {
    TestRandom random(seed);
    Rows rows;
    for (const std::uint32_t bytes : {0u, 1u, 3u, 8u, 9u, 16u, 32u, 64u, 513u, 8000u}) {
        const std::uint32_t n = bytes > 100 ? 50 : 700;
        CodeSet codes(bytes);
        for (std::uint32_t i = 0; i < n; ++i) codes.set_random(codes.add(), random);
        append(rows, codes);
        for (std::uint32_t i = 0; i < n / 2; ++i) {
            const auto code = codes.code(random.below(n));
            rows.push_back({{code.begin(), code.end()}, row_id(static_cast<std::uint32_t>(random.next() >> 40))});
        }
    }
    for (std::size_t i = rows.size() - 1; i > 0; --i)
        std::swap(rows[i], rows[random.below(static_cast<std::uint32_t>(i + 1))]);
    return rows;
}

TEST(Shard, HoldsEveryCodeAndRowOnceWhateverTheLengths) {
    const Rows rows = many_lengths(11);
    for (const Metric metric : {Metric::nphd, Metric::hamming, Metric::jaccard}) {
        ShardOptions options;
        options.metric = metric;
        const auto shard = make_shard(rows, options);
        EXPECT_EQ(shard->view.metric, metric);
        EXPECT_EQ(shard->view.lanes.size(), 10u);
        EXPECT_EQ(contents(shard->view), contents(rows));
        expect_well_formed(shard->view, options);
    }
}

TEST(Shard, LanesWithAGraphHoldTheSame) {
    const Rows rows = many_lengths(12);
    for (const Metric metric : {Metric::nphd, Metric::hamming, Metric::jaccard}) {
        ShardOptions options;
        options.metric = metric;
        options.graph_threshold = 20;
        const auto shard = make_shard(rows, options);
        EXPECT_EQ(contents(shard->view), contents(rows));
        expect_well_formed(shard->view, options);
        for (const LaneView& lane : shard->view.lanes) {
            if (!lane.has_graph()) continue;
            EXPECT_EQ(lane.prefix_bytes, metric == Metric::nphd && lane.code_bytes > 8 ? 8u : 0u);
        }
    }
}

TEST(Shard, LinksAndLevelsAreInRange) {
    const auto data = near_duplicate_data(20000, 0, 32, 21);
    ShardOptions options;
    options.graph_threshold = 1000;
    const auto shard = make_shard(rows_of(data.codes), options);
    const LaneView& lane = shard->view.lanes.at(0);
    ASSERT_TRUE(lane.has_graph());
    EXPECT_EQ(lane.degree, 2 * options.m);
    const auto check_list = [](const RecordArray& links, std::uint32_t i, std::uint32_t degree, std::uint32_t count) {
        const LinkList list(links, i);
        std::set<std::uint32_t> distinct;
        for (std::uint32_t slot = 0; slot < degree && list[slot] != list.none(); ++slot) {
            ASSERT_LT(list[slot], count);
            ASSERT_NE(list[slot], i);
            ASSERT_TRUE(distinct.insert(list[slot]).second) << "twice";
        }
    };
    for (NodeId node = 0; node < lane.nodes; ++node) check_list(lane.links, node, lane.degree, lane.nodes);
    std::uint32_t below = lane.nodes;
    for (std::uint32_t l = 0; l < lane.levels; ++l) {
        const LevelView& level = lane.level[l];
        for (std::uint32_t e = 0; e < level.entries.count; ++e) {
            const auto entry = level.entries.value<UpperEntry>(e);
            ASSERT_LT(entry.node, lane.nodes);
            ASSERT_LT(entry.below, below);
            const NodeId node_below =
                l == 0 ? entry.below : lane.level[l - 1].entries.value<UpperEntry>(entry.below).node;
            ASSERT_EQ(entry.node, node_below);
            check_list(level.links, e, lane.upper_degree, level.entries.count);
        }
        below = level.entries.count;
    }
}

TEST(Shard, OneCodeRepeatedIsOneNode) {
    Rows rows;
    for (std::uint32_t i = 0; i < 300000; ++i) rows.push_back({CodeKey(32, 0xA5), row_id(299999 - i)});
    const auto shard = make_shard(rows);
    ASSERT_EQ(shard->view.lanes.size(), 1u);
    EXPECT_EQ(shard->view.nodes, 1u);
    EXPECT_EQ(shard->view.postings, 300000u);
    for (std::uint32_t i = 0; i < 300000; ++i) ASSERT_EQ(shard->view.lanes[0].row_id(i), row_id(i));
}

TEST(Shard, HeavyRepetitionIsGroupedCompletely) {
    const std::uint64_t seed = 31;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    Rows rows;
    for (std::uint32_t i = 0; i < 200000; ++i) {
        const std::uint32_t value = random.below(1 + random.below(40000));
        CodeKey code(16, 0);
        std::memcpy(code.data() + 9, &value, 4);
        rows.push_back({code, row_id(i)});
    }
    ShardOptions options;
    options.graph_threshold = 1u << 30;
    const auto shard = make_shard(rows, options);
    EXPECT_EQ(contents(shard->view), contents(rows));
    expect_well_formed(shard->view, options);
}

TEST(Shard, EmptyInputIsAnEmptyShard) {
    const auto shard = make_shard({});
    EXPECT_EQ(shard->pages.count(), 1u);
    EXPECT_TRUE(shard->view.lanes.empty());
}

TEST(Shard, EmptyCodesAreALane) {
    const auto shard = make_shard({{{}, row_id(5)}, {{}, row_id(3)}});
    ASSERT_EQ(shard->view.lanes.size(), 1u);
    EXPECT_EQ(shard->view.lanes[0].code_bytes, 0u);
    EXPECT_EQ(shard->view.lanes[0].codes.record_bytes, 8u);
    EXPECT_EQ(shard->view.nodes, 1u);
    EXPECT_EQ(shard->view.lanes[0].row_id(0), row_id(3));
}

TEST(Shard, PagesDependOnTheRowsOnly) {
    Rows rows = many_lengths(41);
    append(rows, near_duplicate_data(30000, 0, 32, 42).codes);
    ShardOptions options;
    options.graph_threshold = 500;
    MemoryBudget budget;
    const Pages one = build_pages(rows, options, 1, budget);
    EXPECT_EQ(one, build_pages(rows, options, 1, budget));
    EXPECT_EQ(one, build_pages(rows, options, 2, budget));
    EXPECT_EQ(one, build_pages(rows, options, 5, budget));
    std::reverse(rows.begin(), rows.end());
    EXPECT_EQ(one, build_pages(rows, options, 3, budget));
    EXPECT_EQ(budget.in_use(), 0u);
}

TEST(Shard, ATemporaryFileInPlaceOfMemoryGivesTheSamePages) {
    Rows rows = many_lengths(45);
    append(rows, near_duplicate_data(20000, 0, 32, 46).codes);
    ShardOptions options;
    options.graph_threshold = 500;
    MemoryBudget memory;
    const Pages expected = build_pages(rows, options, 2, memory);
    EXPECT_EQ(memory.spilled(), 0u);
    std::FILE* const file = std::tmpfile();
    MemoryBudget little(std::size_t{1} << 20, fileno(file));
    EXPECT_EQ(expected, build_pages(rows, options, 2, little));
    EXPECT_GT(little.spilled(), std::size_t{2} << 20);
    EXPECT_EQ(little.in_use(), 0u);
    std::fclose(file);
}

TEST(Shard, DestructorStopsABuildInTime) {
    const auto data = uniform_data(150000, 0, 32, 51);
    for (const int delay_ms : {0, 5, 20, 60, 150, 400}) {
        MemoryBudget budget;
        auto input = std::make_unique<ShardInput>(budget);
        for (std::uint32_t i = 0; i < data.codes.size(); ++i) input->add(data.codes.code(i), row_id(i));
        auto build = std::make_unique<ShardBuild>(std::move(input), ShardOptions{}, 2, budget);
        build->start();
        std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
        const auto before = std::chrono::steady_clock::now();
        build.reset();
        EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
        EXPECT_EQ(budget.in_use(), 0u);
    }
}

TEST(Shard, TooLongCodesAreRefused) {
    MemoryBudget budget;
    ShardInput input(budget);
    input.add(std::vector<std::uint8_t>(kMaxCodeBytes), row_id(0));
    EXPECT_THROW(input.add(std::vector<std::uint8_t>(kMaxCodeBytes + 1), row_id(1)), std::length_error);
    EXPECT_EQ(input.rows(), 1u);
}

TEST(OpenShard, RefusesForeignPages) {
    const auto shard = make_shard(many_lengths(61));
    ShardView view;
    ShardDamage damage{};
    const auto opens = [&](std::uint32_t pages, std::uint64_t incarnation, std::uint64_t generation) {
        return open_shard(shard->pages.data(), pages, incarnation, generation, view, damage);
    };
    const std::uint32_t n = shard->pages.count();
    EXPECT_TRUE(opens(n, kIncarnation, kGeneration));
    EXPECT_FALSE(opens(n, kIncarnation + 1, kGeneration));
    EXPECT_STREQ(damage.what, "page of another shard");
    EXPECT_FALSE(opens(n, kIncarnation, kGeneration + 1));
    EXPECT_FALSE(opens(n - 1, kIncarnation, kGeneration));
    EXPECT_STREQ(damage.what, "shard is longer than its extents");
    EXPECT_FALSE(opens(0, kIncarnation, kGeneration));
}

TEST(OpenShard, SkipsSectionsOfLaterVersions) {
    auto shard = make_shard(many_lengths(62));
    Pages pages = shard->pages;
    ShardHeader header;
    std::memcpy(&header, pages.data() + kPageDataOffset, sizeof header);
    LaneRecord lane;
    std::uint8_t* const first_lane = pages.page(header.lane_table_page) + kPageDataOffset;
    std::memcpy(&lane, first_lane, sizeof lane);
    // A section that the reader needs becomes one that it does not know: it must miss it, not trip over it.
    std::uint8_t* const section =
        pages.page(header.section_table_page) + kPageDataOffset + lane.first_section * sizeof(SectionRecord);
    SectionRecord record;
    std::memcpy(&record, section, sizeof record);
    record.kind = 999;
    record.first_page = 0xFFFFFFF0;
    std::memcpy(section, &record, sizeof record);
    ShardView view;
    ShardDamage damage{};
    EXPECT_FALSE(open_shard(pages.data(), pages.count(), kIncarnation, kGeneration, view, damage));
    EXPECT_STREQ(damage.what, "a section is missing");
}

}  // namespace
}  // namespace nphd::test
