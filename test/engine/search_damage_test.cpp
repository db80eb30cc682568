// Pages are untrusted: whatever they hold, opening and searching ends, stays inside the pages and leaves a usable
// object.
#include <malloc.h>
#include <sys/mman.h>

#include <atomic>
#include <csetjmp>
#include <csignal>
#include <stdexcept>

#include "engine/search/code_lookup.hpp"
#include "engine/shard/code_chunks.hpp"
#include "test/engine/search_fixture.hpp"

namespace nphd::test {
namespace {

Rows damaged_rows(TestRandom& random, Metric metric) {
    Rows rows;
    append(rows, near_duplicate_data(3000, 0, 32, random.next()).codes);
    if (metric == Metric::nphd) append(rows, near_duplicate_data(1500, 0, 8, random.next()).codes);
    append(rows, uniform_data(200, 0, 3, random.next()).codes);
    for (std::uint32_t i = 0; i < 500; ++i)
        rows.push_back({rows[random.below(3000)].code, row_id(static_cast<std::uint32_t>(rows.size()))});
    return rows;
}

/// What is found must be what was asked for; every record of a look-up table lies inside the pages.
void look_up_all(const ShardView& view, const std::vector<std::vector<std::uint8_t>>& queries) {
    for (const LaneView& lane : view.lanes) {
        for (const auto& query : queries) {
            std::vector<std::uint8_t> code = query;
            code.resize(lane.code_bytes);
            const NodeId node = find_code(lane, code);
            if (node == kNoNode) continue;
            ASSERT_LT(node, lane.nodes);
            EXPECT_TRUE(std::equal(code.begin(), code.end(), lane.code(node).begin()));
        }
        std::uint64_t sum = 0;
        for (const RecordArray* ids : {&lane.directory_nodes, &lane.chunk_nodes})
            for (std::uint32_t i = 0; i < ids->count; i += 1 + ids->count / 1000) sum += ids->number(i);
        for (const RecordArray* ids : {&lane.directory_nodes, &lane.chunk_nodes})
            if (ids->count > 0) sum += ids->number(ids->count - 1);
        if (lane.chunks > 0) {
            ASSERT_EQ(lane.chunk_starts.count, lane.chunks * ((1u << lane.chunk_bits) + 1));
            ASSERT_EQ(lane.chunk_nodes.count, lane.chunks * lane.nodes);
            sum += lane.chunk_starts.number(lane.chunk_starts.count - 1);
            sum += code_chunk(lane.codes.at(lane.nodes - 1), lane.chunks - 1, lane.chunk_bits);
        }
        volatile std::uint64_t kept = sum;
        static_cast<void>(kept);
    }
}

/// Searches what opens; every call must end, and so must the stream. Returns whether it opened.
bool search_all(const Pages& pages, const std::vector<std::vector<std::uint8_t>>& queries,
                std::span<const std::uint8_t> dead, NearestSearch& search) {
    ShardView view;
    ShardDamage damage{};
    if (!open_shard(pages.data(), pages.count(), kIncarnation, kGeneration, view, damage)) {
        EXPECT_NE(damage.what, nullptr);
        EXPECT_LT(damage.page, pages.count());
        return false;
    }
    look_up_all(view, queries);
    for (const auto& query : queries) {
        for (const bool exact : {false, true}) {
            NearestOptions options;
            options.metric = view.metric;
            options.exact = exact;
            const auto lanes =
                view.metric == Metric::nphd ? lanes_of(view, dead) : lanes_of_length(view, query.size(), dead);
            std::uint64_t nodes = 0;
            for (const auto& lane : lanes) nodes += lane.view->nodes;
            begin(search, query, lanes, options);
            std::uint64_t hits = 0, steps = 0;
            NearestHit hit{};
            for (auto step = search.step(hit); step != NearestSearch::Step::end; step = search.step(hit)) {
                if (++steps > 3 * nodes + 1000) throw std::runtime_error("no end");
                if (step == NearestSearch::Step::more) continue;
                EXPECT_LT(hit.lane, lanes.size());
                EXPECT_LT(hit.node, lanes[hit.lane].view->nodes);
                const double d = search.distance(hit);
                EXPECT_GE(d, 0);
                LaneView::PostingRange range{};
                EXPECT_TRUE(lanes[hit.lane].view->posting_range(hit.node, range));
                for (std::uint32_t p = range.begin; p < range.end && p < range.begin + 5; ++p)
                    lanes[hit.lane].view->row_id(p);
                ++hits;
            }
            EXPECT_LE(hits, nodes);
        }
    }
    return true;
}

void damage_randomly(Pages& pages, TestRandom& random) {
    const std::uint32_t changes = 1 + random.below(20);
    for (std::uint32_t i = 0; i < changes; ++i) {
        std::uint8_t* const page = pages.page(random.below(pages.count()));
        switch (random.below(6)) {
            case 0:
                page[random.below(kPageBytes)] ^= static_cast<std::uint8_t>(1u << random.below(8));
                break;
            case 1:
                std::memset(page + kPageDataOffset, 0, kPageDataBytes);
                break;
            case 2:
                std::memset(page + kPageDataOffset, 0xFF, kPageDataBytes);
                break;
            case 3: {  // contents of another page behind the right stamp
                const std::uint8_t* const other = pages.page(random.below(pages.count()));
                std::memmove(page + kPageDataOffset, other + kPageDataOffset, kPageDataBytes);
                break;
            }
            case 4:
                std::memset(page, 0, kPageBytes);
                break;
            default:
                for (std::size_t at = kPageDataOffset; at + 4 <= kPageBytes; at += 4) {
                    const auto value = static_cast<std::uint32_t>(random.next());
                    if (random.below(4) == 0) std::memcpy(page + at, &value, 4);
                }
        }
    }
}

/// Changes a field of the header or of a table to a value that is likely to hurt.
void damage_tables(Pages& pages, TestRandom& random) {
    const std::uint32_t values[] = {
        0,          1,          2,          63,         512,
        513,        8000,       8001,       8128,       8129,
        0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, static_cast<std::uint32_t>(random.next())};
    for (std::uint32_t i = 0; i <= random.below(3); ++i) {
        const std::uint32_t page = random.below(3);
        const std::size_t used = page == 0   ? sizeof(ShardHeader)
                                 : page == 1 ? 3 * sizeof(LaneRecord)
                                             : 33 * sizeof(SectionRecord);
        std::uint8_t* const at =
            pages.page(page) + kPageDataOffset + random.below(static_cast<std::uint32_t>(used / 4)) * 4;
        std::uint32_t value;
        std::memcpy(&value, at, 4);
        switch (random.below(4)) {
            case 0:
                value = values[random.below(std::size(values))];
                break;
            case 1:
                value += random.below(3) - 1;
                break;
            case 2:
                value ^= 1u << random.below(32);
                break;
            default:
                value *= 1 + random.below(4);
        }
        std::memcpy(at, &value, 4);
    }
}

/// NPHD_DAMAGE_ROUNDS=100000 makes a soak test of it.
int rounds() {
    const char* const text = std::getenv("NPHD_DAMAGE_ROUNDS");
    return text ? std::atoi(text) : 250;
}

class Damage : public testing::TestWithParam<Metric> {};

TEST_P(Damage, IsSurvived) {
    const std::uint64_t seed = 301 + static_cast<std::uint64_t>(GetParam());
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const Rows rows = damaged_rows(random, GetParam());
    ShardOptions options;
    options.metric = GetParam();
    options.graph_threshold = 300;
    options.directory_threshold = options.radius_threshold = 150;
    MemoryBudget budget;
    const Pages sound = build_pages(rows, options, 2, budget);
    NearestSearch search;
    int opened = 0;
    for (int round = 0; round < rounds(); ++round) {
        SCOPED_TRACE("round " + std::to_string(round));
        Pages pages = sound;
        if (round % 3 == 0)
            damage_tables(pages, random);
        else
            damage_randomly(pages, random);
        std::vector<std::vector<std::uint8_t>> queries;
        queries.push_back(rows[random.below(static_cast<std::uint32_t>(rows.size()))].code);
        queries.push_back(rows[0].code);
        std::vector<std::uint8_t> dead(random.below(2) * (rows.size() / 8 + random.below(20)));
        for (auto& b : dead) b = static_cast<std::uint8_t>(random.next() | random.next());
        opened += search_all(pages, queries, dead, search);
    }
    EXPECT_GT(opened, rounds() / 8) << "too few get past the checks of open_shard to say much about the search";
    RecordProperty("opened", opened);
}

INSTANTIATE_TEST_SUITE_P(Search, Damage, testing::Values(Metric::nphd, Metric::hamming, Metric::jaccard));

TEST(SearchDamage, NodesWithMalformedPostingsAreLeftOut) {
    TestRandom random(311);
    const auto data = near_duplicate_data(4000, 5, 32, 311);
    for (const std::uint32_t threshold : {100u, 1u << 30}) {
        ShardOptions options;
        options.graph_threshold = threshold;
        auto shard = make_shard(rows_of(data.codes), options);
        LaneView& lane = shard->view.lanes[0];
        std::size_t spoiled = 0;
        for (NodeId node = 10; node < lane.nodes; node += 100) {
            const std::uint32_t bad = 0xFFFF00;
            std::memcpy(const_cast<std::byte*>(lane.posting_offsets.at(node)), &bad, 3);
            spoiled += 2;  // the end of one list is the start of the next
        }
        NearestSearch search;
        auto lanes = lanes_of(shard->view);
        for (const bool known : {false, true}) {
            if (known) find_dead_nodes(lanes);
            begin(search, data.queries.code(0), lanes, {});
            EXPECT_EQ(take(search, ~std::size_t{0}).size(), lane.nodes - spoiled);
        }
    }
}

// A page that cannot be read ends a step by siglongjmp, as the guard of the database side does it.
sigjmp_buf unreadable;
void leave(int) { siglongjmp(unreadable, 1); }

TEST(SearchDamage, SurvivesBeingLeftByAJumpOutOfAStep) {
    const std::uint64_t seed = 312;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const auto data = clustered_data(20000, 40, 32, seed);
    ShardOptions options;
    options.graph_threshold = 100;
    MemoryBudget budget;
    const Pages pages = build_pages(rows_of(data.codes), options, 2, budget);
    auto* const mapped = static_cast<std::uint8_t*>(
        mmap(nullptr, pages.size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(mapped, MAP_FAILED);
    std::memcpy(mapped, pages.data(), pages.size());
    ShardView view;
    ShardDamage damage{};
    ASSERT_TRUE(open_shard(mapped, pages.count(), kIncarnation, kGeneration, view, damage));
    const auto lanes = lanes_of(view);

    struct sigaction action {
    }, before{};
    action.sa_handler = leave;
    action.sa_flags = SA_NODEFER;
    sigaction(SIGSEGV, &action, &before);
    NearestSearch search;
    std::atomic<int> left{0};  // atomics keep their values over the jump
    for (std::atomic<std::uint32_t> i{0}; i < 300; ++i) {
        const auto query = data.queries.code(i % data.queries.size());
        NearestOptions search_options;
        search_options.exact = i % 5 == 0;
        std::uint8_t* const hole = mapped + (1 + random.below(pages.count() - 9)) * kPageBytes;
        mprotect(hole, 8 * kPageBytes, PROT_NONE);
        if (sigsetjmp(unreadable, 0) == 0) {
            begin(search, query, lanes, search_options);
            // Nothing on these frames owns anything: the jump runs no destructor.
            NearestHit hit{};
            for (std::uint32_t n = 1 + random.below(3000); n > 0; --n) search.step(hit);
        } else {
            ++left;
        }
        mprotect(hole, 8 * kPageBytes, PROT_READ);
        if (i % 10 != 0) continue;
        begin(search, query, lanes, {});
        expect_complete(search, take(search, ~std::size_t{0}), query, lanes, Metric::nphd);
    }
    sigaction(SIGSEGV, &before, nullptr);
    EXPECT_GT(left, 20);
    munmap(mapped, pages.size());
}

TEST(SearchSteps, AreBounded) {
    const auto data = uniform_data(1200000, 1, 8, 321);
    ShardOptions options;
    options.graph_threshold = 1u << 30;
    const auto shard = make_shard(rows_of(data.codes), options);
    const auto lanes = lanes_of(shard->view);
    const auto exact = exact_keys(data.queries.code(0), lanes, Metric::nphd);
    NearestSearch search;
    begin(search, data.queries.code(0), lanes, {});
    std::size_t hits = 0, pauses = 0;
    std::uint64_t before = 0;
    NearestHit hit{};
    while (hits < 1000) {
        const auto step = search.step(hit);
        ASSERT_NE(step, NearestSearch::Step::end);
        ASSERT_LE(search.distances() - before, 502000u);
        before = search.distances();
        if (step == NearestSearch::Step::hit) {
            ASSERT_EQ(hit.key, exact[hits++]);
        }
        pauses += step == NearestSearch::Step::more;
    }
    EXPECT_GE(pauses, 4u) << "two passes of three slices each";
}

TEST(SearchSteps, AllocateNothingOnceWarm) {
    const auto data = clustered_data(20000, 50, 32, 322);
    ShardOptions options;
    options.graph_threshold = 100;
    const auto shard = make_shard(rows_of(data.codes), options);
    const auto lanes = lanes_of(shard->view);
    NearestSearch search;
    const auto round = [&] {
        for (std::uint32_t i = 0; i < data.queries.size(); ++i) {
            NearestOptions o;
            search.reset(data.queries.code(i), o);
            for (const auto& lane : lanes) search.add_lane(*lane.view, lane.dead);
            NearestHit hit{};
            for (int hits = 0; hits < 50;) hits += search.step(hit) == NearestSearch::Step::hit;
        }
    };
    round();
    const auto before = mallinfo2();
    for (int i = 0; i < 5; ++i) round();
    const auto after = mallinfo2();
    EXPECT_EQ(after.uordblks, before.uordblks);
    EXPECT_EQ(after.hblkhd, before.hblkhd);
}

}  // namespace
}  // namespace nphd::test
