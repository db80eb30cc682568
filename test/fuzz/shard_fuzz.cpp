// The shard reader on damaged pages: whatever they hold, everything that reads them ends, stays inside of them and
// hands out numbers that are in range.
//
// An input is no shard but a list of changes to a sound one, so that every mutation gets past the header: which shard,
// what to ask of it, then eight bytes for each change (Damage::apply). An input without changes must find nothing
// wrong.
#include <algorithm>
#include <cstring>
#include <memory>
#include <vector>

#include "engine/search/calibration.hpp"
#include "engine/search/code_lookup.hpp"
#include "engine/search/dead_nodes.hpp"
#include "engine/search/nearest.hpp"
#include "engine/search/pairs.hpp"
#include "engine/search/within.hpp"
#include "engine/shard/check_shard.hpp"
#include "engine/shard/shard_view.hpp"
#include "test/fuzz/fuzz.hpp"
#include "test/fuzz/shard_seeds.hpp"

namespace nphd::fuzz {
namespace {

constexpr std::uint32_t kMostChanges = 32;

/// Damages a copy of a shard.
class Damage {
public:
    Damage(std::uint8_t* pages, std::uint32_t count) : pages_(pages), count_(count) {
        std::memcpy(&header_, pages + kPageDataOffset, sizeof header_);
        sections_.resize(header_.sections);
        for (std::uint32_t i = 0; i < header_.sections; ++i)
            std::memcpy(&sections_[i], pages + record_at(header_.section_table_page, sizeof(SectionRecord), i),
                        sizeof(SectionRecord));
    }

    /// One change: kind, 3 bytes of place, 4 bytes of value. Tables are changed field by field, and mostly by a little:
    /// what is absurd open_shard() refuses at once. Most changes are made behind its back, in the data.
    void apply(Bytes& input) {
        const std::uint8_t kind = input.byte();
        const std::uint32_t place = input.byte() | std::uint32_t{input.byte()} << 8 | std::uint32_t{input.byte()} << 16;
        const std::uint32_t value = input.word();
        const std::size_t at = place_of(kind % 16, place);
        switch (kind / 16 % 5) {
            case 0:
                return put(at, value);
            case 1:
                return put(at, get(at) + value % 64 - 32);
            case 2:
                return put(at, get(at) ^ 1u << value % 32);
            case 3:
                return put(at, get(word_of_data(value)));
            default:
                std::memset(pages_ + at / 64 * 64, static_cast<int>(value), 64);
        }
    }

private:
    std::size_t size() const { return std::size_t{count_} * kPageBytes; }
    std::size_t place_of(std::uint32_t what, std::uint32_t place) const {
        switch (what) {
            case 0:
                return kPageDataOffset + place % (sizeof(ShardHeader) / 4) * 4;
            case 1:
                return field_of(header_.lane_table_page, sizeof(LaneRecord), header_.lanes, place);
            case 2:
                return field_of(header_.section_table_page, sizeof(SectionRecord), header_.sections, place);
            case 3:
                return place % (size() / 4) * 4;
            default:
                return word_of_data(place);
        }
    }
    /// A word of one of the records of a table.
    static std::size_t field_of(std::uint32_t page, std::size_t bytes, std::uint32_t records, std::uint32_t place) {
        const auto words = static_cast<std::uint32_t>(bytes / 4);
        return record_at(page, bytes, place / words % records) + place % words * 4;
    }
    /// A word of one of the sections, which may begin anywhere in one of their records.
    std::size_t word_of_data(std::uint32_t place) const {
        const SectionRecord& section = sections_[place % sections_.size()];
        if (section.records == 0) return kPageDataOffset;
        const std::uint64_t byte = place / sections_.size() % (section.records * section.record_bytes);
        const std::size_t at = record_at(section.first_page, section.record_bytes, byte / section.record_bytes);
        return std::min(at + byte % section.record_bytes, size() - 4);
    }
    static std::size_t record_at(std::uint32_t page, std::size_t bytes, std::uint64_t record) {
        const std::size_t per_page = kPageDataBytes / bytes;
        return (page + record / per_page) * kPageBytes + kPageDataOffset + record % per_page * bytes;
    }
    std::uint32_t get(std::size_t at) const {
        std::uint32_t value;
        std::memcpy(&value, pages_ + at, sizeof value);
        return value;
    }
    void put(std::size_t at, std::uint32_t value) { std::memcpy(pages_ + at, &value, sizeof value); }

    std::uint8_t* pages_;
    std::uint32_t count_;
    ShardHeader header_;
    std::vector<SectionRecord> sections_;
};

/// What a shard is asked.
struct Question {
    std::vector<std::uint8_t> code;
    double radius;
    std::vector<std::uint8_t> dead;
    PostingFilter filter;
    NearestOptions options;
};

/// Steps that a run over so many nodes may take. Far more than it does.
struct StepCount {
    std::uint64_t left;
    void step() { require(left-- > 0, "it ends"); }
};

/// Rows and values of a node that was handed out.
void read_node(const ShardView& view, const LaneView& lane, NodeId node) {
    require(node < lane.nodes, "a node is one of the lane");
    LaneView::PostingRange range{};
    if (!lane.posting_range(node, range)) return;
    std::vector<std::byte> record(view.filters.record_bytes());
    for (std::uint32_t p = range.begin; p < range.end && p < range.begin + 3; ++p) {
        sink = lane.row_id(p).block;
        lane.copy_filter_record(view.filters, p, record.data());
        for (const std::byte byte : record) sink = static_cast<std::uint64_t>(byte);
    }
}

bool comparable(const ShardView& view, const LaneView& lane, const Question& question) {
    return view.metric == Metric::nphd || lane.code_bytes == question.code.size();
}

void search_nearest(const ShardView& view, const Question& question) {
    NearestSearch search;
    search.reset(question.code, question.options);
    std::vector<const LaneView*> lanes;
    std::uint64_t nodes = 0;
    for (const LaneView& lane : view.lanes) {
        if (!comparable(view, lane, question)) continue;
        search.add_lane(lane, question.dead);
        lanes.push_back(&lane);
        nodes += lane.nodes;
    }
    StepCount steps{4 * nodes + 1000};
    NearestHit hit{};
    for (auto step = search.step(hit); step != NearestSearch::Step::end; step = search.step(hit)) {
        steps.step();
        if (step == NearestSearch::Step::more) continue;
        require(hit.lane < lanes.size(), "a lane is one of the search");
        read_node(view, *lanes[hit.lane], hit.node);
        require(search.distance(hit) >= 0, "a distance is a number");
    }
}

void search_within(const ShardView& view, const Question& question) {
    WithinSearch search;
    search.reset(question.code, view.metric, question.radius, question.filter);
    std::vector<const LaneView*> lanes;
    std::uint64_t nodes = 0, hits = 0;
    for (const LaneView& lane : view.lanes) {
        if (!comparable(view, lane, question)) continue;
        search.add_lane(lane, question.dead);
        lanes.push_back(&lane);
        nodes += lane.nodes;
    }
    StepCount steps{4 * nodes + 1000};
    std::vector<WithinHit> found;
    while (search.step(found)) {
        steps.step();
        hits += found.size();
        for (const WithinHit& hit : found) {
            require(hit.lane < lanes.size(), "a lane is one of the search");
            read_node(view, *lanes[hit.lane], hit.node);
        }
    }
    require(hits <= nodes, "no node comes twice");
}

void search_pairs(const ShardView& view, const Question& question) {
    PairSearch search;
    search.reset(view.metric, question.radius / 4);
    std::uint64_t nodes = 0;
    for (const LaneView& lane : view.lanes) {
        search.add_lane(lane, question.dead);
        nodes += lane.nodes;
    }
    StepCount steps{nodes * nodes + 1000};
    std::vector<NodePair> pairs;
    for (bool more = true; more;) {
        steps.step();
        more = search.step(pairs);
        for (const NodePair& pair : pairs) {
            require(pair.lane_b <= pair.lane_a && pair.lane_a < view.lanes.size(), "lanes are those of the search");
            read_node(view, view.lanes[pair.lane_a], pair.node_a);
            read_node(view, view.lanes[pair.lane_b], pair.node_b);
        }
    }
}

void filter_postings(const LaneView& lane, const PostingFilter& filter) {
    FilteredPostings postings;
    postings.start(lane, filter);
    require(postings.candidates() <= lane.postings, "of the postings no more than there are may satisfy it");
    StepCount steps{std::uint64_t{lane.postings} + 1000};
    while (!postings.done()) {
        steps.step();
        std::uint32_t found[64];
        const std::uint32_t n = postings.next(std::size(found), found);
        require(n <= std::size(found), "what is found fits");
        for (std::uint32_t i = 0; i < n; ++i) require(found[i] < lane.postings, "a posting is one of the lane");
    }
}

void look_up(const LaneView& lane, const Question& question) {
    std::vector<std::uint8_t> code = question.code;
    code.resize(lane.code_bytes);
    const NodeId node = find_code(lane, code);
    require(node == kNoNode || (node < lane.nodes && std::ranges::equal(lane.code(node), code)),
            "a node that was looked up has the code");
    std::vector<std::uint8_t> dead(dead_nodes_bytes(lane));
    mark_dead_nodes(lane, question.dead, 0, lane.nodes, dead.data());
    for (const std::uint32_t effort : kEfforts) measured_recall(lane, effort);
    choose_effort(lane, 8 * lane.code_bytes, 0.9);
    effort_for(lane, 8 * lane.code_bytes, 1e4);
    if (!lane.has_graph()) return;
    RandomStream random(1);
    const NodeId sample = sample_node(lane, random);
    require(sample == kNoNode || sample < lane.nodes, "a node of the sample is one of the lane");
}

std::uint64_t check_all(const ShardView& view, const std::uint8_t* pages, std::uint32_t count,
                        const Question& question) {
    ShardCheck check(view, pages, question.dead, 1 << 16);
    ShardFinding finding{};
    std::uint64_t findings = 0;
    StepCount steps{1000000};
    for (auto step = check.step(finding); step != ShardCheck::Step::end; step = check.step(finding)) {
        steps.step();
        if (step != ShardCheck::Step::finding) continue;
        require(finding.what != nullptr && finding.page < count, "a finding says what and where");
        ++findings;
    }
    return findings;
}

/// One condition for some of the columns that there are.
std::vector<ColumnCondition> conditions_of(const ShardView& view, std::uint8_t choice,
                                           std::span<const ValueRange> ranges) {
    std::vector<ColumnCondition> conditions;
    for (std::uint32_t c = 0; c < view.filters.columns; ++c)
        if ((choice >> c & 1) != 0) conditions.push_back({c, (choice & 0x80) != 0, ranges});
    return conditions;
}

void ask(const ShardView& view, const std::uint8_t* pages, std::uint32_t count, std::uint8_t choice, bool sound) {
    const FilterValue low = choice >> 4;
    const ValueRange ranges[] = {{low, low + 20}, {low + 22, low + 100}};
    const std::vector<ColumnCondition> conditions = conditions_of(view, choice, {ranges, std::size_t{1} + choice % 2});
    Question question;
    question.filter = {conditions};
    question.radius = view.metric == Metric::hamming ? choice % 40 : choice % 8 / 16.0;
    if ((choice & 0x20) != 0) question.dead.assign(static_cast<std::size_t>(view.postings % 4096 / 8), 0x11);
    const std::uint64_t findings = check_all(view, pages, count, question);
    require(!sound || findings == 0, "there is nothing to be found in a sound shard");
    for (const LaneView& lane : view.lanes) {
        // A stored code, and one that is near it.
        const auto stored = lane.code(choice % lane.nodes);
        question.code.assign(stored.begin(), stored.end());
        look_up(lane, question);
        if (!question.code.empty()) question.code[0] ^= 1;
        question.options.metric = view.metric;
        question.options.exact = (choice & 1) != 0;
        question.options.recall = (choice & 2) != 0 ? 0.9 : 0;
        question.options.filter = (choice & 4) != 0 ? question.filter : PostingFilter{};
        search_nearest(view, question);
        search_within(view, question);
    }
    view.each_lane([&](const LaneView& lane) { filter_postings(lane, question.filter); });
    if ((choice & 0x40) != 0) search_pairs(view, question);
}

}  // namespace
}  // namespace nphd::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace nphd;
    using namespace nphd::fuzz;
    Bytes input(data, size);
    const SeedShard& seed = seed_shards()[input.byte() % seed_shards().size()];
    const std::uint8_t choice = input.byte();
    const bool sound = input.empty();
    // A block of its own, so that a byte outside of the pages is noticed.
    const std::unique_ptr<std::uint8_t, void (*)(void*)> pages(
        static_cast<std::uint8_t*>(std::aligned_alloc(kPageBytes, seed.pages.size())), std::free);
    std::memcpy(pages.get(), seed.pages.data(), seed.pages.size());
    Damage damage(pages.get(), seed.count);
    for (std::uint32_t i = 0; i < kMostChanges && !input.empty(); ++i) damage.apply(input);

    ShardView view;
    ShardDamage seen{};
    if (open_shard(pages.get(), seed.count, kIncarnation, kGeneration, view, seen)) {
        ask(view, pages.get(), seed.count, choice, sound);
    } else {
        require(!sound, "a sound shard opens");
        require(seen.what != nullptr && seen.page < seed.count, "the damage has a name and a place");
    }
    return 0;
}
