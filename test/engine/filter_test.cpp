// Filters on postings: against a plain loop over all of them, and in searches against all distances computed one by
// one.
#include <map>
#include <set>

#include "engine/search/lane_gather.hpp"
#include "engine/search/within.hpp"
#include "test/engine/filter_fixture.hpp"
#include "test/engine/search_fixture.hpp"

namespace nphd::test {
namespace {

constexpr std::uint32_t kWidths[] = {1, 2, 4, 8, 16};

FilterValue largest(std::uint32_t width) { return ~FilterValue{0} >> (128 - 8 * width); }

/// Values that spread over the width, `distinct` of them at most, some of them NULL.
ColumnValues random_column(std::uint32_t postings, std::uint32_t width, std::uint32_t distinct, double nulls,
                           TestRandom& random) {
    const FilterValue step = largest(width) / distinct;
    ColumnValues out(postings);
    for (auto& v : out) {
        if (random.unit() <= nulls) continue;
        const std::uint32_t i = random.below(distinct);
        v = i + 1 == distinct ? largest(width) : step * i;
    }
    return out;
}

FilterValue random_value(const ColumnValues& values, std::uint32_t width, TestRandom& random) {
    const auto& stored = values[random.below(static_cast<std::uint32_t>(values.size()))];
    const FilterValue any = FilterValue{random.next()} << 64 | random.next();
    switch (random.below(8)) {
        case 0:
            return any & largest(width);
        case 1:
            return random.below(2) ? 0 : largest(width);
        default:
            return stored ? *stored : 0;
    }
}

/// Ascending, disjoint.
std::vector<ValueRange> random_ranges(const ColumnValues& values, std::uint32_t width, TestRandom& random) {
    const auto value = [&] { return random_value(values, width, random); };
    std::set<FilterValue> points;
    switch (random.below(6)) {
        case 0:
            return {};
        case 1: {
            const FilterValue a = value(), b = value();
            return {{std::min(a, b), std::max(a, b)}};
        }
        case 2:
            return {{0, largest(width)}};
        case 3: {
            for (std::uint32_t n = 2 * (1 + random.below(5)); n > 0; --n) points.insert(value());
            if (points.size() % 2 != 0) points.erase(points.begin());
            std::vector<ValueRange> out;
            for (auto p = points.begin(); p != points.end(); ++p) {
                const FilterValue low = *p++;
                out.push_back({low, *p});
            }
            return out;
        }
        default: {
            for (std::uint32_t n = random.below(4) == 0 ? 200 : 1 + random.below(3); n > 0; --n) points.insert(value());
            std::vector<ValueRange> out;
            for (const FilterValue p : points) out.push_back({p, p});
            return out;
        }
    }
}

struct Column {
    std::uint32_t width;
    ColumnValues values;
};

OwnedFilter random_filter(const std::vector<Column>& columns, TestRandom& random) {
    OwnedFilter out;
    for (std::uint32_t c = 0; c < columns.size(); ++c)
        if (random.below(2))
            out.add(c, random_ranges(columns[c].values, columns[c].width, random), random.below(4) == 0);
    return out;
}

bool condition_holds(const ColumnCondition& c, const std::optional<FilterValue>& value) {
    if (!value) return c.nulls;
    return std::ranges::any_of(c.ranges, [&](const ValueRange& r) { return r.low <= *value && *value <= r.high; });
}
bool holds(const PostingFilter& filter, const std::vector<Column>& columns, std::uint32_t posting) {
    return std::ranges::all_of(filter.conditions, [&](const ColumnCondition& c) {
        return condition_holds(c, columns[c.column].values[posting]);
    });
}

std::vector<std::uint32_t> drain(FilteredPostings& postings, std::uint32_t lane_postings, std::uint32_t most) {
    std::vector<std::uint32_t> out, batch(most);
    // A call that writes nothing still looks at something; damaged orders can be long, but not longer than this.
    for (std::uint64_t calls = 0; !postings.done(); ++calls) {
        if (calls > 40 * (std::uint64_t{lane_postings} + 10)) {
            ADD_FAILURE() << "does not end";
            break;
        }
        const std::uint32_t n = postings.next(most, batch.data());
        EXPECT_LE(n, most);
        out.insert(out.end(), batch.begin(), batch.begin() + n);
    }
    return out;
}

/// Of more ranges, some are counted.
constexpr std::size_t kCountedOneByOne = 64;

class Filters : public testing::TestWithParam<bool> {};

TEST_P(Filters, LetThePostingsPassThatAPlainLoopDoes) {
    const bool ordered = GetParam();
    const std::uint64_t seed = 501 + ordered;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    std::size_t by_value = 0, some = 0;
    for (const std::uint32_t n : {1u, 63u, 64u, 65u, 128u, 700u, 5000u}) {
        LaneView lane;
        lane.nodes = lane.postings = n;
        PlainColumns plain(lane);
        std::vector<Column> columns;
        FilterLayout layout;
        for (std::uint32_t c = 0; c < kMaxFilterColumns; ++c) {
            const std::uint32_t width = kWidths[c % std::size(kWidths)], distinct = c % 3 == 0 ? 3 : 150;
            const double nulls = c % 4 == 0 ? 0 : c == 3 ? 1 : 0.1 * c;
            columns.push_back({width, random_column(n, width, distinct, nulls, random)});
            plain.add(width, columns.back().values, ordered);
            layout.width[layout.columns++] = static_cast<std::uint8_t>(width);
        }
        std::vector<std::byte> record(layout.record_bytes());
        for (int round = 0; round < 200; ++round) {
            SCOPED_TRACE(std::to_string(n) + " postings, round " + std::to_string(round));
            const OwnedFilter owned = random_filter(columns, random);
            const PostingFilter filter = owned.get();
            std::vector<std::uint32_t> expected;
            for (std::uint32_t p = 0; p < n; ++p) {
                if (holds(filter, columns, p)) expected.push_back(p);
                ASSERT_EQ(filter.matches(lane, p), holds(filter, columns, p)) << p;
                std::ranges::fill(record, std::byte{0});
                for (std::uint32_t c = 0; c < columns.size(); ++c) {
                    store_filter_value(record.data() + layout.offset(c), layout.width[c],
                                       columns[c].values[p].value_or(0));
                    if (!columns[c].values[p]) set_filter_null(record.data(), c);
                }
                ASSERT_EQ(filter.matches(layout, record.data()), holds(filter, columns, p)) << p;
            }
            std::uint32_t least = n;
            for (const ColumnCondition& c : filter.conditions) {
                const auto holds_for = std::ranges::count_if(
                    columns[c.column].values, [&](const auto& value) { return condition_holds(c, value); });
                FilteredPostings alone;
                alone.start(lane, PostingFilter{{&c, 1}});
                if (!ordered || c.ranges.size() <= kCountedOneByOne) {
                    ASSERT_EQ(alone.candidates(), ordered ? holds_for : n);
                }
                least = std::min(least, static_cast<std::uint32_t>(holds_for));
            }
            FilteredPostings postings;
            postings.start(lane, filter);
            for (const std::uint32_t most : {1u, 7u, 1024u}) {
                auto found = drain(postings, n, most);
                ASSERT_TRUE(postings.by_value() || std::ranges::is_sorted(found));
                std::ranges::sort(found);
                ASSERT_EQ(found, expected);
                postings.rewind();
            }
            const bool counted =
                std::ranges::all_of(filter.conditions, [](const auto& c) { return c.ranges.size() <= 64; });
            ASSERT_TRUE(!counted || postings.candidates() == (ordered ? least : n));
            ASSERT_TRUE(expected.empty() || postings.candidates() > 0);
            by_value += postings.by_value();
            some += !expected.empty() && expected.size() < n;
        }
    }
    EXPECT_EQ(by_value > 100, ordered);
    EXPECT_GT(some, 100u);
}

INSTANTIATE_TEST_SUITE_P(Orders, Filters, testing::Bool());

TEST(Filters, EstimateWhatIndependentColumnsLetPass) {
    TestRandom random(511);
    LaneView lane;
    lane.nodes = lane.postings = 20000;
    PlainColumns plain(lane);
    plain.add(4, random_column(lane.postings, 4, 10, 0, random), true);
    plain.add(2, random_column(lane.postings, 2, 4, 0.2, random), true);
    OwnedFilter filter;
    filter.add(0, {{0, 0}}).add(1, {}, true);
    FilteredPostings postings;
    postings.start(lane, filter.get());
    EXPECT_NEAR(postings.estimate(), 400, 60);
    EXPECT_NEAR(postings.candidates(), 2000, 200);
}

TEST(Filters, OfManyRangesAreCountedBySome) {
    TestRandom random(512);
    LaneView lane;
    lane.nodes = lane.postings = 50000;
    PlainColumns plain(lane);
    const ColumnValues values = random_column(lane.postings, 4, 40000, 0, random);
    plain.add(4, values, true);
    std::set<FilterValue> points;
    while (points.size() < 5000) points.insert(*values[random.below(lane.postings)]);
    std::vector<ValueRange> ranges;
    for (const FilterValue v : points) ranges.push_back({v, v});
    OwnedFilter filter;
    filter.add(0, ranges);
    const auto exact =
        static_cast<double>(std::ranges::count_if(values, [&](const auto& v) { return points.contains(*v); }));
    FilteredPostings postings;
    postings.start(lane, filter.get());
    EXPECT_NEAR(postings.candidates(), exact, exact / 4);
    EXPECT_EQ(static_cast<double>(drain(postings, lane.postings, 1024).size()), exact);
}

TEST(Filters, SurviveDamagedColumns) {
    const std::uint64_t seed = 513;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    for (int round = 0; round < 300; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        LaneView lane;
        lane.nodes = 1 + random.below(1500);
        lane.postings = lane.nodes;
        PlainColumns plain(lane);
        std::vector<Column> columns;
        for (std::uint32_t c = 0; c < 3; ++c) {
            const std::uint32_t width = kWidths[random.below(std::size(kWidths))];
            columns.push_back({width, random_column(lane.postings, width, 50, c * 0.2, random)});
            plain.add(width, columns.back().values, true);
        }
        for (auto& bytes : plain.arrays()) {
            const std::uint32_t kind = random.below(4);
            for (auto& b : bytes)
                if (kind == 0 || (kind == 1 && random.below(20) == 0))
                    b = random.below(2) ? std::byte{0xFF} : static_cast<std::byte>(random.next());
        }
        for (FilterColumnView& column : lane.filters) {
            // As open_shard() lets them pass.
            if (random.below(4) == 0) column.order.count = random.below(column.order.count + 1);
            if (random.below(4) == 0) column.fences.count = random.below(column.fences.count + 1);
        }
        for (int i = 0; i < 20; ++i) {
            const OwnedFilter filter = random_filter(columns, random);
            FilteredPostings postings;
            postings.start(lane, filter.get());
            EXPECT_LE(postings.candidates(), lane.postings);
            for (const std::uint32_t p : drain(postings, lane.postings, 1 + random.below(200)))
                ASSERT_LT(p, lane.postings);
        }
    }
}

/// Codes of several lengths, many rows to a code, with filter columns beside them.
struct FilteredShard {
    std::unique_ptr<TestShard> shard;
    std::vector<std::unique_ptr<PlainColumns>> plain;
    std::vector<std::vector<Column>> columns;  // by lane

    /// Values of the first column are bits of the code, so it is correlated; those of the others are drawn.
    FilteredShard(const Rows& rows, const ShardOptions& options, std::uint32_t order_threshold, TestRandom& random)
        : shard(make_shard(rows, options)) {
        for (LaneView& lane : shard->view.lanes) {
            plain.push_back(std::make_unique<PlainColumns>(lane));
            auto& all = columns.emplace_back();
            ColumnValues of_code(lane.postings);
            for (NodeId node = 0; node < lane.nodes; ++node) {
                LaneView::PostingRange range{};
                if (!lane.posting_range(node, range)) ADD_FAILURE();
                for (std::uint32_t p = range.begin; p < range.end; ++p)
                    of_code[p] = lane.code_bytes == 0 ? 0 : lane.code(node)[0];
            }
            all.push_back({1, of_code});
            all.push_back({4, random_column(lane.postings, 4, 1000, 0, random)});
            all.push_back({16, random_column(lane.postings, 16, 10, 0.3, random)});
            for (const Column& c : all) plain.back()->add(c.width, c.values, lane.postings >= order_threshold);
        }
    }
    bool matches(std::uint32_t lane_number, NodeId node, const PostingFilter& filter,
                 std::span<const std::uint8_t> dead) const {
        const LaneView& lane = shard->view.lanes[lane_number];
        LaneView::PostingRange range{};
        if (!lane.posting_range(node, range)) return false;
        for (std::uint32_t p = range.begin; p < range.end; ++p) {
            const std::uint64_t bit = lane.posting_base + p;
            const bool gone = bit / 8 < dead.size() && (dead[bit / 8] >> bit % 8 & 1) != 0;
            if (!gone && holds(filter, columns[lane_number], p)) return true;
        }
        return false;
    }
};

Rows repeated_rows(Metric metric, bool repeated, TestRandom& random) {
    Rows rows;
    const auto add = [&](const CodeSet& codes) {
        for (std::uint32_t i = 0; i < codes.size(); ++i) {
            const auto code = codes.code(i);
            const std::uint32_t times = !repeated ? 1 : random.below(50) == 0 ? 20 : 1 + random.below(3);
            for (std::uint32_t t = 0; t < times; ++t)
                rows.push_back({{code.begin(), code.end()}, row_id(static_cast<std::uint32_t>(rows.size()))});
        }
    };
    add(clustered_data(3000, 1, 32, random.next() % 1000).codes);
    if (metric == Metric::nphd) {
        add(near_duplicate_data(1500, 1, 8, random.next() % 1000).codes);
        add(distinct(uniform_data(200, 1, 1, random.next() % 1000).codes));
        add(CodeSet(0));
        rows.push_back({{}, row_id(static_cast<std::uint32_t>(rows.size()))});
    }
    return rows;
}

using Hits = std::set<std::pair<std::uint32_t, NodeId>>;

class FilteredSearch : public testing::TestWithParam<std::tuple<Metric, bool>> {};

TEST_P(FilteredSearch, FindsWhatAllDistancesSay) {
    const auto [metric, repeated] = GetParam();
    const std::uint64_t seed = 521 + 10 * static_cast<std::uint64_t>(metric) + repeated;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const Rows rows = repeated_rows(metric, repeated, random);
    ShardOptions options;
    options.metric = metric;
    options.graph_threshold = 500;
    options.directory_threshold = options.radius_threshold = 100;
    FilteredShard filtered(rows, options, 300, random);
    const ShardView& shard = filtered.shard->view;
    NearestSearch search;
    WithinSearch within;
    std::map<LaneAccount::Way, int> ways, ways_within;
    for (int round = 0; round < 300; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        std::vector<Column> columns = filtered.columns[random.below(static_cast<std::uint32_t>(shard.lanes.size()))];
        const OwnedFilter owned = random_filter(columns, random);
        auto query = rows[random.below(static_cast<std::uint32_t>(rows.size()))].code;
        if (metric == Metric::nphd && random.below(3) == 0) query.resize(random.below(33));
        const auto dead = random.below(2) ? random_tombstones(shard, 0.3, random) : std::vector<std::uint8_t>{};
        auto lanes = lanes_of(shard, dead);
        if (random.below(2)) find_dead_nodes(lanes);

        NearestOptions nearest;
        nearest.metric = metric;
        nearest.filter = owned.get();
        nearest.exact = random.below(4) == 0;
        if (random.below(2)) nearest.recall = 0.9;
        const bool radius = random.below(3) == 0;
        if (radius) {
            nearest.radius = random.unit() * (random.below(2) ? 0.2 : 0.7);
            if (metric == Metric::hamming) nearest.radius *= 8.0 * static_cast<double>(query.size());
        }
        Hits expected;
        for (std::uint32_t l = 0; l < lanes.size(); ++l)
            for (NodeId node = 0; node < lanes[l].view->nodes; ++node)
                if (distance(metric, query, lanes[l].view->code(node)) <= nearest.radius &&
                    filtered.matches(l, node, nearest.filter, dead))
                    expected.emplace(l, node);

        begin(search, query, lanes, nearest);
        Hits found;
        const auto hits = take(search, ~std::size_t{0});
        DistanceKey before = 0;
        bool late = false;
        for (const NearestHit& hit : hits) {
            ASSERT_TRUE(found.emplace(hit.lane, hit.node).second) << "twice";
            ASSERT_EQ(hit.key, distance_key(metric, query, lanes[hit.lane].view->code(hit.node)));
            ASSERT_TRUE(hit.late || !late) << "late ones come at the end";
            if (hit.late != late) before = 0;
            late = hit.late;
            ASSERT_GE(hit.key, before);
            before = hit.key;
        }
        ASSERT_EQ(found, expected);
        ASSERT_TRUE(!late || search.walked());
        ASSERT_FALSE(search.walked() && (radius || nearest.exact));
        for (std::uint32_t l = 0; l < lanes.size(); ++l) ++ways[search.account(l).way];

        if (!radius) continue;
        within.reset(query, metric, nearest.radius, nearest.filter);
        for (const SearchedLane& lane : lanes) within.add_lane(*lane.view, lane.dead);
        found.clear();
        std::vector<WithinHit> some;
        while (within.step(some))
            for (const WithinHit& hit : some) ASSERT_TRUE(found.emplace(hit.lane, hit.node).second) << "twice";
        ASSERT_EQ(found, expected);
        for (std::uint32_t l = 0; l < lanes.size(); ++l) ++ways_within[within.account(l).way];
    }
    for (const auto way : {LaneAccount::nothing, LaneAccount::graph_scan, LaneAccount::scan, LaneAccount::gather})
        EXPECT_GT(ways[way], 3) << way;
    for (const auto way : {LaneAccount::nothing, LaneAccount::scan, LaneAccount::gather})
        EXPECT_GT(ways_within[way], 3) << way;
    EXPECT_EQ(ways_within[LaneAccount::look_up] > 3, metric != Metric::jaccard);
}

INSTANTIATE_TEST_SUITE_P(Search, FilteredSearch,
                         testing::Combine(testing::Values(Metric::nphd, Metric::hamming, Metric::jaccard),
                                          testing::Bool()));

TEST(FilteredSearchDamage, InColumnsIsSurvived) {
    const std::uint64_t seed = 531;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const Rows rows = repeated_rows(Metric::nphd, true, random);
    ShardOptions options;
    options.graph_threshold = 500;
    options.directory_threshold = options.radius_threshold = 100;
    NearestSearch search;
    WithinSearch within;
    int gathered = 0;
    for (int round = 0; round < 40; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        FilteredShard filtered(rows, options, 1, random);
        const ShardView& shard = filtered.shard->view;
        for (auto& plain : filtered.plain)
            for (auto& bytes : plain->arrays()) {
                const std::uint32_t kind = random.below(3);
                for (auto& b : bytes)
                    if (kind == 0 || (kind == 1 && random.below(50) == 0))
                        b = random.below(2) ? std::byte{0} : static_cast<std::byte>(random.next());
            }
        const auto lanes = lanes_of(shard);
        for (int i = 0; i < 10; ++i) {
            const OwnedFilter owned = random_filter(filtered.columns.back(), random);
            const auto& query = rows[random.below(static_cast<std::uint32_t>(rows.size()))].code;
            NearestOptions nearest;
            nearest.filter = owned.get();
            nearest.exact = random.below(2);
            if (random.below(2)) nearest.radius = 0.3;
            begin(search, query, lanes, nearest);
            Hits found;
            for (const NearestHit& hit : take(search, ~std::size_t{0})) {
                ASSERT_LT(hit.node, lanes[hit.lane].view->nodes);
                ASSERT_TRUE(found.emplace(hit.lane, hit.node).second) << "twice";
            }
            for (std::uint32_t l = 0; l < lanes.size(); ++l) gathered += search.account(l).way == LaneAccount::gather;
            within.reset(query, Metric::nphd, 0.3, nearest.filter);
            for (const SearchedLane& lane : lanes) within.add_lane(*lane.view, lane.dead);
            found.clear();
            std::vector<WithinHit> some;
            while (within.step(some))
                for (const WithinHit& hit : some) {
                    ASSERT_LT(hit.node, lanes[hit.lane].view->nodes);
                    ASSERT_TRUE(found.emplace(hit.lane, hit.node).second) << "twice";
                }
        }
    }
    EXPECT_GT(gathered, 20);
}

TEST(FilteredShard, IsSearchedByTheColumnsOnItsPages) {
    const std::uint64_t seed = 535;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const Rows rows = repeated_rows(Metric::nphd, true, random);
    const auto n = static_cast<std::uint32_t>(rows.size());
    std::vector<Column> columns = {{4, random_column(n, 4, 300, 0.1, random)},
                                   {16, random_column(n, 16, 5, 0, random)}};
    FilterLayout layout{2, {4, 16}};
    for (const bool sorted : {false, true}) {
        ShardOptions options;
        options.graph_threshold = options.value_order_threshold = 500;
        options.sort_by_filter = sorted;
        MemoryBudget budget;
        auto input = std::make_unique<ShardInput>(budget, layout);
        std::vector<std::byte> record(layout.record_bytes());
        for (std::uint32_t r = 0; r < n; ++r) {
            std::ranges::fill(record, std::byte{0});
            for (std::uint32_t c = 0; c < columns.size(); ++c) {
                store_filter_value(record.data() + layout.offset(c), layout.width[c], columns[c].values[r].value_or(0));
                if (!columns[c].values[r]) set_filter_null(record.data(), c);
            }
            input->add(rows[r].code, rows[r].id, record.data());
        }
        ShardBuild build(std::move(input), options, 2, budget);
        build.start();
        build.finish();
        Pages pages(build.summary().pages);
        for (std::uint32_t p = 0; p < pages.count(); ++p) build.fill_page(p, kIncarnation, kGeneration, pages.page(p));
        const TestShard shard(std::move(pages));
        const auto row_of = [](RowId id) { return id.block * 200 + id.offset - 1u; };
        NearestSearch search;
        int by_value = 0;
        for (int round = 0; round < 100; ++round) {
            SCOPED_TRACE("round " + std::to_string(round));
            const OwnedFilter owned = random_filter(columns, random);
            NearestOptions nearest;
            nearest.filter = owned.get();
            const auto lanes = lanes_of(shard.view);
            Hits expected, found;
            for (std::uint32_t l = 0; l < lanes.size(); ++l) {
                const LaneView& lane = *lanes[l].view;
                std::set<std::uint32_t> passing, given;
                for (NodeId node = 0; node < lane.nodes; ++node) {
                    LaneView::PostingRange range{};
                    ASSERT_TRUE(lane.posting_range(node, range));
                    for (std::uint32_t p = range.begin; p < range.end; ++p) {
                        if (!holds(nearest.filter, columns, row_of(lane.row_id(p)))) continue;
                        passing.insert(p);
                        expected.emplace(l, node);
                    }
                }
                FilteredPostings postings;
                postings.start(lane, nearest.filter);
                for (const std::uint32_t p : drain(postings, lane.postings, 100)) given.insert(p);
                ASSERT_EQ(given, passing);
                by_value += postings.by_value();
            }
            begin(search, rows[random.below(n)].code, lanes, nearest);
            for (const NearestHit& hit : take(search, ~std::size_t{0})) found.emplace(hit.lane, hit.node);
            ASSERT_EQ(found, expected);
        }
        EXPECT_GT(by_value, 50);
    }
}

/// How much of the ten nearest that match is found, over queries of the data's distribution.
double filtered_recall(FilteredShard& filtered, const CodeSet& queries, const PostingFilter& filter,
                       LaneAccount::Way& way) {
    const LaneView& lane = filtered.shard->view.lanes[0];
    NearestSearch search;
    double sum = 0;
    for (std::uint32_t q = 0; q < queries.size(); ++q) {
        std::vector<DistanceKey> exact;
        for (NodeId node = 0; node < lane.nodes; ++node)
            if (filtered.matches(0, node, filter, {}))
                exact.push_back(distance_key(Metric::nphd, queries.code(q), lane.code(node)));
        std::ranges::sort(exact);
        NearestOptions options;
        options.recall = 0.95;
        options.filter = filter;
        begin(search, queries.code(q), lanes_of(filtered.shard->view), options);
        sum += recall(take(search, 10), exact, 10);
        way = search.account(0).way;
    }
    return sum / queries.size();
}

TEST(FilteredRecall, IsWhatIsAskedForAtAnyShareAndCorrelation) {
    TestRandom random(541);
    const auto data = clustered_data(40000, 60, 32, 541);
    FilteredShard filtered(rows_of(data.codes), ShardOptions{}, 1, random);
    const FilterValue step = largest(4) / 1000;
    LaneAccount::Way way{};
    OwnedFilter half, tenth, thousandth, none, correlated;
    half.add(1, {{0, 500 * step}});
    tenth.add(1, {{0, 100 * step}});
    thousandth.add(1, {{step, step}});
    none.add(1, {{1, 1}});
    correlated.add(0, {{0, 31}});
    EXPECT_GE(filtered_recall(filtered, data.queries, half.get(), way), 0.95);
    EXPECT_GE(filtered_recall(filtered, data.queries, tenth.get(), way), 0.95);
    EXPECT_GE(filtered_recall(filtered, data.queries, correlated.get(), way), 0.95);
    EXPECT_EQ(filtered_recall(filtered, data.queries, thousandth.get(), way), 1);
    EXPECT_EQ(way, LaneAccount::gather);
    EXPECT_EQ(filtered_recall(filtered, data.queries, none.get(), way), 1);
    EXPECT_EQ(way, LaneAccount::nothing);
}

TEST(LaneGather, OfMoreNodesThanItHoldsTakesSeveralPasses) {
    const auto data = uniform_data(1200000, 1, 8, 551);
    LaneView lane;
    lane.code_bytes = 8;
    lane.nodes = lane.postings = data.codes.size();
    lane.codes = data.codes.records();
    LaneQuery query;
    query.view = &lane;
    query.kernels = &kernels();
    QueryWords words;
    words.assign(data.queries.code(0));
    words.aim(8, query);
    const auto space = std::make_unique<BatchSpace>();
    LaneGather gather;
    gather.start(&query, space.get());
    std::vector<RankedNode> expected;
    for (NodeId node = 0; node < lane.nodes; ++node)
        if (node % 3 != 0)
            expected.push_back(ranked(kernels().hamming(data.queries.code(0).data(), lane.code(node).data(), 8), node));
    // All nodes pass the filter, which is empty, and those that `skip` knows are left out: 800,000; then all.
    std::ranges::sort(expected);
    for (const bool all : {false, true}) {
        if (all) {
            for (NodeId node = 0; node < lane.nodes; node += 3)
                expected.push_back(
                    ranked(kernels().hamming(data.queries.code(0).data(), lane.code(node).data(), 8), node));
            std::ranges::sort(expected);
            gather.start(&query, space.get());
        }
        std::size_t n = 0, passes = 0;
        const auto skip = [&](NodeId node) { return !all && node % 3 == 0; };
        for (;; ++passes) {
            std::uint64_t budget = 1000;
            while (!gather.advance(budget, skip)) budget = 1000;
            for (; !gather.empty(); gather.pop(skip)) {
                ASSERT_LT(n, expected.size());
                ASSERT_EQ(gather.front(), expected[n++]);
            }
            if (gather.exhausted()) break;
            ASSERT_EQ(gather.bound(), raw_of(expected[n - 1]));
        }
        EXPECT_EQ(n, expected.size());
        EXPECT_GT(passes, 0u);
        EXPECT_LE(gather.bytes(), 8u << 20);
    }
}

}  // namespace
}  // namespace nphd::test
