// What is wrong with filter columns and rows without a code is seen: by open_shard() where the tables tell, by
// ShardCheck otherwise.
#include <functional>
#include <random>

#include "test/engine/check_fixture.hpp"
#include "test/engine/filter_rows.hpp"

namespace nphd::test {
namespace {

ShardOptions small_thresholds() {
    ShardOptions options;
    options.graph_threshold = 200;
    options.radius_threshold = 1000;
    options.value_order_threshold = 200;
    return options;
}

std::unique_ptr<TestShard> filtered_shard(std::uint64_t seed, std::uint32_t n) {
    return make_shard(random_filtered_rows(seed, n), eight_columns(), small_thresholds());
}

TEST(FilterCheck, FindsNothingInSoundShards) {
    for (const bool sorted : {false, true})
        for (const std::uint32_t n : {1u, 40u, 900u, 12000u}) {
            ShardOptions options = small_thresholds();
            options.sort_by_filter = sorted;
            const auto shard = make_shard(random_filtered_rows(200 + n, n), eight_columns(), options);
            EXPECT_EQ(listed(check(shard->view, shard->pages)), "") << n << " rows";
        }
}

TEST(FilterCheck, FindsNothingInSoundShardsOfManySlices) {
    const FilterLayout layout = layout_of({16, 4});
    FilteredRows rows;
    for (std::uint32_t i = 0; i < 150000; ++i) {
        FilteredRow row{{}, row_id(i), {FilterValue{i % 1000} << 100, {}}};
        if (i % 3 != 0) row.code = std::vector<std::uint8_t>{static_cast<std::uint8_t>(i)};
        if (i % 10 != 0) row.values[1] = i;
        rows.push_back(row);
    }
    const auto shard = make_shard(rows, layout);
    EXPECT_EQ(listed(check(shard->view, shard->pages)), "");
    const std::vector<std::uint8_t> dead(shard->view.postings / 8 + 1, 0x55);
    EXPECT_EQ(listed(check(shard->view, shard->pages, dead, 1)), "");
}

/// The tables of a shard, to be changed in its pages.
class Tables {
public:
    explicit Tables(Pages& pages) : pages_(pages) { load(header, pages.data() + kPageDataOffset); }
    void put_header() { std::memcpy(pages_.data() + kPageDataOffset, &header, sizeof header); }
    LaneRecord lane(std::uint32_t i) {
        LaneRecord r;
        load(r, at(header.lane_table_page, sizeof r, i));
        return r;
    }
    void put(std::uint32_t i, const LaneRecord& r) {
        std::memcpy(at(header.lane_table_page, sizeof r, i), &r, sizeof r);
    }
    SectionRecord section(std::uint32_t i) {
        SectionRecord s;
        load(s, at(header.section_table_page, sizeof s, i));
        return s;
    }
    void put(std::uint32_t i, const SectionRecord& s) {
        std::memcpy(at(header.section_table_page, sizeof s, i), &s, sizeof s);
    }
    /// The lane's section of that kind.
    std::uint32_t find(std::uint32_t lane_number, SectionKind kind, std::uint32_t argument) {
        const LaneRecord r = lane(lane_number);
        for (std::uint32_t i = r.first_section; i < r.first_section + r.sections; ++i) {
            const SectionRecord s = section(i);
            if (s.kind == static_cast<std::uint16_t>(kind) && s.argument == argument) return i;
        }
        throw std::runtime_error("no such section");
    }

    ShardHeader header;

private:
    template <class T>
    static void load(T& out, const std::uint8_t* from) {
        std::memcpy(&out, from, sizeof out);
    }
    std::uint8_t* at(std::uint32_t first_page, std::uint32_t record_bytes, std::uint32_t i) {
        const std::uint32_t per_page = RecordArray::records_per_page(record_bytes);
        return pages_.page(first_page + i / per_page) + kPageDataOffset + i % per_page * record_bytes;
    }
    Pages& pages_;
};

constexpr std::uint32_t kLane = 3, kCodelessLane = 4;

class OpenFilteredShard : public ::testing::Test {
protected:
    OpenFilteredShard() : shard_(filtered_shard(71, 6000)) {}

    /// What open_shard() says of the pages once `change` was applied to their tables; empty: it opens them.
    std::string damage(const std::function<void(Tables&)>& change) {
        Pages pages = shard_->pages;
        Tables tables(pages);
        change(tables);
        ShardView view;
        ShardDamage damage{};
        if (open_shard(pages.data(), pages.count(), kIncarnation, kGeneration, view, damage)) return {};
        EXPECT_LT(damage.page, pages.count());
        return damage.what;
    }
    std::string section_damage(std::uint32_t lane, SectionKind kind, std::uint32_t argument,
                               const std::function<void(SectionRecord&)>& change) {
        return damage([&](Tables& tables) {
            const std::uint32_t i = tables.find(lane, kind, argument);
            SectionRecord s = tables.section(i);
            change(s);
            tables.put(i, s);
        });
    }
    std::string header_damage(const std::function<void(FilterLayout&)>& change) {
        return damage([&](Tables& tables) {
            change(tables.header.filters);
            tables.put_header();
        });
    }
    std::string lane_damage(std::uint32_t lane, const std::function<void(LaneRecord&)>& change) {
        return damage([&](Tables& tables) {
            LaneRecord r = tables.lane(lane);
            change(r);
            tables.put(lane, r);
        });
    }

    std::unique_ptr<TestShard> shard_;
};

void lose(SectionRecord& s) { s.kind = 999; }
void shorten(SectionRecord& s) {
    --s.records;
    s.pages = RecordArray::pages_for(s.records, s.record_bytes);
}
void empty(SectionRecord& s) { s.records = s.pages = 0; }

TEST_F(OpenFilteredShard, OpensWhatIsSound) {
    EXPECT_EQ(damage([](Tables&) {}), "");
    ASSERT_EQ(shard_->view.lanes.size(), kCodelessLane);
}

TEST_F(OpenFilteredShard, SeesImpossibleLayouts) {
    for (const std::uint8_t columns : {9, 200, 255})
        EXPECT_EQ(header_damage([&](FilterLayout& l) { l.columns = columns; }), "impossible filter columns");
    for (const std::uint8_t width : {0, 3, 17, 255})
        EXPECT_EQ(header_damage([&](FilterLayout& l) { l.width[2] = width; }), "impossible filter columns");
    EXPECT_EQ(header_damage([&](FilterLayout& l) { l.columns = 7; }), "impossible filter columns");
    EXPECT_EQ(header_damage([&](FilterLayout& l) {
                  l.columns = 7;
                  l.width[7] = 0;
              }),
              "a filter column that the shard does not have");
    EXPECT_EQ(header_damage([&](FilterLayout& l) { l.width[2] = 8; }), "section does not fit its lane");
}

TEST_F(OpenFilteredShard, SeesColumnsThatAreMissing) {
    for (const std::uint32_t lane : {kLane, kCodelessLane}) {
        EXPECT_EQ(section_damage(lane, SectionKind::filter_column, 4, lose), "a filter column is missing");
        EXPECT_EQ(section_damage(lane, SectionKind::filter_column, 4, shorten), "section does not fit its lane");
        EXPECT_EQ(section_damage(lane, SectionKind::filter_nulls, 4, shorten), "section does not fit its lane");
        EXPECT_EQ(section_damage(lane, SectionKind::filter_column, 5, [](SectionRecord& s) { s.argument = 2; }),
                  "a section occurs twice");
        EXPECT_EQ(section_damage(lane, SectionKind::filter_column, 4, [](SectionRecord& s) { s.argument = 8; }),
                  "a filter column that the shard does not have");
        EXPECT_EQ(
            section_damage(lane, SectionKind::filter_column, 4, [](SectionRecord& s) { s.first_page = 1u << 30; }),
            "array outside of the shard");
    }
}

TEST_F(OpenFilteredShard, SeesValueOrdersOfWhichAPartIsMissing) {
    for (const std::uint32_t lane : {kLane, kCodelessLane}) {
        EXPECT_EQ(section_damage(lane, SectionKind::value_order, 1, lose), "a part of a value order is missing");
        EXPECT_EQ(section_damage(lane, SectionKind::value_order, 4, lose), "fences do not fit their value order");
        EXPECT_EQ(section_damage(lane, SectionKind::value_order, 4, empty), "fences do not fit their value order");
        EXPECT_EQ(section_damage(lane, SectionKind::value_fences, 4, lose), "fences do not fit their value order");
        EXPECT_EQ(section_damage(lane, SectionKind::value_fences, 4, shorten), "fences do not fit their value order");
        EXPECT_EQ(section_damage(lane, SectionKind::value_bloom, 4, lose), "a part of a value order is missing");
        EXPECT_EQ(section_damage(lane, SectionKind::value_bloom, 4, empty), "a bloom filter without blocks");
        EXPECT_EQ(section_damage(lane, SectionKind::value_order, 4, [](SectionRecord& s) { s.records = 1u << 20; }),
                  "a value order of more postings than there are");
        EXPECT_EQ(section_damage(lane, SectionKind::value_fences, 4, [](SectionRecord& s) { s.records = 1u << 20; }),
                  "more fences than places");
        EXPECT_EQ(section_damage(lane, SectionKind::posting_nodes, 0, lose), "the nodes of postings are missing");
        EXPECT_EQ(section_damage(lane, SectionKind::posting_nodes, 0, shorten), "section does not fit its lane");
    }
}

TEST_F(OpenFilteredShard, SeesCodelessLanesThatAreNone) {
    EXPECT_EQ(lane_damage(kLane, [](LaneRecord& r) { r.codeless = 1; }), "lanes are out of order");
    EXPECT_EQ(lane_damage(kCodelessLane, [](LaneRecord& r) { r.codeless = 0; }), "lanes are out of order");
    const char* const what = "a lane of rows without a code that has codes";
    EXPECT_EQ(lane_damage(kCodelessLane, [](LaneRecord& r) { r.codeless = 2; }), what);
    EXPECT_EQ(lane_damage(kCodelessLane, [](LaneRecord& r) { r.code_bytes = 8; }), what);
    EXPECT_EQ(lane_damage(kCodelessLane, [](LaneRecord& r) { r.nodes = 2; }), what);
    EXPECT_EQ(lane_damage(kCodelessLane, [](LaneRecord& r) { r.degree = 2; }), what);
    EXPECT_NE(lane_damage(kCodelessLane, [](LaneRecord& r) { --r.postings; }), "");
    EXPECT_NE(lane_damage(kCodelessLane, [](LaneRecord& r) { ++r.posting_base; }), "");
}

TEST_F(OpenFilteredShard, SeesForeignPagesInEverySection) {
    Tables tables(shard_->pages);
    std::uint32_t looked = 0;
    for (std::uint32_t i = 0; i < tables.header.sections; ++i) {
        const SectionRecord s = tables.section(i);
        if (s.kind < static_cast<std::uint16_t>(SectionKind::filter_column) || s.records == 0) continue;
        for (const std::uint32_t page : {s.first_page, s.first_page + s.pages - 1}) {
            Pages pages = shard_->pages;
            ++*(pages.page(page) + kPageStampOffset + offsetof(PageStamp, generation));
            ShardView view;
            ShardDamage damage{};
            ASSERT_FALSE(open_shard(pages.data(), pages.count(), kIncarnation, kGeneration, view, damage));
            EXPECT_EQ(damage.page, page);
            EXPECT_STREQ(damage.what, "page of another shard");
            ++looked;
        }
    }
    EXPECT_GT(looked, 100u);
}

/// Of rows with codes of 256 bits, or of those without a code.
class DamagedFilterColumns : public ::testing::TestWithParam<bool> {
protected:
    DamagedFilterColumns() : shard_(filtered_shard(81, 12000)) {}

    Pages& pages() { return shard_->pages; }
    const LaneView& lane() const { return GetParam() ? shard_->view.codeless : shard_->view.lanes[kLane]; }
    const FilterColumnView& column(std::uint32_t c) const { return lane().filters[c]; }
    void set(const RecordArray& array, std::uint32_t i, std::uint64_t value, std::size_t bytes) {
        std::memcpy(place_of(pages(), array, i), &value, bytes);
    }
    std::uint32_t at_place(std::uint32_t c, std::uint32_t place) const { return column(c).order.number(place); }
    void set_place(std::uint32_t c, std::uint32_t place, std::uint32_t posting) {
        set(column(c).order, place, posting, 3);
    }
    void flip_null(std::uint32_t c, std::uint32_t posting) {
        const auto word = column(c).nulls.value<std::uint64_t>(posting / 64);
        set(column(c).nulls, posting / 64, word ^ std::uint64_t{1} << posting % 64, 8);
    }
    std::uint32_t first_null(std::uint32_t c) const {
        std::uint32_t p = 100;
        while (!column(c).is_null(p)) ++p;
        return p;
    }
    std::vector<ShardFinding> findings() { return check(shard_->view, shard_->pages); }
    void expect(const ShardFinding& f, const char* what, std::uint32_t page, std::uint64_t count) const {
        EXPECT_STREQ(f.what, what);
        EXPECT_EQ(f.codeless, GetParam());
        EXPECT_EQ(f.code_bytes, lane().code_bytes);
        EXPECT_EQ(f.page, page);
        EXPECT_EQ(f.count, count);
        EXPECT_FALSE(f.warning);
    }
    void expect_only(const char* what, const RecordArray& array, std::uint32_t i, std::uint64_t count = 1) {
        const auto found = findings();
        ASSERT_EQ(found.size(), 1u) << listed(found);
        expect(found[0], what, page_of(pages(), array, i), count);
    }
    bool found(const char* what) {
        const auto all = findings();
        return std::ranges::any_of(all, [&](const ShardFinding& f) { return std::string(f.what) == what; });
    }

    std::unique_ptr<TestShard> shard_;
};

TEST_P(DamagedFilterColumns, WereSound) {
    ASSERT_GT(lane().postings, 1500u);
    ASSERT_GT(lane().postings, lane().nodes);
    EXPECT_EQ(listed(findings()), "");
}

TEST_P(DamagedFilterColumns, AValueWhereItIsNull) {
    for (const std::uint32_t c : {0u, 3u, 4u}) {
        const std::uint32_t p = first_null(c);
        set(column(c).values, p, 1, 1);
        expect_only("a filter value of a row where it is NULL", column(c).values, p);
        set(column(c).values, p, 0, 1);
    }
}

TEST_P(DamagedFilterColumns, BloomFilters) {
    const FilterColumnView& c = column(7);
    ASSERT_GT(c.bloom.count, 2u);
    const auto word = c.bloom.value<std::uint64_t>(1);
    set(c.bloom, 1, ~std::uint64_t{0}, 8);  // too many bits are no fault
    EXPECT_EQ(listed(findings()), "");
    set(c.bloom, 1, 0, 8);
    const auto found = findings();
    ASSERT_EQ(found.size(), 1u) << listed(found);
    EXPECT_STREQ(found[0].what, "a filter value that the bloom filter does not have");
    EXPECT_EQ(found[0].codeless, GetParam());
    EXPECT_GT(found[0].count, 5u);
    EXPECT_LT(found[0].count, 60u) << "of one block";
    set(c.bloom, 1, word, 8);
    EXPECT_EQ(listed(findings()), "");
}

TEST_P(DamagedFilterColumns, PostingsOfAValueOrder) {
    for (const std::uint32_t c : {1u, 4u, 7u}) {
        const RecordArray& order = column(c).order;
        const std::uint32_t place = order.count / 64 / 2 * 64 + 7, posting = at_place(c, place);
        ASSERT_LT(place + 2, order.count);
        for (const std::uint32_t out : {lane().postings, 0xFFFFFFu}) {
            set_place(c, place, out);
            expect_only("a row in a value order that does not exist or is NULL", order, place);
        }
        set_place(c, place, at_place(c, place - 1));
        expect_only("a row twice in a value order", order, place);
        set_place(c, place, at_place(c, place + 1));
        set_place(c, place + 1, posting);
        expect_only("rows of a value order out of order", order, place + 1);
        set_place(c, place + 1, at_place(c, place));
        set_place(c, place, posting);
        EXPECT_EQ(listed(findings()), "");
    }
    const std::uint32_t place = 1000;
    set_place(4, place, first_null(4));
    expect_only("a row in a value order that does not exist or is NULL", column(4).order, place);
}

TEST_P(DamagedFilterColumns, Fences) {
    for (std::uint32_t c = 0; c < 8; ++c) {
        if (c == 6) continue;  // NULL everywhere
        const RecordArray& fences = column(c).fences;
        const auto byte = fences.value<std::uint8_t>(fences.count - 1);
        set(fences, fences.count - 1, byte ^ 1u, 1);
        expect_only("a fence of a value order that is not the value at its place", fences, fences.count - 1);
        set(fences, fences.count - 1, byte, 1);
    }
}

TEST_P(DamagedFilterColumns, AValueThatChanged) {
    for (const std::uint32_t c : {1u, 4u, 7u}) {
        const std::uint32_t p = at_place(c, column(c).order.count / 2 / 64 * 64);
        const auto byte = column(c).values.value<std::uint8_t>(p);
        set(column(c).values, p, byte ^ 0x55u, 1);
        EXPECT_TRUE(found("a fence of a value order that is not the value at its place"));
        set(column(c).values, p, byte, 1);
    }
    EXPECT_EQ(listed(findings()), "");
}

TEST_P(DamagedFilterColumns, NullBits) {
    const std::uint32_t filled = at_place(4, column(4).order.count - 2), null = first_null(4);
    ASSERT_TRUE(column(4).value(filled) != 0);
    flip_null(4, filled);
    auto found = findings();
    ASSERT_EQ(found.size(), 3u) << listed(found);
    expect(found[0], "a filter value of a row where it is NULL", page_of(pages(), column(4).values, filled), 1);
    expect(found[1], "a value order that has not all rows with a value", page_of(pages(), column(4).order, 0), 1);
    expect(found[2], "a row in a value order that does not exist or is NULL",
           page_of(pages(), column(4).order, column(4).order.count - 2), 1);
    flip_null(4, filled);
    flip_null(4, null);
    EXPECT_TRUE(this->found("a value order that has not all rows with a value"));
    flip_null(4, null);
    flip_null(6, 500);  // of an order without places
    EXPECT_TRUE(this->found("a value order that has not all rows with a value"));
}

TEST_P(DamagedFilterColumns, AValueOrderThatLacksARow) {
    Tables tables(pages());
    const std::uint32_t i = tables.find(GetParam() ? kCodelessLane : kLane, SectionKind::value_order, 7);
    SectionRecord s = tables.section(i);
    ASSERT_NE(s.records % kFenceStride, 1u);
    shorten(s);
    tables.put(i, s);
    TestShard opened(pages());
    const auto found = check(opened.view, opened.pages);
    ASSERT_EQ(found.size(), 1u) << listed(found);
    expect(found[0], "a value order that has not all rows with a value", s.first_page, 1);
}

TEST_P(DamagedFilterColumns, NodesOfPostings) {
    const RecordArray& nodes = lane().posting_nodes;
    const NodeId node = lane().node_of_posting(1000);
    for (const NodeId other : {node + 1, lane().nodes, 0xFFFFFFu}) {
        set(nodes, 1000, other, 3);
        expect_only("a row under another node than its posting list", nodes, 1000);
    }
    set(nodes, 1000, node, 3);
    EXPECT_EQ(listed(findings()), "");
}

INSTANTIATE_TEST_SUITE_P(Lanes, DamagedFilterColumns, ::testing::Bool(),
                         [](const auto& info) { return info.param ? "Codeless" : "Codes"; });

TEST(DamagedCodelessLane, IsCheckedAsOthersAre) {
    const auto shard = filtered_shard(82, 3000);
    const LaneView& lane = shard->view.codeless;
    ASSERT_GT(lane.postings, 300u);
    std::uint8_t* const code = place_of(shard->pages, lane.codes, 0);
    *code = 1;
    auto found = check(shard->view, shard->pages);
    ASSERT_EQ(found.size(), 1u) << listed(found);
    EXPECT_STREQ(found[0].what, "a code with bits behind its end");
    EXPECT_TRUE(found[0].codeless);
    *code = 0;
    const PackedRowId none{1, 2, 0};
    std::memcpy(place_of(shard->pages, lane.row_ids, 0), &none, sizeof none);
    found = check(shard->view, shard->pages);
    ASSERT_EQ(found.size(), 2u) << listed(found);
    EXPECT_STREQ(found[0].what, "an impossible row id");
    EXPECT_STREQ(found[1].what, "row ids of a code out of order");
    EXPECT_TRUE(found[0].codeless && found[1].codeless);
}

/// Reads what a rebuild reads.
void read_all(const ShardView& view) {
    std::byte record[kMaxFilterRecordBytes];
    view.each_lane([&](const LaneView& lane) {
        for (std::uint32_t p = 0; p < lane.postings; ++p) lane.copy_filter_record(view.filters, p, record);
    });
}

// Whatever the pages hold, open_shard() and the check end and stay inside them.
TEST(FilterCheckOfRandomDamage, Ends) {
    const std::uint64_t seed = std::random_device()();
    SCOPED_TRACE(seed);
    TestRandom random(seed);
    const auto shard = filtered_shard(9, 4000);
    std::uint32_t noticed = 0, refused = 0;
    for (int round = 0; round < 200; ++round) {
        Pages pages = shard->pages;
        // Now and then the tables, of which little is enough, and whatever is there otherwise.
        const bool tables = random.below(3) == 0;
        for (std::uint32_t i = 0; i <= (tables ? 0 : random.below(4)); ++i) {
            std::uint8_t* const page = pages.page(random.below(tables ? 4 : pages.count()));
            for (std::uint32_t j = 0; j <= random.below(tables ? 4 : 2000); ++j) {
                const auto value = static_cast<std::uint32_t>(random.next() >> random.below(40));
                std::memcpy(page + kPageDataOffset + 4 * random.below(tables ? 300 : kPageDataBytes / 4), &value, 4);
            }
        }
        ShardView view;
        ShardDamage damage{};
        if (!open_shard(pages.data(), pages.count(), kIncarnation, kGeneration, view, damage)) {
            ++refused;
            continue;
        }
        read_all(view);
        noticed += !check(view, pages).empty();
    }
    EXPECT_GT(noticed, 50u);
    EXPECT_GT(refused, 10u);
}

}  // namespace
}  // namespace nphd::test
