// find_code() finds every code that a lane has, and no other.
#include "engine/search/code_lookup.hpp"

#include <map>

#include "test/engine/shard_fixture.hpp"

namespace nphd::test {
namespace {

using CodeKey = std::vector<std::uint8_t>;

/// Every code of the lane is found at its node; each with one bit changed is not, unless it is a code of the lane too.
void expect_found(const LaneView& lane) {
    std::map<CodeKey, NodeId> nodes;
    for (NodeId n = 0; n < lane.nodes; ++n) nodes[CodeKey(lane.code(n).begin(), lane.code(n).end())] = n;
    TestRandom random(lane.nodes);
    for (const auto& [code, node] : nodes) {
        ASSERT_EQ(find_code(lane, code), node);
        if (code.empty()) continue;
        CodeKey other = code;
        const std::uint32_t bit = random.below(static_cast<std::uint32_t>(8 * other.size()));
        other[bit / 8] = static_cast<std::uint8_t>(other[bit / 8] ^ 1u << bit % 8);
        const auto it = nodes.find(other);
        ASSERT_EQ(find_code(lane, other), it == nodes.end() ? kNoNode : it->second);
    }
}

class CodeLookup : public ::testing::TestWithParam<bool> {
protected:
    /// With the parameter set every lane has a directory, else none.
    static ShardOptions options(Metric metric = Metric::nphd) {
        ShardOptions o;
        o.metric = metric;
        o.directory_threshold = GetParam() ? 1 : 0xFFFFFFFF;
        return o;
    }
};

TEST_P(CodeLookup, FindsWhatIsThereWhateverTheLength) {
    for (std::uint32_t bytes = 0; bytes <= 40; ++bytes)
        for (const std::uint32_t n : {1u, 2u, 3u, 100u, 1500u}) {
            SCOPED_TRACE(testing::Message() << n << " codes of " << bytes << " bytes");
            const auto shard = make_shard(rows_of(uniform_data(n, 0, bytes, 500 + bytes).codes), options());
            const LaneView& lane = shard->view.lanes.at(0);
            EXPECT_EQ(lane.has_directory(), GetParam());
            expect_found(lane);
        }
}

TEST_P(CodeLookup, FindsLongCodesAndThoseOfEveryMetric) {
    for (const Metric metric : {Metric::nphd, Metric::hamming, Metric::jaccard})
        for (const std::uint32_t bytes : {8000u, 1001u, 64u}) {
            ShardOptions o = options(metric);
            o.graph_threshold = 500;
            const auto shard = make_shard(rows_of(sparse_data(600, 0, bytes, 510).codes), o);
            expect_found(shard->view.lanes.at(0));
        }
}

TEST_P(CodeLookup, TellsCodesApartThatDifferInTheirLastBitsOnly) {
    Rows rows;
    for (std::uint32_t i = 0; i < 3000; ++i) {
        CodeKey code(21, 0x5A);
        code[19] = static_cast<std::uint8_t>(i >> 8);
        code[20] = static_cast<std::uint8_t>(i);
        rows.push_back({code, row_id(i)});
    }
    const auto shard = make_shard(rows, options());
    expect_found(shard->view.lanes.at(0));
}

// Zero bytes count: a code is not the one that is longer by some of them.
TEST_P(CodeLookup, KeepsToTheLane) {
    Rows rows;
    for (std::uint32_t bytes = 0; bytes <= 20; ++bytes) rows.push_back({CodeKey(bytes), row_id(bytes)});
    const auto shard = make_shard(rows, options());
    ASSERT_EQ(shard->view.lanes.size(), 21u);
    for (std::uint32_t bytes = 0; bytes <= 20; ++bytes) {
        const LaneView& lane = shard->view.lanes[bytes];
        ASSERT_EQ(lane.code_bytes, bytes);
        EXPECT_EQ(find_code(lane, CodeKey(bytes)), 0u);
        if (bytes > 0) {
            EXPECT_EQ(find_code(lane, CodeKey(bytes, 1)), kNoNode);
        }
    }
}

INSTANTIATE_TEST_SUITE_P(Lanes, CodeLookup, testing::Bool(),
                         [](const auto& test) { return test.param ? "WithDirectory" : "Scanned"; });

// Hashes are no secret, so a user can make codes with one hash; they are all found.
TEST(CodeLookupOfEqualHashes, FindsEachOfThem) {
    // add() of two words w0, w1 from state s: the state after w0 is known, so w1 can undo any difference.
    constexpr std::uint64_t factor = 0xD6E8FEB86659FD93ull;
    Rows rows;
    for (std::uint32_t i = 0; i < 2000; ++i) {
        const std::uint64_t w0 = i * 0x9E3779B97F4A7C15ull;
        std::uint64_t h = (0x9E3779B97F4A7C15ull ^ w0) * factor;
        h ^= h >> 32;
        const std::uint64_t w1 = h ^ 12345;  // the state before the second multiplication is 12345
        CodeKey code(16);
        std::memcpy(code.data(), &w0, 8);
        std::memcpy(code.data() + 8, &w1, 8);
        rows.push_back({code, row_id(i)});
    }
    const auto shard = make_shard(rows);
    const LaneView& lane = shard->view.lanes.at(0);
    ASSERT_TRUE(lane.has_directory());
    std::uint32_t longest = 0;
    for (std::uint32_t b = 0; b + 1 < lane.directory_starts.count; ++b)
        longest = std::max(longest, lane.directory_starts.number(b + 1) - lane.directory_starts.number(b));
    ASSERT_EQ(longest, lane.nodes) << "the codes have different hashes";
    expect_found(lane);
}

}  // namespace
}  // namespace nphd::test
