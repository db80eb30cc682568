// The sealed shard's key directory, bloom filter and radius tables hold every code in its place, and their bytes on
// disk mean the same for ever.
#include <algorithm>
#include <set>

#include "engine/shard/bloom_filter.hpp"
#include "engine/shard/code_chunks.hpp"
#include "engine/shard/lane_input.hpp"
#include "engine/shard/lookup_tables.hpp"
#include "engine/shard/packed_numbers.hpp"
#include "engine/shard/record_hash.hpp"
#include "test/engine/shard_fixture.hpp"

namespace nphd::test {
namespace {

/// Tables of any lane, however small.
ShardOptions with_tables(Metric metric = Metric::nphd) {
    ShardOptions options;
    options.metric = metric;
    options.directory_threshold = 1;
    options.radius_threshold = 1;
    return options;
}

std::uint64_t hash_of(const LaneView& lane, NodeId node) {
    return hash_record(lane.codes.at(node), lane.codes.record_bytes);
}

void expect_directory(const LaneView& lane) {
    ASSERT_TRUE(lane.has_directory());
    EXPECT_EQ(lane.directory_bits, directory_bits(lane.nodes));
    ASSERT_EQ(lane.directory_starts.count, (1u << lane.directory_bits) + 1);
    ASSERT_EQ(lane.directory_nodes.count, lane.nodes);
    std::vector<bool> seen(lane.nodes);
    std::uint32_t at = 0;
    for (std::uint32_t bucket = 0; bucket < lane.directory_starts.count - 1; ++bucket) {
        ASSERT_EQ(lane.directory_starts.number(bucket), at);
        for (const auto end = lane.directory_starts.number(bucket + 1); at < end; ++at) {
            const NodeId node = lane.directory_nodes.number(at);
            ASSERT_LT(node, lane.nodes);
            ASSERT_FALSE(seen[node]);
            seen[node] = true;
            const std::uint64_t hash = hash_of(lane, node);
            ASSERT_EQ(lane.directory_bits == 0 ? 0 : hash >> (64 - lane.directory_bits), bucket);
            ASSERT_TRUE(bloom_may_contain(lane.bloom, hash));
        }
    }
    EXPECT_EQ(at, lane.nodes);
}

/// Bits [from, from + n) of a code one by one, lowest first.
std::uint32_t bits_of(std::span<const std::uint8_t> code, std::uint32_t from, std::uint32_t n) {
    std::uint32_t value = 0;
    for (std::uint32_t i = 0; i < n; ++i)
        value |= (static_cast<std::uint32_t>(code[(from + i) / 8]) >> (from + i) % 8 & 1) << i;
    return value;
}

void expect_radius_tables(const LaneView& lane) {
    const std::uint32_t values = 1u << lane.chunk_bits;
    ASSERT_EQ(lane.chunk_starts.count, lane.chunks * (values + 1));
    ASSERT_EQ(lane.chunk_nodes.count, lane.chunks * lane.nodes);
    for (std::uint32_t c = 0; c < lane.chunks; ++c) {
        std::uint32_t at = 0;
        for (std::uint32_t v = 0; v < values; ++v) {
            ASSERT_EQ(lane.chunk_starts.number(c * (values + 1) + v), at);
            const auto end = lane.chunk_starts.number(c * (values + 1) + v + 1);
            for (NodeId last = kNoNode; at < end; ++at) {
                const NodeId node = lane.chunk_nodes.number(c * lane.nodes + at);
                ASSERT_LT(node, lane.nodes);
                ASSERT_TRUE(last == kNoNode || node > last);
                ASSERT_EQ(bits_of(lane.code(node), c * lane.chunk_bits, lane.chunk_bits), v);
                last = node;
            }
        }
        ASSERT_EQ(at, lane.nodes);
    }
}

TEST(RecordHash, IsFrozen) {
    const auto hash = [](std::vector<std::uint8_t> bytes) {
        const std::uint64_t h = hash_code(bytes);
        bytes.resize(record_bytes_for(static_cast<std::uint32_t>(bytes.size())));
        EXPECT_EQ(
            hash_record(reinterpret_cast<const std::byte*>(bytes.data()), static_cast<std::uint32_t>(bytes.size())), h);
        return h;
    };
    std::vector<std::uint8_t> counted(32);
    for (std::size_t i = 0; i < counted.size(); ++i) counted[i] = static_cast<std::uint8_t>(i);
    EXPECT_EQ(hash({}), 0x873E684C96FE32E6ull);
    EXPECT_EQ(hash({0xA5}), 0xB1CB0DA74E8B078Aull);
    EXPECT_EQ(hash({1, 2, 3, 4, 5, 6, 7, 8}), 0xCB1A3582FCE890E0ull);
    EXPECT_EQ(hash({1, 2, 3, 4, 5, 6, 7, 8, 9}), 0xA8CD26C6807B6B81ull);
    EXPECT_EQ(hash(counted), 0x9976D50C207FE675ull);
}

TEST(RecordHash, OfAFilterValueIsFrozen) {
    EXPECT_EQ(hash_filter_value(0), 0xF56A99C54BFE43E6ull);
    EXPECT_EQ(hash_filter_value(1), 0x75B5FEB65BF552A9ull);
    EXPECT_EQ(hash_filter_value(0xFFFFFFFF), 0x3B786EDA2B7535FEull);
    EXPECT_EQ(hash_filter_value(FilterValue{1} << 64), 0x58A026CA4FD081C4ull);
    EXPECT_EQ(hash_filter_value(~FilterValue{0}), 0x241622661700B234ull);
}

TEST(BloomFilter, BitsOfAKeyAreFrozen) {
    EXPECT_EQ(bloom_blocks(0), 1u);
    EXPECT_EQ(bloom_blocks(1), 1u);
    EXPECT_EQ(bloom_blocks(1000), 47u);
    EXPECT_EQ(bloom_blocks(0xFFFFFFFE), 201326592u);
    EXPECT_EQ(bloom_block(0xFFFFFFFFull << 32, 47), 46u);
    EXPECT_EQ(bloom_block(0x80000000ull << 32, 47), 23u);
    // Word i takes the upper five bits of the product with salt i.
    const std::uint32_t bit[8] = {8, 8, 17, 20, 14, 5, 19, 11};
    const BloomMask one(0xDEADBEEF00000001);
    for (int i = 0; i < 8; ++i) EXPECT_EQ(one.word[i], 1u << bit[i]) << i;
}

TEST(BloomFilter, HasEveryKeyAndHardlyAnyOther) {
    const std::uint64_t seed = 401;
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    for (const std::uint32_t keys : {1u, 100u, 5000u, 300000u}) {
        const std::uint32_t blocks = bloom_blocks(keys);
        std::vector<std::byte> bytes(std::size_t{blocks} * kBloomBlockBytes);
        const RecordArray filter = RecordArray::plain(bytes.data(), kBloomBlockBytes, blocks);
        std::vector<std::uint64_t> hashes(keys);
        for (auto& h : hashes) {
            const std::uint64_t word = random.next();
            h = hash_record(reinterpret_cast<const std::byte*>(&word), 8);
            bloom_add(bytes.data() + std::size_t{bloom_block(h, blocks)} * kBloomBlockBytes, h);
        }
        for (const std::uint64_t h : hashes) ASSERT_TRUE(bloom_may_contain(filter, h));
        std::uint32_t passed = 0;
        constexpr std::uint32_t kOthers = 200000;
        for (std::uint32_t i = 0; i < kOthers; ++i) {
            const std::uint64_t word = random.next();
            passed += bloom_may_contain(filter, hash_record(reinterpret_cast<const std::byte*>(&word), 8));
        }
        EXPECT_LE(passed, kOthers / 100) << keys;
    }
}

TEST(CodeChunk, IsARunOfBitsLowestFirst) {
    TestRandom random(402);
    for (const std::uint32_t bytes : {1u, 3u, 8u, 9u, 16u, 23u, 32u}) {
        CodeSet codes(bytes);
        codes.set_random(codes.add(), random);
        // A copy that ends where the record does, for the sanitizers.
        const std::vector<std::uint64_t> record(codes.words(0).begin(), codes.words(0).end());
        for (std::uint32_t bits = 1; bits <= kMaxChunkBits; ++bits)
            for (std::uint32_t c = 0; (c + 1) * bits <= bytes * 8; ++c)
                ASSERT_EQ(code_chunk(record.data(), c, bits), bits_of(codes.code(0), c * bits, bits))
                    << bytes << " bytes, chunk " << c << " of " << bits << " bits";
    }
}

TEST(PackedNumbers, KeepThreeOrFourBytes) {
    EXPECT_EQ(number_bytes(0xFFFFFF), 3u);
    EXPECT_EQ(number_bytes(0x1000000), 4u);
    MemoryBudget budget;
    for (const std::uint32_t bytes : {3u, 4u}) {
        const NodeId most = bytes == 3 ? 0xFFFFFE : kNoNode - 1;
        PackedNumbers ids(budget, 5, bytes);
        const NodeId values[] = {most, 0, 0x123456, 1, most};
        for (const std::uint32_t i : {2u, 4u, 0u, 3u, 1u}) ids.set(i, values[i]);
        const RecordArray array = RecordArray::plain(ids.data(), bytes, 5);
        for (std::uint32_t i = 0; i < 5; ++i) EXPECT_EQ(array.number(i), values[i]);
    }
}

TEST(PackedNumbers, PackWhereTheyAre) {
    MemoryBudget budget;
    for (const std::uint32_t bytes : {3u, 4u}) {
        LargeArray<std::uint32_t> numbers(budget, 1000);
        for (std::uint32_t i = 0; i < 1000; ++i) numbers[i] = i * 16777;
        const PackedNumbers packed(std::move(numbers), bytes);
        ASSERT_EQ(packed.size(), 1000u);
        const RecordArray array = RecordArray::plain(packed.data(), bytes, 1000);
        for (std::uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(array.number(i), i * 16777);
    }
}

// Lists of a table end by its width: all ones of three bytes are no id in a small table, and one in a large one.
TEST(LinkList, EndsByTheWidthOfItsTable) {
    MemoryBudget budget;
    for (const std::uint32_t count : {0xFFFFFFu, 0x1000000u}) {
        const std::uint32_t bytes = number_bytes(count), slots = 4;
        PackedNumbers ids(budget, 2 * slots, bytes);
        const std::uint32_t list[] = {7, bytes == 3 ? 0xFFFFFEu : 0xFFFFFFu, kNoNode, kNoNode};
        for (std::uint32_t i = 0; i < slots; ++i) ids.set(slots + i, list[i]);
        const LinkList links(RecordArray::plain(ids.data(), slots * bytes, count), 1);
        EXPECT_EQ(links[0], list[0]);
        EXPECT_EQ(links[1], list[1]);
        EXPECT_NE(links[1], links.none());
        EXPECT_EQ(links[2], links.none());
        EXPECT_EQ(links[3], links.none());
    }
}

TEST(RadiusShape, FollowsNodesAndCodeLength) {
    const auto shape = [](std::uint32_t nodes, std::uint32_t bytes, std::uint32_t bits) {
        const RadiusShape s = radius_shape(nodes, bytes, bits);
        return std::pair(s.chunks, s.chunk_bits);
    };
    using Shape = std::pair<std::uint32_t, std::uint32_t>;
    EXPECT_EQ(shape(65536, 32, 256), Shape(19, 13));
    EXPECT_EQ(shape(1000000, 32, 256), Shape(16, 16));
    EXPECT_EQ(shape(1000000, 8, 256), Shape(4, 16));
    EXPECT_EQ(shape(1000000, 64, 256), Shape(16, 16));
    EXPECT_EQ(shape(1000000, 64, 512), Shape(32, 16));
    EXPECT_EQ(shape(1000000, 64, 64000), Shape(32, 16));
    EXPECT_EQ(shape(1, 32, 256), Shape(32, 8));
    EXPECT_EQ(shape(1, 2, 256), Shape(2, 8));
    // Less than two chunks are none.
    EXPECT_EQ(shape(1000000, 32, 0), Shape(0, 0));
    EXPECT_EQ(shape(1000000, 32, 31), Shape(0, 0));
    EXPECT_EQ(shape(1, 1, 256), Shape(0, 0));
    EXPECT_EQ(shape(1, 0, 256), Shape(0, 0));
    // Places are numbered with 32 bits.
    EXPECT_EQ(shape(1u << 30, 32, 256), Shape(3, 20));
    EXPECT_EQ(shape(0xFFFFFFFE, 32, 256), Shape(0, 0));
    EXPECT_EQ(shape(1u << 25, 8000, 64000), Shape(127, 20));
}

TEST(LookupTables, HoldEveryCodeWhateverItsLength) {
    for (const Metric metric : {Metric::nphd, Metric::hamming, Metric::jaccard})
        for (const std::uint32_t bytes : {0u, 1u, 2u, 3u, 7u, 8u, 9u, 16u, 31u, 32u, 40u, 513u})
            for (const std::uint32_t n : {1u, 2u, 5u, 2000u}) {
                SCOPED_TRACE(testing::Message() << n << " codes of " << bytes << " bytes");
                const auto shard = make_shard(rows_of(uniform_data(n, 0, bytes, n + bytes).codes), with_tables(metric));
                const LaneView& lane = shard->view.lanes.at(0);
                expect_directory(lane);
                const RadiusShape shape =
                    metric == Metric::jaccard ? RadiusShape{} : radius_shape(lane.nodes, bytes, 256);
                EXPECT_EQ(lane.chunks, shape.chunks);
                EXPECT_EQ(lane.chunk_bits, shape.chunk_bits);
                EXPECT_EQ(lane.chunk_starts.count == 0, shape.chunks == 0);
                if (lane.chunks != 0) expect_radius_tables(lane);
            }
}

TEST(LookupTables, OfALaneWithAGraph) {
    ShardOptions options;
    options.graph_threshold = 100;
    options.radius_threshold = 1;
    options.radius_bits = 200;
    const auto shard = make_shard(rows_of(near_duplicate_data(70000, 0, 32, 403).codes), options);
    const LaneView& lane = shard->view.lanes.at(0);
    ASSERT_TRUE(lane.has_graph());
    EXPECT_EQ(lane.chunk_bits, 13u);
    EXPECT_EQ(lane.chunks, 15u);
    expect_directory(lane);
    expect_radius_tables(lane);
}

TEST(LookupTables, AreLeftOutOfSmallLanes) {
    const auto lane_of = [](std::uint32_t nodes, const ShardOptions& options) {
        return make_shard(rows_of(uniform_data(nodes, 0, 8, 404).codes), options);
    };
    EXPECT_FALSE(lane_of(1023, {})->view.lanes[0].has_directory());
    EXPECT_TRUE(lane_of(1024, {})->view.lanes[0].has_directory());
    EXPECT_EQ(lane_of(65535, {})->view.lanes[0].chunks, 0u);
    EXPECT_EQ(lane_of(65536, {})->view.lanes[0].chunks, 4u);
    ShardOptions options;
    options.radius_bits = 0;
    EXPECT_EQ(lane_of(65536, options)->view.lanes[0].chunks, 0u);
}

TEST(LookupTables, DependOnTheCodesOnly) {
    Rows rows = rows_of(near_duplicate_data(40000, 0, 32, 405).codes);
    append(rows, variable_length_codes(5000, 0, 20, 406));
    MemoryBudget budget;
    const Pages one = build_pages(rows, with_tables(), 1, budget);
    for (const unsigned threads : {2u, 3u, 7u}) EXPECT_EQ(one, build_pages(rows, with_tables(), threads, budget));
    std::reverse(rows.begin(), rows.end());
    EXPECT_EQ(one, build_pages(rows, with_tables(), 2, budget));
    EXPECT_EQ(budget.in_use(), 0u);
}

/// Opens a copy of a shard after a change to a section record, or to the lane's record.
class TablesOnDisk : public ::testing::Test {
protected:
    TablesOnDisk() : shard_(make_shard(rows_of(uniform_data(3000, 0, 16, 407).codes), with_tables())) {
        std::memcpy(&header_, shard_->pages.page(0) + kPageDataOffset, sizeof header_);
    }
    template <class Change>
    const char* opened(SectionKind kind, std::uint16_t argument, Change&& change) const {
        Pages pages = shard_->pages;
        for (std::uint32_t i = 0; i < header_.sections; ++i) {
            std::uint8_t* const at =
                pages.page(header_.section_table_page) + kPageDataOffset + i * sizeof(SectionRecord);
            SectionRecord s;
            std::memcpy(&s, at, sizeof s);
            if (s.kind != static_cast<std::uint16_t>(kind) || s.argument != argument) continue;
            change(s);
            std::memcpy(at, &s, sizeof s);
            return open(pages);
        }
        return "no such section";
    }
    template <class Change>
    const char* opened(Change&& change) const {
        Pages pages = shard_->pages;
        std::uint8_t* const at = pages.page(header_.lane_table_page) + kPageDataOffset;
        LaneRecord r;
        std::memcpy(&r, at, sizeof r);
        change(r);
        std::memcpy(at, &r, sizeof r);
        return open(pages);
    }
    static const char* open(const Pages& pages) {
        ShardView view;
        ShardDamage damage{};
        return open_shard(pages.data(), pages.count(), kIncarnation, kGeneration, view, damage) ? "" : damage.what;
    }
    std::unique_ptr<TestShard> shard_;
    ShardHeader header_;
};

TEST_F(TablesOnDisk, AreRefusedWhereTheyDoNotFitTheLane) {
    const auto nothing = [](SectionRecord&) {};
    const auto unknown = [](SectionRecord& s) { s.kind = 999; };
    const auto more = [](SectionRecord& s) { ++s.records; };
    for (const SectionKind kind : {SectionKind::key_directory, SectionKind::bloom_filter, SectionKind::radius_starts,
                                   SectionKind::radius_nodes}) {
        EXPECT_STREQ(opened(kind, 0, nothing), "");
        EXPECT_STRNE(opened(kind, 0, unknown), "");
        EXPECT_STRNE(opened(kind, 0, [](SectionRecord& s) { ++s.record_bytes; }), "");
        EXPECT_STRNE(opened(kind, 0, [](SectionRecord& s) { s.first_page += 1000; }), "");
        EXPECT_STRNE(opened(kind, 0, [](SectionRecord& s) { s.records = 0; }), "");
        EXPECT_STRNE(opened(kind, 0, [](SectionRecord& s) { s.records <<= 32; }), "");
    }
    EXPECT_STREQ(opened(SectionKind::key_directory, 0, more), "size of the key directory is no power of two");
    EXPECT_STREQ(opened(SectionKind::key_directory, 1, more), "section does not fit its lane");
    EXPECT_STREQ(opened(SectionKind::key_directory, 1, unknown), "a part of the key directory is missing");
    EXPECT_STREQ(opened(SectionKind::key_directory, 1, [](SectionRecord& s) { s.argument = 2; }),
                 "unknown part of a key directory");
    EXPECT_STREQ(opened(SectionKind::bloom_filter, 0, unknown), "a part of the key directory is missing");
    EXPECT_STREQ(opened(SectionKind::radius_nodes, 0, unknown), "the radius tables are missing");
    EXPECT_STREQ(opened(SectionKind::radius_starts, 0, more), "section does not fit its lane");
}

TEST_F(TablesOnDisk, ChunksAreRefusedWhereTheyDoNotFitTheCodes) {
    EXPECT_STREQ(opened([](LaneRecord&) {}), "");
    EXPECT_STREQ(opened([](LaneRecord& r) { r.chunks = 0; }), "a chunk width without chunks");
    EXPECT_STREQ(opened([](LaneRecord& r) { r.chunks = r.chunk_bits = 0; }), "radius tables of a lane without chunks");
    EXPECT_STREQ(opened([](LaneRecord& r) { r.chunks = 17; }), "chunks beyond the end of the codes");
    EXPECT_STREQ(opened([](LaneRecord& r) { r.chunks = 15; }), "section does not fit its lane");
    EXPECT_STREQ(opened([](LaneRecord& r) { r.chunks = 0xFFFFFFFF; }), "chunks beyond the end of the codes");
    EXPECT_STREQ(opened([](LaneRecord& r) { r.chunk_bits = 0; }), "chunk width out of range");
    EXPECT_STREQ(opened([](LaneRecord& r) { r.chunk_bits = 21; }), "chunk width out of range");
    EXPECT_STREQ(opened([](LaneRecord& r) { r.chunk_bits = 7; }), "section does not fit its lane");
}

TEST_F(TablesOnDisk, TheCalibrationIsHandedOut) {
    Pages pages = shard_->pages;
    const std::uint32_t curve[2] = {12, 34};
    std::memcpy(pages.page(header_.lane_table_page) + kPageDataOffset + offsetof(LaneRecord, calibration), curve,
                sizeof curve);
    const TestShard changed(std::move(pages));
    EXPECT_EQ(changed.view.lanes[0].calibration[0], 12u);
    EXPECT_EQ(changed.view.lanes[0].calibration[1], 34u);
    EXPECT_EQ(shard_->view.lanes[0].calibration[0], 0u);
}

}  // namespace
}  // namespace nphd::test
