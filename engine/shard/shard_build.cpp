#include "engine/shard/shard_build.hpp"

#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstring>
#include <optional>
#include <stdexcept>
#include <thread>

#include "engine/search/calibration.hpp"
#include "engine/shard/deduplicate.hpp"
#include "engine/shard/lane_input.hpp"
#include "engine/shard/shard_layout.hpp"

namespace nphd {

namespace {

constexpr std::uint32_t kBlock = 16384;  // nodes per task of the copying loops

template <class F>
void for_blocks(unsigned threads, std::uint32_t n, Progress& progress, F&& f) {
    parallel_for(threads, (std::size_t{n} + kBlock - 1) / kBlock, [&](std::size_t block) {
        progress.check();
        const auto from = static_cast<std::uint32_t>(block * kBlock);
        f(from, from + std::min(kBlock, n - from));
    });
}

/// Makes one lane's arrays, and frees the input on the way. Bytes per row while it runs, R = record_bytes, u = distinct
/// codes per row: 14 + R + u (R + 8) when the codes of the input are released, 14 + u (2 R + 12) while the nodes are
/// renumbered, then 6 + u (R + 4 + 8 m) and what build_graph takes on top, which is the peak of a lane with a graph.
/// In the end come the look-up tables, some 6 u and, for radius tables of 256 bits, 52 u more. Filter columns take
/// their width twice while postings are collected, then once, and up to 32 for each while it is put in order. Rows of
/// one code that do not come in the order of their row ids take 12 more while they are put into it.
/// Measured with 256-bit codes, all distinct, m = 16: 100 without a graph; with one 432 at the peak and 228 in the end.
class LaneBuilder {
public:
    LaneBuilder(std::unique_ptr<LaneInput> input, bool codeless, const ShardOptions& options, unsigned threads,
                MemoryBudget& budget, Progress& progress)
        : input_(std::move(input)), options_(options), threads_(threads), budget_(budget), progress_(progress) {
        lane_.record.codeless = codeless ? 1 : 0;
    }

    LaneData run() {
        LaneRecord& r = lane_.record;
        r.code_bytes = input_->code_bytes();
        r.record_bytes = input_->record_bytes();
        r.postings = input_->rows();
        progress_.begin(Progress::deduplicate, input_->rows());
        groups_ = group_equal_codes(*input_, threads_, budget_, progress_);
        r.nodes = groups_.groups;
        if (wants_graph()) {
            number_by_locality();
            collect_postings();
            connect();
        } else {
            number_by_bytes();
            collect_postings();
        }
        add_lookup_tables();
        add_value_orders();
        lane_.posting_offsets = PackedNumbers(std::move(posting_offsets_), number_bytes(r.postings));
        return std::move(lane_);
    }

private:
    bool wants_graph() const noexcept {
        const LaneRecord& r = lane_.record;
        // A scan's time per code has a part that does not depend on the length, about as large as that for 32 bytes.
        return r.code_bytes > 0 && r.nodes > 1 &&
               std::uint64_t{r.nodes} * (32 + r.record_bytes) >= std::uint64_t{options_.graph_threshold} * 64;
    }
    GraphOptions graph_options() const noexcept {
        GraphOptions g;
        g.metric = options_.metric;
        g.m = options_.m;
        g.ef_construction = options_.ef_construction;
        g.seed = options_.seed;
        if (options_.metric == Metric::nphd && lane_.record.code_bytes > options_.prefix_bytes)
            g.prefix_bytes = options_.prefix_bytes;
        return g;
    }
    const std::byte* group_code(std::uint32_t group) const noexcept {
        return input_->code(groups_.row(groups_.first[group]));
    }
    std::size_t at(std::uint32_t node) const noexcept { return std::size_t{node} * lane_.record.record_bytes; }
    LargeArray<std::byte> code_array() const {
        return {budget_, std::size_t{lane_.record.nodes} * lane_.record.record_bytes};
    }

    void number_by_bytes() {
        const LaneRecord& r = lane_.record;
        progress_.begin(Progress::order, r.nodes);
        group_of_ = LargeArray<NodeId>(budget_, r.nodes);
        for (std::uint32_t i = 0; i < r.nodes; ++i) group_of_[i] = i;
        std::sort(group_of_.begin(), group_of_.end(), [&](NodeId a, NodeId b) {
            progress_.check();
            return std::memcmp(group_code(a), group_code(b), r.record_bytes) < 0;
        });
        if (options_.sort_by_filter) sort_by_filter();
        lane_.codes = code_array();
        for_blocks(threads_, r.nodes, progress_, [&](std::uint32_t from, std::uint32_t to) {
            for (std::uint32_t i = from; i < to; ++i)
                std::memcpy(lane_.codes.data() + at(i), group_code(group_of_[i]), r.record_bytes);
        });
        input_->release_codes();
    }

    void number_by_locality() {
        const LaneRecord& r = lane_.record;
        progress_.begin(Progress::order, r.nodes);
        LargeArray<std::byte> grouped = code_array();
        for_blocks(threads_, r.nodes, progress_, [&](std::uint32_t from, std::uint32_t to) {
            for (std::uint32_t i = from; i < to; ++i)
                std::memcpy(grouped.data() + at(i), group_code(i), r.record_bytes);
        });
        input_->release_codes();
        group_of_ = locality_order(RecordArray::plain(grouped.data(), r.record_bytes, r.nodes), r.code_bytes,
                                   graph_options(), threads_, budget_, progress_);
        if (options_.sort_by_filter) sort_by_filter();
        lane_.codes = code_array();
        for_blocks(threads_, r.nodes, progress_, [&](std::uint32_t from, std::uint32_t to) {
            for (std::uint32_t i = from; i < to; ++i)
                std::memcpy(lane_.codes.data() + at(i), grouped.data() + at(group_of_[i]), r.record_bytes);
        });
    }

    /// Renumbers the nodes by the least value of the first filter column among their rows.
    void sort_by_filter() {
        const FilterLayout& layout = input_->layout();
        if (layout.columns == 0) return;
        struct Key {
            FilterValue value;
            bool null;  // in all rows; these come last
            std::uint32_t place;
            NodeId group;
        };
        const std::uint32_t nodes = lane_.record.nodes;
        LargeArray<Key> keys(budget_, nodes);
        for_blocks(threads_, nodes, progress_, [&](std::uint32_t from, std::uint32_t to) {
            for (std::uint32_t i = from; i < to; ++i) {
                const NodeId group = group_of_[i];
                Key key{~FilterValue{0}, true, i, group};
                for (std::uint32_t p = groups_.first[group]; p < groups_.first[group + 1]; ++p) {
                    const std::byte* const record = input_->filters(groups_.row(p));
                    if (filter_is_null(record, 0)) continue;
                    key.null = false;
                    key.value = std::min(key.value, load_filter_value(record + layout.offset(0), layout.width[0]));
                }
                keys[i] = key;
            }
        });
        std::sort(keys.begin(), keys.end(), [&](const Key& a, const Key& b) {
            progress_.check();
            if (a.null != b.null) return b.null;
            return a.value != b.value ? a.value < b.value : a.place < b.place;
        });
        for (std::uint32_t i = 0; i < nodes; ++i) group_of_[i] = keys[i].group;
    }

    /// Posting lists in the order of the nodes, row ids ascending, each with its filter values; then only the final
    /// arrays are left.
    void collect_postings() {
        const LaneRecord& r = lane_.record;
        posting_offsets_ = LargeArray<std::uint32_t>(budget_, std::size_t{r.nodes} + 1);
        std::uint32_t sum = 0;
        for (std::uint32_t i = 0; i < r.nodes; ++i) {
            posting_offsets_[i] = sum;
            sum += groups_.size(group_of_[i]);
        }
        posting_offsets_[r.nodes] = sum;
        lane_.row_ids = LargeArray<PackedRowId>(budget_, r.postings);
        create_filter_columns();
        for_blocks(threads_, r.nodes, progress_, [&](std::uint32_t from, std::uint32_t to) {
            for (std::uint32_t i = from; i < to; ++i) {
                const NodeId group = group_of_[i];
                // Nobody else needs the group's part of the order any more.
                std::uint64_t* const begin = groups_.order.data() + groups_.first[group];
                std::uint64_t* const end = groups_.order.data() + groups_.first[group + 1];
                sort_by_row_id(begin, end);
                std::uint32_t posting = posting_offsets_[i];
                for (const std::uint64_t* p = begin; p != end; ++p)
                    put_posting(posting++, static_cast<std::uint32_t>(*p));
            }
        });
        groups_ = {};
        group_of_ = {};
        input_.reset();
    }

    /// Sorts entries of the groups' order by the row ids of their rows. Where there are many, beside a copy of the row
    /// ids: each comparison would miss the cache twice otherwise.
    void sort_by_row_id(std::uint64_t* begin, std::uint64_t* end) const {
        constexpr std::size_t kMany = 4096;
        const auto id_of = [this](std::uint64_t entry) {
            return input_->row_id(static_cast<std::uint32_t>(entry)).unpack();
        };
        const auto ascending = [&](std::uint64_t a, std::uint64_t b) {
            progress_.check();
            return id_of(a) < id_of(b);
        };
        if (std::is_sorted(begin, end, ascending)) return;
        const auto rows = static_cast<std::size_t>(end - begin);
        if (rows < kMany) return std::sort(begin, end, ascending);
        struct Row {
            RowId id;
            std::uint32_t number;
        };
        LargeArray<Row> sorted(budget_, rows);
        for (std::size_t i = 0; i < rows; ++i) sorted[i] = {id_of(begin[i]), static_cast<std::uint32_t>(begin[i])};
        std::sort(sorted.begin(), sorted.end(), [&](const Row& a, const Row& b) {
            progress_.check();
            return a.id < b.id;
        });
        for (std::size_t i = 0; i < rows; ++i) begin[i] = sorted[i].number;
    }

    void create_filter_columns() {
        const std::uint32_t postings = lane_.record.postings;
        const FilterLayout& layout = input_->layout();
        lane_.filters.resize(layout.columns);
        for (std::uint32_t c = 0; c < layout.columns; ++c) {
            lane_.filters[c].values = LargeArray<std::byte>(budget_, std::size_t{postings} * layout.width[c]);
            if (input_->has_null(c))
                lane_.filters[c].nulls = LargeArray<std::uint64_t>(budget_, (std::size_t{postings} + 63) / 64);
        }
    }

    void put_posting(std::uint32_t posting, std::uint32_t row) noexcept {
        lane_.row_ids[posting] = input_->row_id(row);
        const FilterLayout& layout = input_->layout();
        if (layout.columns == 0) return;
        const std::byte* const record = input_->filters(row);
        const std::byte* value = record + 1;
        for (std::uint32_t c = 0; c < layout.columns; value += layout.width[c++]) {
            LaneData::FilterColumn& column = lane_.filters[c];
            if (!filter_is_null(record, c))
                std::memcpy(column.values.data() + std::size_t{posting} * layout.width[c], value, layout.width[c]);
            else  // the word may be another thread's too
                std::atomic_ref(column.nulls[posting / 64]).fetch_or(std::uint64_t{1} << posting % 64);
        }
    }

    void connect() {
        LaneRecord& r = lane_.record;
        Graph graph = build_graph(RecordArray::plain(lane_.codes.data(), r.record_bytes, r.nodes), r.code_bytes,
                                  graph_options(), threads_, budget_, progress_);
        r.degree = graph.degree;
        r.upper_degree = graph.upper_degree;
        r.prefix_bytes = graph_options().prefix_bytes;
        lane_.links = PackedNumbers(std::move(graph.links), number_bytes(r.nodes));
        if (graph.levels.size() > kMaxLevels) throw std::length_error("a graph has too many levels");
        r.levels = static_cast<std::uint32_t>(graph.levels.size());
        lane_.levels.resize(graph.levels.size());
        for (std::size_t l = 0; l < graph.levels.size(); ++l) {
            GraphLevel& from = graph.levels[l];
            auto& to = lane_.levels[l];
            r.level_entries[l] = static_cast<std::uint32_t>(from.node.size());
            to.entries.resize(from.node.size());
            for (std::size_t i = 0; i < from.node.size(); ++i) to.entries[i] = {from.node[i], from.below[i]};
            to.links = PackedNumbers(budget_, from.links.size(), number_bytes(r.level_entries[l]));
            for (std::size_t i = 0; i < from.links.size(); ++i) to.links.set(i, from.links[i]);
            from = {};
        }
        calibrate(view(), options_.metric, options_.seed, threads_, progress_, r.calibration);
    }

    /// The lane as a search sees it, but for the row ids.
    LaneView view() const {
        const LaneRecord& r = lane_.record;
        LaneView v;
        v.code_bytes = r.code_bytes;
        v.nodes = r.nodes;
        v.postings = r.postings;
        v.degree = r.degree;
        v.upper_degree = r.upper_degree;
        v.prefix_bytes = r.prefix_bytes;
        v.levels = r.levels;
        v.codes = RecordArray::plain(lane_.codes.data(), r.record_bytes, r.nodes);
        v.links = RecordArray::plain(lane_.links.data(), r.degree * lane_.links.number_bytes(), r.nodes);
        v.posting_offsets = RecordArray::plain(posting_offsets_.data(), sizeof(std::uint32_t), r.nodes + 1);
        for (std::uint32_t l = 0; l < r.levels; ++l) {
            const auto& level = lane_.levels[l];
            v.level[l] = {RecordArray::plain(level.entries.data(), sizeof(UpperEntry), r.level_entries[l]),
                          RecordArray::plain(level.links.data(), r.upper_degree * level.links.number_bytes(),
                                             r.level_entries[l])};
        }
        return v;
    }

    /// After the graph, whose memory is free again.
    void add_lookup_tables() {
        LaneRecord& r = lane_.record;
        if (r.codeless != 0) return;
        const RecordArray codes = RecordArray::plain(lane_.codes.data(), r.record_bytes, r.nodes);
        if (r.nodes >= options_.directory_threshold)
            lane_.directory = build_key_directory(codes, threads_, budget_, progress_);
        if (options_.metric == Metric::jaccard || r.nodes < options_.radius_threshold) return;
        const RadiusShape shape = radius_shape(r.nodes, r.code_bytes, options_.radius_bits);
        if (shape.chunks == 0) return;
        lane_.radius = build_radius_tables(codes, shape, threads_, budget_, progress_);
        r.chunks = shape.chunks;
        r.chunk_bits = shape.chunk_bits;
    }

    /// After the graph too.
    void add_value_orders() {
        const LaneRecord& r = lane_.record;
        if (lane_.filters.empty() || r.postings < options_.value_order_threshold) return;
        progress_.begin(Progress::look_up, std::uint64_t{r.postings} * lane_.filters.size());
        parallel_for(threads_, lane_.filters.size(), [&](std::size_t c) {
            LaneData::FilterColumn& column = lane_.filters[c];
            const auto width = static_cast<std::uint32_t>(column.values.size() / r.postings);
            FilterColumnView view;
            view.values = RecordArray::plain(column.values.data(), width, r.postings);
            view.nulls = RecordArray::plain(column.nulls.data(), sizeof(std::uint64_t),
                                            static_cast<std::uint32_t>(column.nulls.size()));
            column.order = build_value_order(view, r.postings, budget_, progress_);
        });
        if (r.postings == r.nodes) return;
        lane_.posting_nodes = PackedNumbers(budget_, r.postings, number_bytes(r.nodes));
        for_blocks(threads_, r.nodes, progress_, [&](std::uint32_t from, std::uint32_t to) {
            for (NodeId node = from; node < to; ++node)
                for (std::uint32_t p = posting_offsets_[node]; p < posting_offsets_[node + 1]; ++p)
                    lane_.posting_nodes.set(p, node);
        });
    }

    std::unique_ptr<LaneInput> input_;
    const ShardOptions& options_;
    unsigned threads_;
    MemoryBudget& budget_;
    Progress& progress_;
    CodeGroups groups_;
    LargeArray<NodeId> group_of_;  // node -> group
    LargeArray<std::uint32_t> posting_offsets_;
    LaneData lane_;
};

}  // namespace

struct ShardBuild::State {
    std::unique_ptr<ShardInput> input;
    ShardOptions options;
    unsigned threads;
    MemoryBudget& budget;
    Progress progress;
    std::thread thread;
    std::atomic<bool> finished{false};
    std::exception_ptr error;
    std::optional<ShardLayout> layout;
    ShardSummary summary;

    State(std::unique_ptr<ShardInput> i, const ShardOptions& o, unsigned t, MemoryBudget& b)
        : input(std::move(i)), options(o), threads(std::max(1u, t)), budget(b) {}

    void run() {
        auto& by_length = input->lanes_->by_length;
        // Largest lane first: its graph needs the most memory, so let the fewest finished lanes lie beside it.
        std::vector<std::size_t> order;
        for (std::size_t i = 0; i < by_length.size(); ++i)
            if (by_length[i]) order.push_back(i);
        std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
            const std::uint32_t ra = by_length[a]->rows(), rb = by_length[b]->rows();
            return ra != rb ? ra > rb : a < b;
        });
        std::vector<LaneData> lanes;
        lanes.reserve(order.size() + 1);
        for (const std::size_t i : order)
            lanes.push_back(LaneBuilder(std::move(by_length[i]), false, options, threads, budget, progress).run());
        std::sort(lanes.begin(), lanes.end(),
                  [](const LaneData& a, const LaneData& b) { return a.record.code_bytes < b.record.code_bytes; });
        if (auto& codeless = input->lanes_->codeless)
            lanes.push_back(LaneBuilder(std::move(codeless), true, options, threads, budget, progress).run());
        const FilterLayout filters = input->lanes_->layout;
        input.reset();
        layout.emplace(std::move(lanes), options.metric, filters, options.seed);
        const ShardHeader& h = layout->header();
        summary = {h.pages, h.lanes, h.nodes, h.postings};
        progress.begin(Progress::done_building, 0);
    }
};

ShardBuild::ShardBuild(std::unique_ptr<ShardInput> input, const ShardOptions& options, unsigned threads,
                       MemoryBudget& budget)
    : state_(std::make_unique<State>(std::move(input), options, threads, budget)) {
    if (options.m == 0 || options.m > kMaxDegree / 2) throw std::invalid_argument("m out of range for a shard");
}

ShardBuild::~ShardBuild() {
    if (!state_->thread.joinable()) return;
    state_->progress.cancel = true;
    state_->thread.join();
}

void ShardBuild::start() {
    // The thread inherits the mask of its creator; every signal must go to the backend's own thread.
    struct Mask {
        sigset_t before;
        Mask() {
            sigset_t all;
            sigfillset(&all);
            pthread_sigmask(SIG_SETMASK, &all, &before);
        }
        ~Mask() { pthread_sigmask(SIG_SETMASK, &before, nullptr); }
    } const mask;
    state_->thread = std::thread([s = state_.get()] {
        try {
            s->run();
        } catch (...) {
            s->error = std::current_exception();
        }
        s->finished.store(true, std::memory_order_release);
    });
}

bool ShardBuild::finished() const noexcept { return state_->finished.load(std::memory_order_acquire); }
const Progress& ShardBuild::progress() const noexcept { return state_->progress; }

void ShardBuild::finish() {
    if (state_->thread.joinable()) state_->thread.join();
    if (state_->error) std::rethrow_exception(state_->error);
}

const ShardSummary& ShardBuild::summary() const noexcept { return state_->summary; }

void ShardBuild::fill_page(std::uint32_t page, std::uint64_t incarnation, std::uint64_t generation,
                           std::uint8_t* out) const noexcept {
    state_->layout->fill_page(page, incarnation, generation, out);
}

}  // namespace nphd
