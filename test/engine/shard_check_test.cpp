// ShardCheck finds nothing in what the builder writes, and names what was damaged.
#include <random>

#include "engine/shard/packed_numbers.hpp"
#include "test/engine/check_fixture.hpp"

namespace nphd::test {
namespace {

Rows mixed_rows(std::uint64_t seed, std::uint32_t n) {
    TestRandom random(seed);
    Rows rows;
    append(rows, near_duplicate_data(n, 0, 32, random.next()).codes);
    append(rows, uniform_data(n / 2, 0, 8, random.next()).codes);
    append(rows, uniform_data(n / 20 + 1, 0, 3, random.next()).codes);
    append(rows, uniform_data(20, 0, 500, random.next()).codes);
    rows.push_back({{}, row_id(static_cast<std::uint32_t>(rows.size()))});
    for (std::uint32_t i = 0; i < n / 3; ++i)
        rows.push_back({rows[random.below(n)].code, row_id(static_cast<std::uint32_t>(rows.size()))});
    return rows;
}

ShardOptions with_graphs(Metric metric = Metric::nphd) {
    ShardOptions options;
    options.metric = metric;
    options.graph_threshold = 200;
    options.radius_threshold = 1000;
    return options;
}

TEST(ShardCheck, FindsNothingInSoundShards) {
    for (const Metric metric : {Metric::nphd, Metric::hamming, Metric::jaccard})
        for (const std::uint32_t prefix : {0u, 8u, 16u})
            for (const std::uint32_t n : {1u, 30u, 900u, 6000u}) {
                ShardOptions options = with_graphs(metric);
                options.prefix_bytes = prefix;
                options.m = n == 900 ? 3 : 16;
                const auto shard = make_shard(mixed_rows(100 + n, n), options);
                EXPECT_EQ(listed(check(shard->view, shard->pages)), "") << n << " codes, prefix " << prefix;
            }
}

TEST(ShardCheck, FindsNothingInSoundShardsOfManySlices) {
    Rows rows;
    append(rows, near_duplicate_data(60000, 0, 32, 5).codes);
    const std::vector<std::uint8_t> one(16, 0xA5);
    for (std::uint32_t i = 0; i < 300000; ++i) rows.push_back({one, row_id(100000 + i)});
    const auto shard = make_shard(rows, with_graphs());
    EXPECT_EQ(listed(check(shard->view, shard->pages)), "");
    // Several rounds over the codes, and every second posting dead.
    const std::vector<std::uint8_t> dead(shard->view.postings / 8 + 1, 0x55);
    EXPECT_EQ(listed(check(shard->view, shard->pages, dead, 1)), "");
}

TEST(ShardCheck, AnEmptyShardIsSound) {
    const auto shard = make_shard({});
    EXPECT_EQ(listed(check(shard->view, shard->pages)), "");
}

class DamagedShard : public ::testing::Test {
protected:
    DamagedShard() : shard_(make_shard(mixed_rows(7, 6000), with_graphs())) {}

    const ShardView& view() const { return shard_->view; }
    /// The lane of codes of 256 bits, which has a graph with levels and row ids in lists.
    const LaneView& lane() const { return shard_->view.lanes[3]; }
    std::uint8_t* at(const RecordArray& array, std::uint32_t i) const { return place_of(shard_->pages, array, i); }
    std::uint32_t page(const RecordArray& array, std::uint32_t i) const { return page_of(shard_->pages, array, i); }
    template <class T>
    void set(const RecordArray& array, std::uint32_t i, T value, std::size_t offset = 0) const {
        std::memcpy(at(array, i) + offset, &value, sizeof value);
    }
    /// Of numbers of 3 bytes, the one at `slot` of record i.
    void set_number(const RecordArray& array, std::uint32_t i, std::uint32_t number, std::uint32_t slot = 0) const {
        std::memcpy(at(array, i) + 3 * slot, &number, 3);
    }
    std::vector<ShardFinding> findings(std::span<const std::uint8_t> dead = {}) const {
        return check(view(), shard_->pages, dead);
    }
    /// The one thing that is wrong, in the lane of 256 bits.
    void expect_only(const char* what, std::uint32_t at_page, std::uint64_t count = 1) const {
        const auto found = findings();
        ASSERT_EQ(found.size(), 1u) << listed(found);
        EXPECT_STREQ(found[0].what, what);
        EXPECT_EQ(found[0].code_bytes, 32u);
        EXPECT_EQ(found[0].page, at_page);
        EXPECT_EQ(found[0].count, count);
    }

    std::unique_ptr<TestShard> shard_;
};

TEST_F(DamagedShard, WasSound) {
    ASSERT_EQ(lane().code_bytes, 32u);
    ASSERT_GT(lane().levels, 0u);
    EXPECT_EQ(listed(findings()), "");
}

TEST_F(DamagedShard, ACodeThatAnotherNodeHas) {
    std::memcpy(at(lane().codes, 4321), at(lane().codes, 17), 32);
    const auto found = findings();
    ASSERT_GE(found.size(), 2u);
    EXPECT_STREQ(found[0].what, "a code that another node has too");
    EXPECT_EQ(found[0].page, page(lane().codes, 4321));
    EXPECT_STREQ(found[1].what, "a node in the key directory under another hash");
    EXPECT_EQ(found[1].count, 1u);
}

TEST_F(DamagedShard, BitsBehindACode) {
    const LaneView& short_lane = view().lanes[1];
    ASSERT_EQ(short_lane.code_bytes, 3u);
    *(at(short_lane.codes, 5) + 7) = 1;
    const auto found = findings();
    ASSERT_EQ(found.size(), 1u) << listed(found);
    EXPECT_STREQ(found[0].what, "a code with bits behind its end");
    EXPECT_EQ(found[0].page, page(short_lane.codes, 5));
}

TEST_F(DamagedShard, PostingOffsets) {
    const std::uint32_t page_of = page(lane().posting_offsets, 99);
    const std::uint32_t before = lane().posting_offsets.number(100);
    for (const std::uint32_t value : {0u, before + 1000, lane().postings + 1, 0xFFFFFFFFu}) {
        set_number(lane().posting_offsets, 100, value);
        const auto found = findings();
        ASSERT_GE(found.size(), 1u);
        EXPECT_STREQ(found[0].what, "a posting list out of range or out of order");
        EXPECT_EQ(found[0].page, page_of);
    }
    set_number(lane().posting_offsets, 100, before);
    set_number(lane().posting_offsets, lane().nodes, lane().postings - 1);
    EXPECT_GE(findings().size(), 1u);
}

TEST_F(DamagedShard, ImpossibleRowIds) {
    set(lane().row_ids, 3000, PackedRowId{1, 2, 0});
    set(lane().row_ids, 5000, PackedRowId{0xFFFF, 0xFFFF, 1});
    const auto found = findings();
    ASSERT_GE(found.size(), 1u);
    EXPECT_STREQ(found[0].what, "an impossible row id");
    EXPECT_EQ(found[0].count, 2u);
    EXPECT_EQ(found[0].page, page(lane().row_ids, 3000));
}

TEST_F(DamagedShard, RowIdsOutOfOrder) {
    LaneView::PostingRange range{};
    NodeId node = 0;
    do ASSERT_TRUE(lane().posting_range(node++, range));
    while (range.end - range.begin < 2);
    set(lane().row_ids, range.begin, PackedRowId::pack({0xFFFF, 1}));
    expect_only("row ids of a code out of order", page(lane().row_ids, range.begin + 1));
}

TEST_F(DamagedShard, Links) {
    const auto first = LinkList(lane().links, 777)[0];
    set_number(lane().links, 777, lane().nodes);
    expect_only("a link to a node that the lane does not have", page(lane().links, 777));
    set_number(lane().links, 777, 777);
    expect_only("a link of a node to itself", page(lane().links, 777));
    set_number(lane().links, 777, LinkList(lane().links, 777)[1]);
    expect_only("a link of a node that occurs twice", page(lane().links, 777));
    set_number(lane().links, 777, first);
    EXPECT_EQ(listed(findings()), "");
}

TEST_F(DamagedShard, LinksOfAnUpperLevel) {
    const RecordArray& links = lane().level[0].links;
    ASSERT_GT(links.count, 2u);
    const auto first = LinkList(links, 1)[0];
    set_number(links, 1, links.count);
    expect_only("a link to an entry that its level does not have", page(links, 1));
    set_number(links, 1, 1);
    expect_only("a link of a level entry to itself", page(links, 1));
    set_number(links, 1, first);
    EXPECT_EQ(listed(findings()), "");
}

TEST_F(DamagedShard, LevelEntries) {
    const RecordArray& entries = lane().level[0].entries;
    const auto entry = entries.value<UpperEntry>(2);
    set(entries, 2, UpperEntry{entry.node, entry.below + 1});
    expect_only("a level entry that stands over another node", page(entries, 2));
    set(entries, 2, UpperEntry{entry.node, lane().nodes});
    expect_only("a level entry that stands over another node", page(entries, 2));
    set(entries, 2, UpperEntry{lane().nodes, lane().nodes});
    EXPECT_STREQ(findings().at(0).what, "a level entry for a node that does not exist");
    set(entries, 2, entries.value<UpperEntry>(3));
    EXPECT_STREQ(findings().at(0).what, "a node twice on one level");
}

TEST_F(DamagedShard, BloomFilter) {
    ASSERT_GT(lane().bloom.count, 2u);
    const std::uint64_t block = lane().bloom.value<std::uint64_t>(1);
    set(lane().bloom, 1, ~std::uint64_t{0});  // too many bits are no fault
    EXPECT_EQ(listed(findings()), "");
    set(lane().bloom, 1, std::uint64_t{0});
    const auto found = findings();
    ASSERT_EQ(found.size(), 1u) << listed(found);
    EXPECT_STREQ(found[0].what, "a code that the bloom filter does not have");
    EXPECT_EQ(found[0].code_bytes, 32u);
    EXPECT_GT(found[0].count, 5u);
    EXPECT_LT(found[0].count, 60u) << "of one block";
    set(lane().bloom, 1, block);
    EXPECT_EQ(listed(findings()), "");
}

TEST_F(DamagedShard, BucketsOfTheKeyDirectory) {
    const RecordArray& starts = lane().directory_starts;
    ASSERT_EQ(starts.count, 2049u);
    for (const std::uint32_t i : {0u, 1000u, starts.count - 1}) {
        const std::uint32_t before = starts.number(i);
        for (const std::uint32_t value : {before + 100, before - 100, lane().nodes + 1, 0xFFFFFFFFu}) {
            set_number(starts, i, value);
            const auto found = findings();
            ASSERT_EQ(found.size(), 1u) << listed(found);
            EXPECT_STREQ(found[0].what, "a bucket of the key directory out of range or out of order");
        }
        set_number(starts, i, before);
    }
    // Still in order, but a node has moved to the next bucket.
    std::uint32_t i = 1000;
    while (starts.number(i) == starts.number(i - 1)) ++i;
    set_number(starts, i, starts.number(i) - 1);
    expect_only("a node in the key directory under another hash", page(lane().directory_nodes, starts.number(i)));
}

TEST_F(DamagedShard, NodesOfTheKeyDirectory) {
    const RecordArray& nodes = lane().directory_nodes;
    const NodeId first = nodes.number(20), other = nodes.number(5000);
    set_number(nodes, 20, lane().nodes);
    expect_only("a node in the key directory that does not exist", page(nodes, 20));
    set_number(nodes, 20, other);
    set_number(nodes, 5000, first);
    expect_only("a node in the key directory under another hash", page(nodes, 20), 2);
    set_number(nodes, 20, first);
    expect_only("a node twice in the key directory", page(nodes, 5000));
}

TEST_F(DamagedShard, RadiusTables) {
    ASSERT_EQ(lane().chunk_bits, 9u);
    ASSERT_EQ(lane().chunks, 28u);
    const RecordArray &starts = lane().chunk_starts, &nodes = lane().chunk_nodes;
    const std::uint32_t table = 3 * 513;
    for (const std::uint32_t i : {table, table + 200, table + 512}) {
        const std::uint32_t before = starts.number(i);
        for (const std::uint32_t value : {before + 300, before - 300, lane().nodes + 1, 0xFFFFFFFFu}) {
            set_number(starts, i, value);
            const auto found = findings();
            ASSERT_EQ(found.size(), 1u) << listed(found);
            EXPECT_STREQ(found[0].what, "a value of a radius table out of range or out of order");
            EXPECT_EQ(found[0].page, page(starts, i));
        }
        set_number(starts, i, before);
    }
    // The first node of a value that has two at least.
    std::uint32_t v = table + 100;
    while (starts.number(v + 1) - starts.number(v) < 2) ++v;
    const std::uint32_t place = 3 * lane().nodes + starts.number(v);
    const NodeId first = nodes.number(place), second = nodes.number(place + 1);
    set_number(nodes, place, lane().nodes);
    auto found = findings();
    EXPECT_STREQ(found.at(0).what, "a node in a radius table that does not exist") << listed(found);
    set_number(nodes, place, second);
    expect_only("nodes of a radius table out of order", page(nodes, place + 1));
    set_number(nodes, place + 1, first);
    expect_only("nodes of a radius table out of order", page(nodes, place + 1));
    set_number(nodes, place, first);
    set_number(nodes, place + 1, second);
    EXPECT_EQ(listed(findings()), "");
    set_number(starts, v, starts.number(v) + 1);
    found = findings();
    ASSERT_GE(found.size(), 1u);
    EXPECT_STREQ(found.back().what, "a node in a radius table under another value");
}

// A hundred nodes that nothing leads to any more; half of them are dead.
TEST_F(DamagedShard, NodesOutOfReach) {
    const NodeId from = 1000, to = 1100;
    for (NodeId node = 0; node < lane().nodes; ++node) {
        const LinkList links(lane().links, node);
        std::uint32_t kept = 0;
        for (std::uint32_t slot = 0; slot < lane().degree && links[slot] != links.none(); ++slot)
            if (links[slot] < from || links[slot] >= to) set_number(lane().links, node, links[slot], kept++);
        while (kept < lane().degree) set_number(lane().links, node, kNoNode, kept++);
    }
    const RecordArray& top = lane().level[lane().levels - 1].entries;
    std::uint64_t lost = to - from;
    for (std::uint32_t i = 0; i < top.count; ++i) {
        const NodeId node = top.value<UpperEntry>(i).node;
        lost -= node >= from && node < to;
    }
    auto found = findings();
    ASSERT_EQ(found.size(), 1u) << listed(found);
    EXPECT_STREQ(found[0].what, "live codes that the graph's links do not lead to");
    EXPECT_TRUE(found[0].warning);
    EXPECT_EQ(found[0].count, lost);

    std::vector<std::uint8_t> dead(view().postings / 8 + 1);
    for (NodeId node = from; node < to; ++node) {
        LaneView::PostingRange range{};
        ASSERT_TRUE(lane().posting_range(node, range));
        for (std::uint64_t p = lane().posting_base + range.begin; p < lane().posting_base + range.end; ++p)
            dead[p / 8] = static_cast<std::uint8_t>(dead[p / 8] | 1u << p % 8);
    }
    EXPECT_EQ(listed(findings(dead)), "");
}

// Whatever the pages hold, the check ends and stays inside them.
TEST(ShardCheckOfRandomDamage, Ends) {
    const std::uint64_t seed = std::random_device()();
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const auto shard = make_shard(mixed_rows(9, 2000), with_graphs());
    std::uint32_t noticed = 0;
    for (int round = 0; round < 150; ++round) {
        Pages pages = shard->pages;
        for (std::uint32_t i = 0; i <= random.below(4); ++i) {
            std::uint8_t* const page = pages.page(random.below(pages.count()));
            for (std::uint32_t j = 0; j <= random.below(2000); ++j) {
                const auto value = static_cast<std::uint32_t>(random.next() >> random.below(40));
                std::memcpy(page + kPageDataOffset + 4 * random.below(kPageDataBytes / 4), &value, 4);
            }
        }
        ShardView view;
        ShardDamage damage{};
        if (!open_shard(pages.data(), pages.count(), kIncarnation, kGeneration, view, damage)) continue;
        noticed += !check(view, pages).empty();
    }
    EXPECT_GT(noticed, 50u);
}

}  // namespace
}  // namespace nphd::test
