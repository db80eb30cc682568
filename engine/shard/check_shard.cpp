// A lane is checked in passes, each resumable at any record. A pass does not rely on what an earlier one found wrong:
// ids are compared with table sizes before they are followed, and what needs sound posting offsets is left out without
// them.

#include "engine/shard/check_shard.hpp"

#include <algorithm>
#include <bit>
#include <cstring>
#include <vector>

#include "engine/shard/bloom_filter.hpp"
#include "engine/shard/code_chunks.hpp"
#include "engine/shard/lane_input.hpp"
#include "engine/shard/packed_numbers.hpp"
#include "engine/shard/record_hash.hpp"

namespace nphd {

namespace {

constexpr std::uint64_t kSliceWork = std::uint64_t{1} << 18;  // some nanoseconds each
constexpr std::size_t kStackNodes = 65536;
constexpr std::uint32_t kMostProbes = 4096;
constexpr std::uint32_t kMostEntryPoints = 1024, kMostUnlevelledEntryPoints = 64;  // no search begins with more
constexpr std::uint64_t kLiveNodesPerUnreached = 1000;  // more than one in so many is worth a warning

enum Fault : unsigned {
    padding,
    repeated_code,
    offsets,
    row_id,
    row_order,
    level_node,
    level_below,
    level_repeated,
    level_link_range,
    level_link_self,
    level_link_repeated,
    link_range,
    link_self,
    link_repeated,
    bloom,
    bucket_starts,
    bucket_node,
    bucket_repeated,
    bucket_hash,
    chunk_starts,
    chunk_node,
    chunk_order,
    chunk_value,
    null_value,
    value_missed,
    order_short,
    order_posting,
    order_repeated,
    order_sequence,
    order_fence,
    posting_node,
    unreached,
    kFaults
};

constexpr const char* kWhat[kFaults] = {
    "a code with bits behind its end",
    "a code that another node has too",
    "a posting list out of range or out of order",
    "an impossible row id",
    "row ids of a code out of order",
    "a level entry for a node that does not exist",
    "a level entry that stands over another node",
    "a node twice on one level",
    "a link to an entry that its level does not have",
    "a link of a level entry to itself",
    "a link of a level entry that occurs twice",
    "a link to a node that the lane does not have",
    "a link of a node to itself",
    "a link of a node that occurs twice",
    "a code that the bloom filter does not have",
    "a bucket of the key directory out of range or out of order",
    "a node in the key directory that does not exist",
    "a node twice in the key directory",
    "a node in the key directory under another hash",
    "a value of a radius table out of range or out of order",
    "a node in a radius table that does not exist",
    "nodes of a radius table out of order",
    "a node in a radius table under another value",
    "a filter value of a row where it is NULL",
    "a filter value that the bloom filter does not have",
    "a value order that has not all rows with a value",
    "a row in a value order that does not exist or is NULL",
    "a row twice in a value order",
    "rows of a value order out of order",
    "a fence of a value order that is not the value at its place",
    "a row under another node than its posting list",
    "live codes that the graph's links do not lead to",
};

class NodeSet {
public:
    void reserve(std::uint32_t nodes) { words_.resize(std::size_t{nodes} / 64 + 1); }
    void clear() noexcept { std::fill(words_.begin(), words_.end(), 0); }
    bool has(NodeId n) const noexcept { return words_[n / 64] >> n % 64 & 1; }
    void add(NodeId n) noexcept { words_[n / 64] |= std::uint64_t{1} << n % 64; }
    std::uint64_t word(std::size_t i) const noexcept { return words_[i]; }

private:
    std::vector<std::uint64_t> words_;
};

}  // namespace

struct ShardCheck::State {
    const ShardView& view;
    const std::uint8_t* pages;
    std::span<const std::uint8_t> tombstones;

    // Where the check is.
    enum class Pass {
        codes,
        distinct,
        offsets,
        rows,
        entries,
        level_links,
        links,
        bloom,
        buckets,
        bucket_nodes,
        chunks,
        chunk_nodes,
        filter_values,
        value_orders,
        posting_nodes,
        enter,
        reach,
        unreached,
        report
    };
    std::size_t lane_number = 0;
    Pass pass = Pass::codes;
    std::uint32_t at = 0;  // record of the pass
    std::uint64_t work = 0;
    std::uint32_t round = 0;  // of the search for repeated codes
    std::uint32_t level = 0;
    NodeId node = 0;          // of posting `at`
    std::uint32_t chunk = 0;  // of the radius tables
    std::uint32_t value = 0;  // bucket or value that place `at` belongs to
    std::uint32_t column = 0;
    std::uint32_t filled = 0;  // rows of the column so far that are not NULL

    // What it found in the lane.
    struct Met {
        std::uint64_t count;
        std::uint32_t page;
    };
    Met met[kFaults] = {};
    NodeId last_live = kNoNode;
    std::uint64_t live = 0, live_unreached = 0;
    std::uint32_t unreached_page = 0;

    std::vector<NodeId> slots;  // nodes by the hash of their code; a power of two of them
    NodeSet seen;               // met on a level or in a table, or reached; of nodes or of postings
    NodeSet expanded;
    std::vector<NodeId> stack;  // reached and not expanded, as far as there was room
    bool stack_overflowed = false, sweeping = false;

    State(const ShardView& v, const std::uint8_t* p, std::span<const std::uint8_t> t, std::size_t memory)
        : view(v), pages(p), tombstones(t) {
        std::uint32_t nodes = 0, postings = 0;
        v.each_lane([&](const LaneView& l) {
            nodes = std::max(nodes, l.nodes);
            postings = std::max(postings, l.postings);
        });
        seen.reserve(v.filters.columns == 0 ? nodes : std::max(nodes, postings));
        expanded.reserve(nodes);
        stack.reserve(kStackNodes);
        const std::size_t most = std::bit_floor(std::max<std::size_t>(memory / sizeof(NodeId), 4096));
        slots.resize(std::min(most, std::bit_ceil(std::size_t{nodes} * 2 + 1)));
    }

    std::size_t lanes() const noexcept { return view.lanes.size() + (view.codeless.postings != 0 ? 1 : 0); }
    bool codeless() const noexcept { return lane_number == view.lanes.size(); }
    const LaneView& lane() const noexcept { return codeless() ? view.codeless : view.lanes[lane_number]; }
    std::uint32_t page_of(const std::byte* record) const noexcept {
        return static_cast<std::uint32_t>(
            static_cast<std::size_t>(reinterpret_cast<const std::uint8_t*>(record) - pages) / kPageBytes);
    }
    void add(Fault fault, const std::byte* record) noexcept {
        if (met[fault].count++ == 0) met[fault].page = page_of(record);
    }
    bool dead(std::uint64_t posting) const noexcept {
        return posting / 8 < tombstones.size() && (tombstones[posting / 8] >> posting % 8 & 1) != 0;
    }

    /// f(i), which counts its work, for records from `at` below `count`; false when the slice ended before them.
    template <class F>
    bool records(std::uint32_t count, F&& f) noexcept {
        for (; at < count; ++at) {
            if (work >= kSliceWork) return false;
            f(at);
        }
        at = 0;
        return true;
    }

    bool check_codes() noexcept {
        const LaneView& l = lane();
        const std::uint32_t record_bytes = record_bytes_for(l.code_bytes);
        return records(l.nodes, [&](NodeId n) {
            work += 2;
            const std::byte* const code = l.codes.at(n);
            for (std::uint32_t i = l.code_bytes; i < record_bytes; ++i)
                if (code[i] != std::byte{0}) return add(padding, code);
        });
    }

    /// Puts the nodes of a share of the hashes into the table, which is then half full.
    bool check_distinct() noexcept {
        const LaneView& l = lane();
        const std::uint64_t rounds = (std::uint64_t{l.nodes} * 2 + slots.size() - 1) / slots.size();
        const std::uint32_t record_bytes = record_bytes_for(l.code_bytes);
        for (; round < rounds; ++round) {
            if (at == 0) std::fill(slots.begin(), slots.end(), kNoNode);
            const bool whole = records(l.nodes, [&](NodeId n) {
                work += 4 + record_bytes / 16;
                const std::uint64_t hash = hash_record(l.codes.at(n), record_bytes);
                if ((hash >> 32) * rounds >> 32 == round) find_or_insert(n, hash, record_bytes);
            });
            if (!whole) return false;
        }
        round = 0;
        return true;
    }

    void find_or_insert(NodeId n, std::uint64_t hash, std::uint32_t record_bytes) noexcept {
        const RecordArray& codes = lane().codes;
        std::size_t slot = hash & (slots.size() - 1);
        for (std::uint32_t probe = 0; probe < kMostProbes; ++probe, slot = (slot + 1) & (slots.size() - 1)) {
            work += 10;
            if (slots[slot] == kNoNode) {
                slots[slot] = n;
                return;
            }
            if (std::memcmp(codes.at(slots[slot]), codes.at(n), record_bytes) == 0)
                return add(repeated_code, codes.at(n));
        }
    }

    bool check_offsets() noexcept {
        const LaneView& l = lane();
        return records(l.nodes, [&](NodeId n) {
            work += 2;
            LaneView::PostingRange range{};
            const bool good = l.posting_range(n, range) && range.begin < range.end && (n > 0 || range.begin == 0) &&
                              (n + 1 < l.nodes || range.end == l.postings);
            if (!good) add(offsets, l.posting_offsets.at(n));
        });
    }

    /// The node of posting `p`, which only grows; the offsets were sound when they were looked at.
    void follow(std::uint32_t p) noexcept {
        const LaneView& l = lane();
        while (node + 1 < l.nodes && p >= l.posting_offsets.number(node + 1)) ++node;
    }

    bool check_rows() noexcept {
        const LaneView& l = lane();
        const bool sound = met[offsets].count == 0;
        const bool whole = records(l.postings, [&](std::uint32_t p) {
            work += 4;
            const RowId row = l.row_id(p);
            if (row.block == 0xFFFFFFFFu || row.offset == 0) add(row_id, l.row_ids.at(p));
            if (!sound) return;
            follow(p);
            if (p > l.posting_offsets.number(node) && row < l.row_id(p - 1)) add(row_order, l.row_ids.at(p));
        });
        if (whole) node = 0;
        return whole;
    }

    bool check_entries() noexcept {
        const LaneView& l = lane();
        for (; level < l.levels; ++level) {
            if (at == 0) seen.clear();
            const LevelView& here = l.level[level];
            const std::uint32_t below_count = level == 0 ? l.nodes : l.level[level - 1].entries.count;
            const bool whole = records(here.entries.count, [&](std::uint32_t i) {
                work += 10;
                const auto e = here.entries.value<UpperEntry>(i);
                if (e.node >= l.nodes) return add(level_node, here.entries.at(i));
                const bool over =
                    e.below < below_count &&
                    (level == 0 ? e.below : l.level[level - 1].entries.value<UpperEntry>(e.below).node) == e.node;
                if (!over) add(level_below, here.entries.at(i));
                if (seen.has(e.node)) add(level_repeated, here.entries.at(i));
                seen.add(e.node);
            });
            if (!whole) return false;
        }
        level = 0;
        return true;
    }

    /// One record of links of a table with `count` records.
    void check_list(const RecordArray& links, std::uint32_t i, std::uint32_t degree, std::uint32_t count,
                    Fault range) noexcept {
        const auto kind = [range](unsigned n) { return static_cast<Fault>(range + n); };
        const LinkList list(links, i);
        std::uint32_t ids[kMaxDegree];
        std::uint32_t* end = ids;
        while (end < ids + degree && (*end = list[static_cast<std::uint32_t>(end - ids)]) != list.none()) ++end;
        work += 10 + 4 * static_cast<std::uint64_t>(end - ids);
        std::sort(ids, end);
        if (end != ids && end[-1] >= count) add(kind(0), links.at(i));
        if (std::binary_search(ids, end, i)) add(kind(1), links.at(i));
        if (std::adjacent_find(ids, end) != end) add(kind(2), links.at(i));
    }

    bool check_level_links() noexcept {
        const LaneView& l = lane();
        for (; level < l.levels; ++level) {
            const RecordArray& links = l.level[level].links;
            if (!records(links.count,
                         [&](std::uint32_t i) { check_list(links, i, l.upper_degree, links.count, level_link_range); }))
                return false;
        }
        level = 0;
        return true;
    }

    bool check_links() noexcept {
        const LaneView& l = lane();
        return records(l.has_graph() ? l.nodes : 0,
                       [&](NodeId n) { check_list(l.links, n, l.degree, l.nodes, link_range); });
    }

    bool check_bloom() noexcept {
        const LaneView& l = lane();
        return records(l.has_directory() ? l.nodes : 0, [&](NodeId n) {
            work += 10 + l.codes.record_bytes / 16;
            const std::byte* const code = l.codes.at(n);
            if (!bloom_may_contain(l.bloom, hash_record(code, record_bytes_for(l.code_bytes)))) add(bloom, code);
        });
    }

    /// Starts `first` + i, i from 0 to `values`: they ascend from 0 to the number of nodes.
    bool check_starts(const RecordArray& starts, std::uint32_t first, std::uint32_t values, Fault fault) noexcept {
        return records(values + 1, [&](std::uint32_t i) {
            work += 2;
            const std::uint32_t start = starts.number(first + i);
            const bool good = (i > 0 ? start >= starts.number(first + i - 1) : start == 0) &&
                              (i < values ? start <= lane().nodes : start == lane().nodes);
            if (!good) add(fault, starts.at(first + i));
        });
    }

    bool check_buckets() noexcept {
        const LaneView& l = lane();
        if (at == 0) seen.clear();
        return !l.has_directory() || check_starts(l.directory_starts, 0, l.directory_starts.count - 1, bucket_starts);
    }

    /// The value that has place `place`, which only grows; the starts were sound when they were looked at.
    void follow_value(const RecordArray& starts, std::uint32_t first, std::uint32_t values,
                      std::uint32_t place) noexcept {
        for (; value + 1 < values && place >= starts.number(first + value + 1); ++value) work += 2;
    }

    /// As many places as nodes, and no node has two: each has one.
    bool check_bucket_nodes() noexcept {
        const LaneView& l = lane();
        if (!l.has_directory()) return true;
        const bool sound = met[bucket_starts].count == 0;
        const bool whole = records(l.nodes, [&](std::uint32_t i) {
            work += 20 + l.codes.record_bytes / 16;
            const NodeId n = l.directory_nodes.number(i);
            if (n >= l.nodes) return add(bucket_node, l.directory_nodes.at(i));
            if (seen.has(n)) return add(bucket_repeated, l.directory_nodes.at(i));
            seen.add(n);
            if (!sound) return;
            follow_value(l.directory_starts, 0, l.directory_starts.count - 1, i);
            const std::uint64_t hash = hash_record(l.codes.at(n), record_bytes_for(l.code_bytes));
            if ((l.directory_bits == 0 ? 0 : hash >> (64 - l.directory_bits)) != value)
                add(bucket_hash, l.directory_nodes.at(i));
        });
        if (whole) value = 0;
        return whole;
    }

    bool check_chunks() noexcept {
        const LaneView& l = lane();
        const std::uint32_t values = 1u << l.chunk_bits;
        for (; chunk < l.chunks; ++chunk)
            if (!check_starts(l.chunk_starts, chunk * (values + 1), values, chunk_starts)) return false;
        chunk = 0;
        return true;
    }

    /// As many places as nodes, and ascending under the right value no node has two: each has one.
    bool check_chunk_nodes() noexcept {
        constexpr std::uint32_t kAhead = 16;
        const LaneView& l = lane();
        if (met[chunk_starts].count > 0) return true;
        const std::uint32_t values = 1u << l.chunk_bits;
        for (; chunk < l.chunks; ++chunk) {
            const std::uint32_t first = chunk * l.nodes;
            const bool whole = records(l.nodes, [&](std::uint32_t i) {
                work += 10;
                if (i + kAhead < l.nodes) {
                    const NodeId ahead = l.chunk_nodes.number(first + i + kAhead);
                    if (ahead < l.nodes) __builtin_prefetch(l.codes.at(ahead) + chunk * l.chunk_bits / 64 * 8);
                }
                const std::uint32_t before = value;
                follow_value(l.chunk_starts, chunk * (values + 1), values, i);
                const NodeId n = l.chunk_nodes.number(first + i);
                const std::byte* const place = l.chunk_nodes.at(first + i);
                if (n >= l.nodes) return add(chunk_node, place);
                if (i > 0 && value == before && n <= l.chunk_nodes.number(first + i - 1)) add(chunk_order, place);
                if (code_chunk(l.codes.at(n), chunk, l.chunk_bits) != value) add(chunk_value, place);
            });
            if (!whole) return false;
            value = 0;
        }
        chunk = 0;
        return true;
    }

    bool check_filter_values() noexcept {
        const LaneView& l = lane();
        for (; column < l.filters.size(); ++column) {
            const FilterColumnView& c = l.filters[column];
            const bool whole = records(l.postings, [&](std::uint32_t p) {
                work += 10;
                const FilterValue v = c.value(p);
                const bool null = c.is_null(p);
                filled += !null;
                if (null && v != 0) add(null_value, c.values.at(p));
                if (!null && c.has_order() && !bloom_may_contain(c.bloom, hash_filter_value(v)))
                    add(value_missed, c.values.at(p));
            });
            if (!whole) return false;
            if (c.has_order() && c.order.count != filled)
                add(order_short, c.order.count != 0 ? c.order.at(0) : c.bloom.at(0));
            filled = 0;
        }
        column = 0;
        return true;
    }

    void check_place(const FilterColumnView& c, std::uint32_t place) noexcept {
        const LaneView& l = lane();
        const std::byte* const record = c.order.at(place);
        const std::uint32_t p = c.order.number(place);
        if (p >= l.postings || c.is_null(p)) return add(order_posting, record);
        if (seen.has(p)) return add(order_repeated, record);
        seen.add(p);
        const FilterValue v = c.value(p);
        if (place > 0) {
            const std::uint32_t before = c.order.number(place - 1);
            if (before < l.postings && !c.is_null(before) &&
                (c.value(before) > v || (c.value(before) == v && before >= p)))
                add(order_sequence, record);
        }
        if (place % kFenceStride != 0) return;
        const std::byte* const fence = c.fences.at(place / kFenceStride);
        if (load_filter_value(fence, c.fences.record_bytes) != v) add(order_fence, fence);
    }

    /// As many places as rows with a value, and no row has two: each has one.
    bool check_value_orders() noexcept {
        const LaneView& l = lane();
        for (; column < l.filters.size(); ++column) {
            const FilterColumnView& c = l.filters[column];
            if (!c.has_order()) continue;
            if (at == 0) seen.clear();
            if (!records(c.order.count, [&](std::uint32_t i) {
                    work += 40;
                    check_place(c, i);
                }))
                return false;
        }
        column = 0;
        return true;
    }

    bool check_posting_nodes() noexcept {
        const LaneView& l = lane();
        if (l.posting_nodes.count == 0 || met[offsets].count > 0) return true;
        const bool whole = records(l.postings, [&](std::uint32_t p) {
            work += 4;
            follow(p);
            if (l.posting_nodes.number(p) != node) add(posting_node, l.posting_nodes.at(p));
        });
        if (whole) node = 0;
        return whole;
    }

    void reach(NodeId n) noexcept {
        if (n >= lane().nodes || seen.has(n)) return;
        seen.add(n);
        if (stack.size() < kStackNodes)
            stack.push_back(n);
        else
            stack_overflowed = true;
    }

    /// What a search always begins with.
    bool enter() noexcept {
        const LaneView& l = lane();
        if (!l.has_graph()) return true;
        seen.clear();
        expanded.clear();
        stack.clear();
        stack_overflowed = false;
        if (l.levels == 0)
            for (NodeId n = 0; n < kMostUnlevelledEntryPoints; ++n) reach(n);
        else
            for (std::uint32_t i = 0; i < std::min(l.level[l.levels - 1].entries.count, kMostEntryPoints); ++i)
                reach(l.level[l.levels - 1].entries.value<UpperEntry>(i).node);
        return true;
    }

    void expand(NodeId n) noexcept {
        const LaneView& l = lane();
        expanded.add(n);
        work += 10 + 4 * std::uint64_t{l.degree};
        const LinkList links(l.links, n);
        for (std::uint32_t i = 0; i < l.degree; ++i) {
            if (links[i] == links.none()) return;
            reach(links[i]);
        }
    }

    /// Depth first. Nodes that found no room on the stack are looked for in the sets, word by word, until all are
    /// expanded.
    bool check_reach() noexcept {
        const LaneView& l = lane();
        if (!l.has_graph()) return true;
        for (;;) {
            while (!stack.empty()) {
                if (work >= kSliceWork) return false;
                const NodeId n = stack.back();
                stack.pop_back();
                expand(n);
            }
            if (!sweeping) {
                if (!stack_overflowed) return true;
                stack_overflowed = false;
                sweeping = true;
            }
            for (; at <= (l.nodes - 1) / 64 && stack.empty(); ++at) {
                if (++work >= kSliceWork) return false;
                for (std::uint64_t left = seen.word(at) & ~expanded.word(at); left != 0; left &= left - 1)
                    stack.push_back(at * 64 + static_cast<NodeId>(std::countr_zero(left)));
            }
            if (stack.empty()) {
                sweeping = false;
                at = 0;
            }
        }
    }

    bool check_unreached() noexcept {
        const LaneView& l = lane();
        if (!l.has_graph() || met[offsets].count > 0) return true;
        const bool whole = records(l.postings, [&](std::uint32_t p) {
            work += 2;
            if (dead(l.posting_base + p)) return;
            follow(p);
            if (node == last_live) return;
            last_live = node;
            ++live;
            if (seen.has(node)) return;
            if (live_unreached++ == 0) unreached_page = page_of(l.links.at(node));
        });
        if (!whole) return false;
        if (live_unreached * kLiveNodesPerUnreached > live) met[unreached] = {live_unreached, unreached_page};
        return true;
    }

    bool report(ShardFinding& out) noexcept {
        for (; at < kFaults; ++at) {
            if (met[at].count == 0) continue;
            out = {kWhat[at], codeless(), lane().code_bytes, met[at].page, met[at].count, at == unreached};
            ++at;
            return true;
        }
        return false;
    }

    void next_lane() noexcept {
        ++lane_number;
        pass = Pass::codes;
        at = 0;
        std::fill(std::begin(met), std::end(met), Met{});
        node = 0;
        last_live = kNoNode;
        live = live_unreached = 0;
    }

    /// Whether the pass came to its end.
    bool run_pass() noexcept {
        switch (pass) {
            case Pass::codes:
                return check_codes();
            case Pass::distinct:
                return check_distinct();
            case Pass::offsets:
                return check_offsets();
            case Pass::rows:
                return check_rows();
            case Pass::entries:
                return check_entries();
            case Pass::level_links:
                return check_level_links();
            case Pass::links:
                return check_links();
            case Pass::bloom:
                return check_bloom();
            case Pass::buckets:
                return check_buckets();
            case Pass::bucket_nodes:
                return check_bucket_nodes();
            case Pass::chunks:
                return check_chunks();
            case Pass::chunk_nodes:
                return check_chunk_nodes();
            case Pass::filter_values:
                return check_filter_values();
            case Pass::value_orders:
                return check_value_orders();
            case Pass::posting_nodes:
                return check_posting_nodes();
            case Pass::enter:
                return enter();
            case Pass::reach:
                return check_reach();
            default:
                return check_unreached();
        }
    }
};

ShardCheck::ShardCheck(const ShardView& view, const std::uint8_t* pages, std::span<const std::uint8_t> tombstones,
                       std::size_t memory)
    : state_(std::make_unique<State>(view, pages, tombstones, memory)) {}

ShardCheck::~ShardCheck() = default;

ShardCheck::Step ShardCheck::step(ShardFinding& out) noexcept {
    State& s = *state_;
    s.work = 0;
    while (s.lane_number < s.lanes()) {
        if (s.pass == State::Pass::report) {
            if (s.report(out)) return Step::finding;
            s.next_lane();
            continue;
        }
        if (!s.run_pass()) return Step::more;
        s.pass = static_cast<State::Pass>(static_cast<int>(s.pass) + 1);
        if (s.work >= kSliceWork) return Step::more;
    }
    return Step::end;
}

}  // namespace nphd
