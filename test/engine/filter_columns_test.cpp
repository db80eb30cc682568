// A shard holds the filter values of every row, and its value orders say what a plain sort of them says.
#include <cstdio>
#include <set>
#include <tuple>

#include "engine/shard/bloom_filter.hpp"
#include "engine/shard/record_hash.hpp"
#include "test/engine/filter_rows.hpp"

namespace nphd::test {
namespace {

bool is_codeless(const ShardView& view, const LaneView& lane) { return &lane == &view.codeless; }

std::vector<NodeId> nodes_of_postings(const LaneView& lane) {
    std::vector<NodeId> nodes;
    for (NodeId node = 0; node < lane.nodes; ++node) {
        LaneView::PostingRange range{};
        EXPECT_TRUE(lane.posting_range(node, range));
        EXPECT_EQ(range.begin, nodes.size());
        EXPECT_LT(range.begin, range.end);
        nodes.resize(range.end, node);
    }
    EXPECT_EQ(nodes.size(), lane.postings);
    return nodes;
}

void expect_values(const FilterLayout& layout, const LaneView& lane, std::uint32_t posting, const RowValues& values) {
    for (std::uint32_t c = 0; c < layout.columns; ++c) {
        const FilterColumnView& column = lane.filters[c];
        ASSERT_EQ(column.is_null(posting), !values[c]);
        ASSERT_TRUE(column.value(posting) == values[c].value_or(0)) << "column " << c;
    }
    std::vector<std::byte> record(layout.record_bytes(), std::byte{0xEE});
    lane.copy_filter_record(layout, posting, record.data());
    ASSERT_EQ(record, record_of(layout, values));
}

/// Every row once, under its code, with its values; row ids of a code ascend.
void expect_rows(const ShardView& view, const FilterLayout& layout, const FilteredRows& rows) {
    std::map<RowId, const FilteredRow*> by_id;
    std::set<std::vector<std::uint8_t>> codes;
    for (const FilteredRow& r : rows) {
        by_id[r.id] = &r;
        if (r.code) codes.insert(*r.code);
    }
    ASSERT_EQ(by_id.size(), rows.size());
    ASSERT_TRUE(view.filters == layout);
    std::uint64_t postings = 0, nodes = 0;
    view.each_lane([&](const LaneView& lane) {
        ASSERT_EQ(lane.posting_base, postings);
        ASSERT_EQ(lane.filters.size(), layout.columns);
        const auto node = nodes_of_postings(lane);
        for (std::uint32_t p = 0; p < lane.postings; ++p) {
            const auto found = by_id.find(lane.row_id(p));
            ASSERT_NE(found, by_id.end());
            const FilteredRow& row = *found->second;
            by_id.erase(found);
            ASSERT_EQ(is_codeless(view, lane), !row.code);
            if (row.code) {
                ASSERT_TRUE(std::ranges::equal(lane.code(node[p]), *row.code));
            }
            if (p > 0 && node[p - 1] == node[p]) {
                ASSERT_LT(lane.row_id(p - 1), lane.row_id(p));
            }
            expect_values(layout, lane, p, row.values);
        }
        postings += lane.postings;
        nodes += is_codeless(view, lane) ? 0 : lane.nodes;
    });
    EXPECT_TRUE(by_id.empty());
    EXPECT_EQ(view.postings, rows.size());
    EXPECT_EQ(view.nodes, nodes);
    EXPECT_EQ(view.nodes, codes.size());
}

void expect_order(const LaneView& lane, const FilterColumnView& column) {
    std::vector<std::uint32_t> order;
    std::set<FilterValue> distinct;
    for (std::uint32_t p = 0; p < lane.postings; ++p) {
        if (column.is_null(p)) continue;
        order.push_back(p);
        distinct.insert(column.value(p));
    }
    std::ranges::stable_sort(order, {}, [&](std::uint32_t p) { return column.value(p); });
    ASSERT_EQ(column.order.count, order.size());
    ASSERT_EQ(column.fences.count, (order.size() + 63) / 64);
    for (std::uint32_t i = 0; i < order.size(); ++i) {
        ASSERT_EQ(column.order.number(i), order[i]) << "place " << i;
        if (i % 64 == 0) {
            ASSERT_TRUE(load_filter_value(column.fences.at(i / 64), column.fences.record_bytes) ==
                        column.value(order[i]));
        }
    }
    ASSERT_EQ(column.bloom.count, bloom_blocks(static_cast<std::uint32_t>(distinct.size())));
    for (const FilterValue v : distinct) ASSERT_TRUE(bloom_may_contain(column.bloom, hash_filter_value(v)));
}

/// Lanes of at least `threshold` postings have all orders, the others have none.
void expect_orders(const ShardView& view, std::uint32_t threshold) {
    view.each_lane([&](const LaneView& lane) {
        SCOPED_TRACE((is_codeless(view, lane) ? "no code" : std::to_string(lane.code_bytes) + " bytes"));
        const bool ordered = lane.postings >= threshold && !lane.filters.empty();
        for (const FilterColumnView& column : lane.filters) {
            ASSERT_EQ(column.has_order(), ordered);
            if (ordered)
                expect_order(lane, column);
            else
                ASSERT_EQ(column.order.count + column.fences.count, 0u);
        }
        ASSERT_EQ(lane.posting_nodes.count, ordered && lane.postings > lane.nodes ? lane.postings : 0u);
        if (!ordered) return;
        const auto node = nodes_of_postings(lane);
        for (std::uint32_t p = 0; p < lane.postings; ++p) ASSERT_EQ(lane.node_of_posting(p), node[p]);
    });
}

TEST(FilterColumns, HoldTheValuesOfEveryRow) {
    const FilterLayout layout = eight_columns();
    for (const std::uint32_t n : {1u, 2u, 65u, 700u, 9000u})
        for (const std::uint32_t threshold : {1u, 300u, 1u << 30})
            for (const std::uint32_t graph_threshold : {100u, 1u << 30}) {
                SCOPED_TRACE(std::to_string(n) + " rows, orders from " + std::to_string(threshold));
                const FilteredRows rows = random_filtered_rows(1000 + n, n);
                ShardOptions options;
                options.value_order_threshold = threshold;
                options.graph_threshold = graph_threshold;
                const auto shard = make_shard(rows, layout, options);
                expect_rows(shard->view, layout, rows);
                expect_orders(shard->view, threshold);
                if (n < 9000) continue;
                ASSERT_EQ(shard->view.lanes.size(), 4u);
                EXPECT_EQ(shard->view.lanes[3].has_graph(), graph_threshold == 100);
                EXPECT_GT(shard->view.codeless.postings, 1000u);
            }
}

TEST(FilterColumns, AreAsManyAsTheLayoutSays) {
    const FilterLayout all = eight_columns();
    FilteredRows rows = random_filtered_rows(21, 3000);
    for (std::uint8_t columns = 0; columns <= kMaxFilterColumns; ++columns) {
        FilterLayout layout;
        layout.columns = columns;
        std::copy_n(all.width, columns, layout.width);
        for (FilteredRow& r : rows) r.values.resize(all.columns);
        const auto shard = make_shard(rows, layout);
        expect_rows(shard->view, layout, rows);
        expect_orders(shard->view, ShardOptions{}.value_order_threshold);
    }
}

TEST(FilterColumns, HaveNullWordsOnlyWhereSomethingIsNull) {
    FilteredRows rows = random_filtered_rows(22, 2000);
    for (FilteredRow& r : rows)
        if (r.code && r.code->size() == 32) r.values[0] = 3;
    const auto shard = make_shard(rows, eight_columns());
    const ShardView& view = shard->view;
    EXPECT_EQ(view.lanes.back().filters[0].nulls.count, 0u);
    EXPECT_NE(view.codeless.filters[0].nulls.count, 0u);
    view.each_lane([](const LaneView& lane) {
        EXPECT_EQ(lane.filters[1].nulls.count, 0u);
        EXPECT_EQ(lane.filters[6].nulls.count, (lane.postings + 63) / 64);
    });
}

// The order of a column that is NULL everywhere has no places: it is there all the same, and finds nothing.
TEST(FilterColumns, MayBeNullEverywhere) {
    const FilterLayout layout = layout_of({8, 4});
    FilteredRows rows;
    for (std::uint32_t i = 0; i < 3000; ++i) {
        rows.push_back({std::vector<std::uint8_t>{static_cast<std::uint8_t>(i)}, row_id(i), {{}, i % 7}});
        rows.push_back({{}, row_id(5000 + i), {{}, {}}});
    }
    const auto shard = make_shard(rows, layout);
    expect_rows(shard->view, layout, rows);
    expect_orders(shard->view, 1024);
    const FilterColumnView& column = shard->view.codeless.filters[1];
    EXPECT_TRUE(column.has_order());
    EXPECT_EQ(column.order.count, 0u);
    EXPECT_FALSE(bloom_may_contain(column.bloom, hash_filter_value(0)));
}

TEST(FilterColumns, OneCodeHasRowsOfAllValues) {
    const FilterLayout layout = layout_of({2});
    FilteredRows rows;
    for (std::uint32_t i = 0; i < 150000; ++i)
        rows.push_back({std::vector<std::uint8_t>(16, 0xA5), row_id(149999 - i), {i * 7919 % 65536}});
    const auto shard = make_shard(rows, layout);
    expect_rows(shard->view, layout, rows);
    expect_orders(shard->view, 1024);
}

TEST(CodelessRows, AreALaneOfTheirOwn) {
    for (const FilterLayout& layout : {FilterLayout{}, layout_of({4})}) {
        MemoryBudget budget;
        FilteredRows rows;
        rows.push_back({{}, row_id(9), {7}});
        rows.push_back({{}, row_id(3), {{}}});
        ShardBuild build(input_of(rows, layout, budget), ShardOptions{}, 2, budget);
        build.start();
        build.finish();
        EXPECT_EQ(build.summary().lanes, 1u);
        EXPECT_EQ(build.summary().nodes, 0u);
        EXPECT_EQ(build.summary().postings, 2u);

        auto shard = make_shard(rows, layout);
        EXPECT_TRUE(shard->view.lanes.empty());
        expect_rows(shard->view, layout, rows);
        ASSERT_EQ(shard->view.codeless.nodes, 1u);
        EXPECT_EQ(shard->view.codeless.row_id(0), row_id(3));
        EXPECT_FALSE(shard->view.codeless.has_graph());
        EXPECT_FALSE(shard->view.codeless.has_directory());

        // The empty code is a code.
        rows.push_back({std::vector<std::uint8_t>{}, row_id(5), {8}});
        shard = make_shard(rows, layout);
        ASSERT_EQ(shard->view.lanes.size(), 1u);
        EXPECT_EQ(shard->view.nodes, 1u);
        expect_rows(shard->view, layout, rows);
    }
}

TEST(CodelessRows, LeaveTheLanesOfCodesAlone) {
    FilteredRows rows = random_filtered_rows(31, 4000);
    const auto with = make_shard(rows, eight_columns());
    std::erase_if(rows, [](const FilteredRow& r) { return !r.code; });
    const auto without = make_shard(rows, eight_columns());
    EXPECT_EQ(without->view.codeless.postings, 0u);
    ASSERT_EQ(with->view.lanes.size(), without->view.lanes.size());
    for (std::size_t i = 0; i < with->view.lanes.size(); ++i) {
        const LaneView &a = with->view.lanes[i], &b = without->view.lanes[i];
        ASSERT_EQ(a.nodes, b.nodes);
        for (NodeId node = 0; node < a.nodes; ++node) ASSERT_TRUE(std::ranges::equal(a.code(node), b.code(node)));
        for (std::uint32_t p = 0; p < a.postings; ++p) ASSERT_EQ(a.row_id(p), b.row_id(p));
    }
}

// A shard without columns and without rows that have no code has nothing in it that tells of either.
TEST(FilterColumns, LeaveNoTraceWhereThereAreNone) {
    FilteredRows rows = random_filtered_rows(32, 4000);
    std::erase_if(rows, [](const FilteredRow& r) { return !r.code; });
    Rows plain;
    for (const FilteredRow& r : rows) plain.push_back({*r.code, r.id});
    ShardOptions options;
    options.sort_by_filter = true;  // by nothing
    options.value_order_threshold = 1;
    const auto shard = make_shard(rows, FilterLayout{}, options);
    MemoryBudget budget;
    EXPECT_EQ(shard->pages, build_pages(plain, ShardOptions{}, 2, budget));
    ShardHeader header;
    std::memcpy(&header, shard->pages.data() + kPageDataOffset, sizeof header);
    const std::uint8_t zero[sizeof header.filters + sizeof header.reserved2] = {};
    EXPECT_EQ(std::memcmp(&header.filters, zero, sizeof zero), 0);
    for (const LaneView& lane : shard->view.lanes) EXPECT_EQ(lane.posting_nodes.count, 0u);
}

TEST(FilterColumns, PagesDependOnTheRowsOnly) {
    for (const bool sorted : {false, true}) {
        FilteredRows rows = random_filtered_rows(41, 60000);
        ShardOptions options;
        options.graph_threshold = 500;
        options.sort_by_filter = sorted;
        MemoryBudget budget;
        const auto pages = [&](unsigned threads) {
            return build_pages(input_of(rows, eight_columns(), budget), options, threads, budget);
        };
        const Pages one = pages(1);
        EXPECT_EQ(one, pages(2));
        EXPECT_EQ(one, pages(5));
        std::ranges::reverse(rows);
        EXPECT_EQ(one, pages(3));
        EXPECT_EQ(budget.in_use(), 0u);

        std::FILE* const file = std::tmpfile();
        MemoryBudget little(std::size_t{1} << 20, fileno(file));
        EXPECT_EQ(one, build_pages(input_of(rows, eight_columns(), little), options, 2, little));
        EXPECT_GT(little.spilled(), std::size_t{2} << 20);
        EXPECT_EQ(little.in_use(), 0u);
        std::fclose(file);
    }
}

using NodeKey = std::tuple<bool, FilterValue>;  // NULL in all rows, the least value otherwise

NodeKey key_of(const LaneView& lane, NodeId node) {
    NodeKey key{true, 0};
    LaneView::PostingRange range{};
    EXPECT_TRUE(lane.posting_range(node, range));
    for (std::uint32_t p = range.begin; p < range.end; ++p)
        if (!lane.filters[0].is_null(p)) key = std::min(key, NodeKey{false, lane.filters[0].value(p)});
    return key;
}

TEST(SortByFilter, NumbersNodesByTheirLeastValueAndThenAsWithoutIt) {
    const FilterLayout layout = eight_columns();
    const FilteredRows rows = random_filtered_rows(51, 20000);
    for (const std::uint32_t graph_threshold : {500u, 1u << 30}) {
        ShardOptions options;
        options.graph_threshold = graph_threshold;
        const auto plain = make_shard(rows, layout, options);
        options.sort_by_filter = true;
        const auto sorted = make_shard(rows, layout, options);
        expect_rows(sorted->view, layout, rows);
        expect_orders(sorted->view, 1024);
        ASSERT_EQ(sorted->view.lanes.size(), plain->view.lanes.size());
        std::uint32_t moved = 0, all_null = 0;
        for (std::size_t l = 0; l < plain->view.lanes.size(); ++l) {
            const LaneView &before = plain->view.lanes[l], &after = sorted->view.lanes[l];
            ASSERT_EQ(after.has_graph(), before.has_graph());
            std::vector<NodeId> order(before.nodes);
            for (NodeId node = 0; node < before.nodes; ++node) order[node] = node;
            std::ranges::stable_sort(order, {}, [&](NodeId node) { return key_of(before, node); });
            ASSERT_EQ(after.nodes, before.nodes);
            for (NodeId node = 0; node < after.nodes; ++node) {
                ASSERT_TRUE(std::ranges::equal(after.code(node), before.code(order[node])));
                moved += order[node] != node;
                all_null += std::get<0>(key_of(after, node));
            }
        }
        EXPECT_GT(moved, 5000u);
        EXPECT_GT(all_null, 50u);
    }
}

TEST(FilterColumns, DestructorStopsABuildInTime) {
    const FilterLayout layout = layout_of({16, 16, 8, 4});
    TestRandom random(61);
    FilteredRows rows;
    for (std::uint32_t i = 0; i < 400000; ++i) {
        const FilterValue v = FilterValue{random.next()} << 64 | random.next();
        rows.push_back({{}, row_id(i), {v, v ^ i, i, random.below(1000)}});
    }
    for (const int delay_ms : {0, 20, 60, 100, 150, 250}) {
        MemoryBudget budget;
        auto build = std::make_unique<ShardBuild>(input_of(rows, layout, budget), ShardOptions{}, 2, budget);
        build->start();
        std::this_thread::sleep_for(std::chrono::milliseconds(delay_ms));
        const auto before = std::chrono::steady_clock::now();
        build.reset();
        EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(1));
        EXPECT_EQ(budget.in_use(), 0u);
    }
}

// What lies ready for more rows is at most a chunk of 16 MiB, whatever a row is made of.
TEST(FilterColumns, TakeLittleMoreThanTheirRecordsWhileTheyAreCollected) {
    const FilterLayout layout = layout_of({16, 16, 16, 16, 16, 16, 16, 16});
    const auto record = record_of(layout, RowValues(8, FilterValue{1}));
    MemoryBudget budget;
    ShardInput input(budget, layout);
    constexpr std::size_t kRows = 400000;
    for (std::uint32_t i = 0; i < kRows; ++i) input.add_codeless(row_id(i), record.data());
    EXPECT_GE(budget.in_use(), kRows * (8 + 6 + layout.record_bytes()));
    EXPECT_LE(budget.in_use(), kRows * (8 + 6 + layout.record_bytes()) + (std::size_t{17} << 20));
}

}  // namespace
}  // namespace nphd::test
