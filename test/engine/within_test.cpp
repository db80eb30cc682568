// Radius searches, ordered and not, against all distances computed one by one.
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>

#include <set>

#include "engine/search/code_lookup.hpp"
#include "engine/search/within.hpp"
#include "test/engine/search_fixture.hpp"

namespace nphd::test {
namespace {

using Found = std::multiset<std::pair<std::uint32_t, NodeId>>;

Found all_within(CodeBytes query, const std::vector<SearchedLane>& lanes, Metric metric, double radius) {
    Found out;
    for (std::uint32_t i = 0; i < lanes.size(); ++i)
        for (NodeId node = 0; node < lanes[i].view->nodes; ++node)
            if (distance(metric, query, lanes[i].view->code(node)) <= radius && is_live(lanes[i], node))
                out.emplace(i, node);
    return out;
}

Found search_within(WithinSearch& search, CodeBytes query, const std::vector<SearchedLane>& lanes, Metric metric,
                    double radius) {
    search.reset(query, metric, radius);
    for (const SearchedLane& lane : lanes) search.add_lane(*lane.view, lane.dead);
    Found out;
    std::vector<WithinHit> hits;
    while (search.step(hits))
        for (const WithinHit hit : hits) out.emplace(hit.lane, hit.node);
    return out;
}

/// The ordered search with the same radius: the same nodes, in order, none late.
Found search_in_order(NearestSearch& search, CodeBytes query, const std::vector<SearchedLane>& lanes, Metric metric,
                      double radius) {
    NearestOptions options;
    options.metric = metric;
    options.radius = radius;
    begin(search, query, lanes, options);
    const auto hits = take(search, ~std::size_t{0});
    expect_ascending(hits);
    Found out;
    for (const NearestHit& hit : hits) {
        EXPECT_FALSE(hit.late);
        EXPECT_EQ(search.distance(hit), distance(metric, query, lanes[hit.lane].view->code(hit.node)));
        out.emplace(hit.lane, hit.node);
    }
    return out;
}

std::vector<std::uint8_t> bytes_of(CodeBytes code) { return {code.begin(), code.end()}; }

void flip(std::vector<std::uint8_t>& code, std::uint32_t times, TestRandom& random) {
    for (; !code.empty() && times > 0; --times)
        code[random.below(static_cast<std::uint32_t>(code.size()))] ^= static_cast<std::uint8_t>(1u << random.below(8));
}

/// Kinds of data of which a plan that trusts in uniform chunks would go wrong.
enum class Skew { none, constant_chunk, nearly_equal };

CodeSet codes_of(std::uint32_t nodes, std::uint32_t bytes, Skew skew, TestRandom& random) {
    CodeSet codes(bytes);
    for (std::uint32_t i = 0; i < nodes; ++i) {
        codes.add();
        if (skew == Skew::nearly_equal) {
            if (bytes > 0) codes.add_noise(i, 0.02, random);
            continue;
        }
        if (i % 4 == 0 || i < 8) {
            codes.set_random(i, random);
        } else {
            // Near another one, at all distances.
            std::ranges::copy(codes.words(random.below(i)), codes.words(i).begin());
            if (bytes > 0) codes.add_noise(i, 0.3 * random.unit(), random);
        }
        if (skew == Skew::constant_chunk && bytes >= 4) std::memset(codes.words(i).data(), 0xA5, bytes >= 16 ? 4 : 1);
    }
    codes.clear_padding(0);
    return codes;
}

/// With tables: lanes of any size have them, and key directories.
ShardOptions options_of(Metric metric, bool tables) {
    ShardOptions options;
    options.metric = metric;
    options.graph_threshold = tables ? 500 : 1u << 30;
    options.directory_threshold = tables ? 1 : 1u << 30;
    options.radius_threshold = tables ? 1 : 1u << 30;
    return options;
}

double any_radius(CodeBytes query, CodeBytes other, Metric metric, TestRandom& random) {
    const bool comparable = metric == Metric::nphd || query.size() == other.size();
    const double most = metric == Metric::hamming ? 8.0 * static_cast<double>(query.size()) : 1;
    const double at = comparable ? distance(metric, query, other) : 0;
    switch (random.below(8)) {
        case 0:
            return 0;
        case 1:
            return most;
        case 2:
        case 3:
            return at;
        case 4:
            return std::max(0.0, std::nextafter(at, -1.0));
        case 5:
            return std::min(most, std::nextafter(at, 2 * most + 1));
        default:
            return most * random.unit() * (random.below(2) ? 0.15 : 0.6);
    }
}

class Within : public testing::TestWithParam<std::tuple<Metric, bool, Skew>> {};

TEST_P(Within, IsWhatAllDistancesSay) {
    const auto [metric, tables, skew] = GetParam();
    const std::uint64_t seed =
        401 + static_cast<std::uint64_t>(metric) * 100 + tables * 10 + static_cast<std::uint64_t>(skew);
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    Rows rows;
    for (const std::uint32_t bytes : {0u, 1u, 2u, 3u, 8u, 11u, 16u, 17u, 32u, 33u, 64u})
        append(rows, codes_of(bytes < 3 ? 40 : 300 + random.below(900), bytes, skew, random));
    const auto shard = make_shard(rows, options_of(metric, tables));
    // A second shard, so that lanes of one length meet.
    const auto other = make_shard(rows_of(codes_of(700, 16, skew, random)), options_of(metric, tables));
    bool with_tables = false;
    for (const LaneView& lane : shard->view.lanes) with_tables |= lane.chunks > 0;
    EXPECT_EQ(with_tables, tables && metric != Metric::jaccard);

    WithinSearch within;
    NearestSearch nearest;
    std::size_t looked_up = 0, some = 0;
    for (int round = 0; round < 400; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        auto query = rows[random.below(static_cast<std::uint32_t>(rows.size()))].code;
        if (round % 3 != 0) flip(query, 1 + random.below(6), random);
        if (metric == Metric::nphd && round % 5 == 0) query.resize(random.below(70));
        if (round % 31 == 0) query.clear();
        const auto dead = random_tombstones(shard->view, round % 4 == 0 ? 0.5 : 0.02, random);
        const std::span<const std::uint8_t> bitmap = round % 4 < 2 ? dead : std::span<const std::uint8_t>{};
        auto lanes =
            metric == Metric::nphd ? lanes_of(shard->view, bitmap) : lanes_of_length(shard->view, query.size(), bitmap);
        if (metric == Metric::nphd || query.size() == 16) lanes.push_back({&other->view.lanes[0], {}});
        if (round % 8 == 1) find_dead_nodes(lanes);
        const double radius =
            any_radius(query, rows[random.below(static_cast<std::uint32_t>(rows.size()))].code, metric, random);
        const Found expected = all_within(query, lanes, metric, radius);
        ASSERT_EQ(search_within(within, query, lanes, metric, radius), expected) << "radius " << radius;
        ASSERT_EQ(search_in_order(nearest, query, lanes, metric, radius), expected) << "radius " << radius;
        for (std::uint32_t i = 0; i < lanes.size(); ++i)
            looked_up += within.account(i).way == LaneAccount::look_up && lanes[i].view->chunks > 0;
        some += !expected.empty();
        // Leaves a search half done to the next round.
        NearestOptions plain;
        plain.metric = metric;
        begin(nearest, query, lanes, plain);
        take(nearest, random.below(5));
    }
    EXPECT_GT(some, 150u);
    if (with_tables) {
        EXPECT_GT(looked_up, 50u) << "the tables were hardly asked";
    }
}

std::string name_of(const testing::TestParamInfo<Within::ParamType>& info) {
    const Metric metric = std::get<0>(info.param);
    const std::string name = metric == Metric::nphd ? "Nphd" : metric == Metric::hamming ? "Hamming" : "Jaccard";
    const char* const skews[] = {"", "ConstantChunk", "NearlyEqual"};
    return name + (std::get<1>(info.param) ? "Tables" : "Scan") + skews[static_cast<int>(std::get<2>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(Search, Within,
                         testing::Combine(testing::Values(Metric::nphd, Metric::hamming, Metric::jaccard),
                                          testing::Bool(),
                                          testing::Values(Skew::none, Skew::constant_chunk, Skew::nearly_equal)),
                         name_of);

TEST(WithinOrdered, ALaneInWhichNothingIsToBeFoundKeepsNothingOfTheSearchBefore) {
    const auto data = uniform_data(3000, 1, 8, 431);
    const auto shard = make_shard(rows_of(data.codes));
    const auto lanes = lanes_of(shard->view);
    NearestSearch search;
    begin(search, data.queries.code(0), lanes, {});
    ASSERT_EQ(take(search, 3).size(), 3u);
    // An empty code is at 1 from all others.
    NearestOptions options;
    options.radius = 0.5;
    begin(search, {}, lanes, options);
    EXPECT_TRUE(take(search, 3).empty());
    EXPECT_EQ(search.account(0).distances, 0u);
}

// The database side is prepared for pages that cannot be read in steps only.
sigjmp_buf touched;
void leave(int) { siglongjmp(touched, 1); }

TEST(WithinOrdered, NothingIsReadBeforeTheFirstStep) {
    TestRandom random(435);
    const CodeSet codes = codes_of(5000, 16, Skew::none, random);
    MemoryBudget budget;
    const Pages pages = build_pages(rows_of(codes), options_of(Metric::nphd, true), 2, budget);
    auto* const mapped = static_cast<std::uint8_t*>(
        mmap(nullptr, pages.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(mapped, MAP_FAILED);
    std::memcpy(mapped, pages.data(), pages.size());
    ShardView view;
    ShardDamage damage{};
    ASSERT_TRUE(open_shard(mapped, pages.count(), kIncarnation, kGeneration, view, damage));
    ASSERT_GT(view.lanes[0].chunks, 0u);
    const auto lanes = lanes_of(view);
    NearestOptions options;
    options.radius = 0.03;
    NearestSearch nearest, plain;
    WithinSearch within;

    struct sigaction action {
    }, before{};
    action.sa_handler = leave;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGSEGV, &action, &before);
    mprotect(mapped, pages.size(), PROT_NONE);
    const bool read = sigsetjmp(touched, 0) != 0;
    if (!read) {
        begin(nearest, codes.code(3), lanes, options);
        begin(plain, codes.code(3), lanes, {});
        within.reset(codes.code(3), Metric::nphd, options.radius);
        within.add_lane(*lanes[0].view, {});
    }
    mprotect(mapped, pages.size(), PROT_READ);
    sigaction(SIGSEGV, &before, nullptr);
    ASSERT_FALSE(read);
    EXPECT_EQ(take(nearest, ~std::size_t{0}).size(),
              all_within(codes.code(3), lanes, Metric::nphd, options.radius).size());
    EXPECT_EQ(nearest.account(0).way, LaneAccount::look_up);
    munmap(mapped, pages.size());
}

/// Lanes with a graph, tables or a directory or neither, and data for which graphs are hard.
class Certified : public testing::TestWithParam<bool> {};

TEST_P(Certified, AStoredCodeComesFirst) {
    const std::uint64_t seed = 441 + GetParam();
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    for (const Metric metric : {Metric::nphd, Metric::hamming, Metric::jaccard}) {
        for (const Skew skew : {Skew::none, Skew::constant_chunk, Skew::nearly_equal}) {
            ShardOptions options = options_of(metric, true);
            if (!GetParam()) options.radius_threshold = 1u << 30;
            const CodeSet codes = codes_of(4000, 16, skew, random);
            const auto shard = make_shard(rows_of(codes), options);
            const LaneView& lane = shard->view.lanes[0];
            ASSERT_TRUE(lane.has_graph());
            ASSERT_TRUE(lane.has_directory());
            ASSERT_EQ(lane.chunks > 0, GetParam() && metric != Metric::jaccard);
            const auto lanes = lanes_of(shard->view);
            NearestSearch search;
            NearestOptions least;
            least.metric = metric;
            least.ef_search = 1;
            least.slack = 0;
            least.visit_cap = 1;
            for (std::uint32_t i = 0; i < codes.size(); i += 7) {
                begin(search, codes.code(i), lanes, least);
                const auto hits = take(search, 1);
                ASSERT_EQ(hits.size(), 1u);
                ASSERT_EQ(hits[0].key, 0u);
                // Two codes without a bit are at 0 too, and under Jaccard only the same code is.
                ASSERT_EQ(bytes_of(lane.code(hits[0].node)), bytes_of(codes.code(i)));
            }
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Search, Certified, testing::Bool());

TEST(CertifiedTopK, NothingNearerThanWhatTheTablesCoverIsMissed) {
    const std::uint64_t seed = 451;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    std::size_t certain = 0;
    for (const Metric metric : {Metric::nphd, Metric::hamming}) {
        for (const Skew skew : {Skew::none, Skew::constant_chunk, Skew::nearly_equal}) {
            const CodeSet codes = codes_of(6000, 32, skew, random);
            const auto shard = make_shard(rows_of(codes), options_of(metric, true));
            const auto dead = random_tombstones(shard->view, 0.3, random);
            const auto lanes = lanes_of(shard->view, dead);
            NearestSearch search;
            NearestOptions least;
            least.metric = metric;
            least.ef_search = 1;
            least.slack = 0;
            least.visit_cap = 1;
            for (int round = 0; round < 60; ++round) {
                auto query = bytes_of(codes.code(random.below(codes.size())));
                flip(query, random.below(12), random);
                if (metric == Metric::nphd && round % 4 == 0) query.resize(16);
                const auto exact = exact_keys(query, lanes, metric);
                begin(search, query, lanes, least);
                // Before the graph is entered, all that was handed out is the truth.
                NearestHit hit{};
                for (std::size_t n = 0; n < exact.size();) {
                    const auto step = search.step(hit);
                    ASSERT_NE(step, NearestSearch::Step::end);
                    if (search.account(0).expanded > 0) break;
                    if (step == NearestSearch::Step::hit) {
                        ASSERT_EQ(hit.key, exact[n++]);
                        ++certain;
                    }
                }
            }
        }
    }
    EXPECT_GT(certain, 500u);
}

/// Random bytes in the pages of one kind of look-up structure.
void spoil(Pages& pages, const RecordArray& array, TestRandom& random) {
    if (array.count == 0) return;
    for (std::uint32_t i = 0; i < 1 + random.below(200); ++i) {
        const std::uint32_t record = random.below(array.count);
        auto* const at = const_cast<std::byte*>(array.at(record));
        const auto value = static_cast<std::uint32_t>(random.next());
        std::memcpy(at, &value, std::min<std::size_t>(array.record_bytes, random.below(4) == 0 ? 1 : 4));
    }
    (void)pages;
}

TEST(WithinDamage, FindsNothingThatIsNotWithin) {
    const std::uint64_t seed = 461;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    Rows rows;
    for (const std::uint32_t bytes : {8u, 16u, 32u}) append(rows, codes_of(1500, bytes, Skew::none, random));
    MemoryBudget budget;
    const Pages sound = build_pages(rows, options_of(Metric::nphd, true), 2, budget);
    WithinSearch within;
    NearestSearch nearest;
    for (int round = 0; round < 150; ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        TestShard shard(sound);
        for (const LaneView& lane : shard.view.lanes) {
            if (random.below(2)) spoil(shard.pages, lane.chunk_starts, random);
            if (random.below(2)) spoil(shard.pages, lane.chunk_nodes, random);
            if (random.below(2)) spoil(shard.pages, lane.directory_starts, random);
            if (random.below(2)) spoil(shard.pages, lane.directory_nodes, random);
            if (random.below(2)) spoil(shard.pages, lane.bloom, random);
        }
        const auto lanes = lanes_of(shard.view);
        for (int q = 0; q < 6; ++q) {
            const auto query = rows[random.below(static_cast<std::uint32_t>(rows.size()))].code;
            const double radius = 0.12 * random.unit();
            const Found truth = all_within(query, lanes, Metric::nphd, radius);
            for (const Found& found : {search_within(within, query, lanes, Metric::nphd, radius),
                                       search_in_order(nearest, query, lanes, Metric::nphd, radius)})
                for (const auto& hit : found) {
                    ASSERT_TRUE(truth.contains(hit));
                    ASSERT_EQ(found.count(hit), 1u);
                }
            for (const LaneView& lane : shard.view.lanes) {
                const NodeId node =
                    find_code(lane, {query.data(), std::min<std::size_t>(query.size(), lane.code_bytes)});
                if (node == kNoNode || query.size() != lane.code_bytes) continue;
                ASSERT_LT(node, lane.nodes);
                ASSERT_EQ(bytes_of(lane.code(node)), query);
            }
            begin(nearest, query, lanes, {});
            for (const NearestHit& hit : take(nearest, 50))
                ASSERT_EQ(nearest.distance(hit), distance(Metric::nphd, query, lanes[hit.lane].view->code(hit.node)));
        }
    }
}

}  // namespace
}  // namespace nphd::test
