// All pairs within a radius are those that comparing every two codes one by one gives, whichever way a lane is read;
// and rows that are united are in the sets that following the pairs gives.
#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "engine/search/pairs.hpp"
#include "engine/search/row_sets.hpp"
#include "engine/shard/plain_lanes.hpp"
#include "test/engine/search_fixture.hpp"

namespace nphd::test {
namespace {

bool before(const NodePair& a, const NodePair& b) {
    return std::tie(a.lane_a, a.lane_b, a.node_a, a.node_b) < std::tie(b.lane_a, b.lane_b, b.node_a, b.node_b);
}

std::vector<NodePair> sorted(std::vector<NodePair> pairs) {
    // Within a lane either may come first.
    for (NodePair& p : pairs)
        if (p.lane_a == p.lane_b && p.node_a > p.node_b) std::swap(p.node_a, p.node_b);
    std::sort(pairs.begin(), pairs.end(), before);
    return pairs;
}

std::vector<NodePair> all(PairSearch& search) {
    std::vector<NodePair> out, some;
    for (bool more = true; more;) {
        more = search.step(some);
        EXPECT_LT(some.size(), 4096u);
        out.insert(out.end(), some.begin(), some.end());
    }
    return sorted(out);
}

std::vector<NodePair> found(const std::vector<SearchedLane>& lanes, Metric metric, double radius) {
    PairSearch search;
    search.reset(metric, radius);
    for (std::uint32_t i = 0; i < lanes.size(); ++i) EXPECT_EQ(search.add_lane(*lanes[i].view, lanes[i].dead), i);
    return all(search);
}

std::vector<NodePair> expected(const std::vector<SearchedLane>& lanes, Metric metric, double radius) {
    std::vector<NodePair> out;
    for (std::uint32_t i = 0; i < lanes.size(); ++i) {
        for (std::uint32_t j = 0; j <= i; ++j) {
            const LaneView &a = *lanes[i].view, &b = *lanes[j].view;
            if (metric != Metric::nphd && a.code_bytes != b.code_bytes) continue;
            for (NodeId m = 0; m < a.nodes; ++m) {
                if (!is_live(lanes[i], m)) continue;
                for (NodeId n = i == j ? m : 0; n < b.nodes; ++n) {
                    LaneView::PostingRange range{};
                    if (i == j && m == n && (!a.posting_range(m, range) || range.end - range.begin < 2)) continue;
                    const double d = distance(metric, a.code(m), b.code(n));
                    if (d <= radius && is_live(lanes[j], n)) out.push_back({i, m, j, n, d});
                }
            }
        }
    }
    return sorted(out);
}

void expect_pairs(const std::vector<SearchedLane>& lanes, Metric metric, double radius) {
    SCOPED_TRACE(testing::Message() << "metric " << static_cast<int>(metric) << " radius " << radius);
    const auto want = expected(lanes, metric, radius), have = found(lanes, metric, radius);
    EXPECT_EQ(have.size(), want.size());
    EXPECT_TRUE(have == want);
}

/// `families` random codes with some neighbours each, and some of them twice.
Rows families(std::uint32_t code_bytes, std::uint32_t families, std::uint32_t members, TestRandom& random) {
    CodeSet codes(code_bytes);
    for (std::uint32_t f = 0; f < families; ++f) {
        const std::uint32_t base = codes.add();
        codes.set_random(base, random);
        for (std::uint32_t m = 1; m < members; ++m) {
            const std::vector<std::uint8_t> code(codes.code(base).begin(), codes.code(base).end());
            const std::uint32_t member = codes.add(code);
            if (m % 3 != 0) codes.add_noise(member, 0.04, random);
        }
    }
    return rows_of(codes);
}

ShardOptions options_of(Metric metric, bool tables) {
    ShardOptions options;
    options.metric = metric;
    options.radius_threshold = tables ? 1 : 0xFFFFFFFFu;
    return options;
}

TEST(PairSearch, FindsEveryPairOfALaneOnce) {
    for (const Metric metric : {Metric::nphd, Metric::hamming, Metric::jaccard}) {
        for (const bool tables : {false, true}) {
            const std::uint64_t seed = 901;
            SCOPED_TRACE(testing::Message() << "seed " << seed << (tables ? " with tables" : " without"));
            TestRandom random(seed);
            const auto shard = make_shard(families(32, 220, 6, random), options_of(metric, tables));
            const auto dead = random_tombstones(shard->view, 0.2, random);
            const double one = metric == Metric::hamming ? 256 : 1;
            for (const double share : {0.0, 1.0 / 256, 0.08, 0.45}) {
                expect_pairs(lanes_of(shard->view), metric, share * one);
                expect_pairs(lanes_of(shard->view, dead), metric, share * one);
            }
        }
    }
}

TEST(PairSearch, FindsEveryPairAcrossLengthsAndShards) {
    for (const Metric metric : {Metric::nphd, Metric::hamming, Metric::jaccard}) {
        for (const bool tables : {false, true}) {
            const std::uint64_t seed = 902;
            SCOPED_TRACE(testing::Message() << "seed " << seed << (tables ? " with tables" : " without"));
            TestRandom random(seed);
            std::vector<std::unique_ptr<TestShard>> shards;
            std::vector<SearchedLane> lanes;
            const Rows shared = families(16, 60, 4, random);
            for (const std::uint32_t scale : {1u, 12u, 4u}) {
                Rows rows = shared;
                for (const std::uint32_t bytes : {0u, 1u, 2u, 7u, 8u, 16u, 32u})
                    append(rows, [&] {
                        std::vector<std::vector<std::uint8_t>> codes;
                        for (Row& r : families(bytes, 5 * scale, 4, random)) codes.push_back(r.code);
                        return codes;
                    }());
                shards.push_back(make_shard(rows, options_of(metric, tables)));
                for (const auto& lane : lanes_of(shards.back()->view)) lanes.push_back(lane);
            }
            for (const double radius : {0.0, 0.1, 1.0, 20.0})
                if (radius <= 1 || metric == Metric::hamming) expect_pairs(lanes, metric, radius);
        }
    }
}

TEST(PairSearch, PartsOfTheLanesMakeUpTheWhole) {
    const std::uint64_t seed = 903;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    Rows rows = families(8, 50, 4, random);
    append(rows, CodeSet(2));
    for (const Row& r : families(2, 30, 3, random)) rows.push_back(r);
    for (const Row& r : families(32, 30, 3, random)) rows.push_back(r);
    const auto shard = make_shard(rows);
    const auto lanes = lanes_of(shard->view);
    ASSERT_EQ(lanes.size(), 3u);
    std::vector<NodePair> together;
    PairSearch search;
    for (const auto& [begin, end] : {std::pair{0u, 1u}, std::pair{1u, 3u}, std::pair{3u, 3u}}) {
        search.reset(Metric::nphd, 0.2);
        for (const auto& lane : lanes) search.add_lane(*lane.view, lane.dead);
        search.restrict_to(begin, end);
        const auto part = all(search);
        for (const NodePair& p : part) {
            EXPECT_GE(p.lane_a, begin);
            EXPECT_LT(p.lane_a, end);
        }
        together.insert(together.end(), part.begin(), part.end());
    }
    EXPECT_TRUE(sorted(together) == expected(lanes, Metric::nphd, 0.2));
}

TEST(PairSearch, NothingOfNothing) {
    PairSearch search;
    std::vector<NodePair> pairs{{}};
    search.reset(Metric::nphd, 1);
    EXPECT_FALSE(search.step(pairs));
    EXPECT_TRUE(pairs.empty());
    EXPECT_FALSE(search.step(pairs));
}

TEST(PlainLanes, HoldEveryRowUnderItsCode) {
    const std::uint64_t seed = 904;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    PlainLanes plain;
    std::multimap<std::vector<std::uint8_t>, RowId> want, have;
    for (std::uint32_t i = 0; i < 3000; ++i) {
        std::vector<std::uint8_t> code(random.below(4) * 5);
        for (auto& byte : code) byte = static_cast<std::uint8_t>(random.below(4));
        plain.add(code, row_id(i));
        want.emplace(code, row_id(i));
    }
    plain.seal();
    std::uint64_t base = 0;
    std::uint32_t last_length = 0;
    for (const LaneView& lane : plain.lanes()) {
        EXPECT_TRUE(&lane == plain.lanes().data() || lane.code_bytes > last_length);
        last_length = lane.code_bytes;
        EXPECT_EQ(lane.posting_base, base);
        base += lane.postings;
        std::set<std::vector<std::uint8_t>> codes;
        for (NodeId node = 0; node < lane.nodes; ++node) {
            const std::vector<std::uint8_t> code(lane.code(node).begin(), lane.code(node).end());
            EXPECT_TRUE(codes.insert(code).second) << "two nodes of one code";
            LaneView::PostingRange range{};
            ASSERT_TRUE(lane.posting_range(node, range));
            for (std::uint32_t p = range.begin; p < range.end; ++p) have.emplace(code, lane.row_id(p));
        }
    }
    EXPECT_EQ(plain.lanes().size(), 4u);
    EXPECT_TRUE(have == want);
    EXPECT_GE(plain.bytes(), 3000 * (8 + sizeof(PackedRowId)));
}

TEST(RowSets, AreTheComponentsOfThePairs) {
    const std::uint64_t seed = 905;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    RowSets sets;
    for (const std::uint32_t pairs : {0u, 1u, 300u, 5000u}) {
        sets.clear();
        std::map<std::uint64_t, std::uint64_t> label;  // by brute force: the smallest row
        std::map<std::uint64_t, std::set<std::uint64_t>> members;
        for (std::uint32_t i = 0; i < pairs; ++i) {
            const std::uint64_t row[2] = {std::uint64_t{1 + random.below(4000)} << 20, 1 + random.below(4000)};
            sets.unite(row[0], row[1]);
            for (const auto r : row)
                if (label.emplace(r, r).second) members[r] = {r};
            const std::uint64_t keep = std::min(label[row[0]], label[row[1]]),
                                drop = std::max(label[row[0]], label[row[1]]);
            if (keep == drop) continue;
            for (const auto r : members[drop]) label[r] = keep;
            members[keep].merge(members[drop]);
            members.erase(drop);
        }
        ASSERT_EQ(sets.rows(), label.size());
        std::set<std::uint64_t> seen;
        for (std::uint32_t i = 0; i < sets.rows(); ++i) {
            const auto member = sets.member(i);
            EXPECT_TRUE(seen.insert(member.row).second);
            ASSERT_TRUE(label.count(member.row));
            EXPECT_EQ(member.smallest, label[member.row]);
            EXPECT_EQ(member.size, members[label[member.row]].size());
        }
    }
}

}  // namespace
}  // namespace nphd::test
