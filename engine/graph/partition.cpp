#include "engine/graph/partition.hpp"

#include <algorithm>
#include <numeric>

#include "engine/graph/distance_rows.hpp"
#include "engine/graph/random_stream.hpp"

namespace nphd {

namespace {

constexpr std::uint32_t kChunk = 2048;    // positions per task
constexpr std::uint32_t kMaxDepth = 10;   // splits by leaders before a part is cut at random
constexpr std::uint32_t kStuckDepth = 3;  // what a split counts that leaves most members together

/// Large parts are split coarsely, since each leader costs a distance per member, and small ones into what will be
/// leaves.
std::uint32_t leader_count(std::uint32_t members) {
    if (members > 16 * kLeafSize) return std::min(kMaxLeaders, members / kLeafSize);
    return std::max(2u, members / (kLeafSize / 2) + 1);
}

}  // namespace

Partition::Partition(const RecordArray& codes, unsigned threads, MemoryBudget& budget, const Progress& progress)
    : codes_(codes),
      threads_(threads),
      progress_(progress),
      ids_(budget, codes.count),
      other_(budget, codes.count),
      label_(budget, codes.count) {}

void Partition::draw(const EdgeKind& kind, std::uint64_t seed) {
    std::iota(ids_.begin(), ids_.end(), NodeId{0});
    std::vector<Part> parts{{0, codes_.count, 0}};
    leaf_begin_.clear();
    for (bool done = false; !done;) {
        done = std::all_of(parts.begin(), parts.end(), [](const Part& p) { return p.size() <= kLeafSize; });
        if (!done) split_level(kind, seed, parts);
    }
    for (const Part& p : parts) leaf_begin_.push_back(p.begin);
    leaf_begin_.push_back(codes_.count);
    parallel_for(threads_, parts.size(),
                 [&](std::size_t i) { std::sort(ids_.data() + parts[i].begin, ids_.data() + parts[i].end); });
}

void Partition::split_level(const EdgeKind& kind, std::uint64_t seed, std::vector<Part>& parts) {
    struct Task {
        std::uint32_t split, begin, end;
    };
    std::vector<const Part*> large;
    std::vector<Task> tasks;
    for (const Part& p : parts) {
        if (p.size() <= kLeafSize || p.depth >= kMaxDepth) continue;
        for (std::uint32_t b = p.begin; b < p.end; b += kChunk)
            tasks.push_back({static_cast<std::uint32_t>(large.size()), b, std::min(p.end, b + kChunk)});
        large.push_back(&p);
    }
    std::vector<LocalCodes> leaders(large.size(), LocalCodes(kind));
    parallel_for(threads_, large.size(), [&](std::size_t i) { sample_leaders(*large[i], seed, leaders[i]); });
    parallel_for(threads_, tasks.size(), [&](std::size_t i) {
        progress_.check();
        assign(leaders[tasks[i].split], tasks[i].begin, tasks[i].end);
    });

    std::vector<std::vector<Part>> children(parts.size());
    parallel_for(threads_, parts.size(), [&](std::size_t i) {
        const Part& p = parts[i];
        if (p.size() <= kLeafSize)
            children[i].push_back(p);
        else if (p.depth >= kMaxDepth)
            cut_at_random(p, seed, children[i]);
        else
            scatter(p, leader_count(p.size()), children[i]);
    });
    std::vector<Part> next;
    for (const auto& c : children) next.insert(next.end(), c.begin(), c.end());
    parts.swap(next);
}

/// Samples evenly over the part and puts each leader next to a near one, so that neighbouring parts are near.
void Partition::sample_leaders(const Part& part, std::uint64_t seed, LocalCodes& leaders) const {
    RandomStream random(seed, part.begin, part.end);
    const std::uint32_t n = leader_count(part.size());
    std::vector<NodeId> ids(n);
    for (std::uint32_t i = 0; i < n; ++i) {
        const auto from = static_cast<std::uint32_t>(std::uint64_t{part.size()} * i / n);
        const auto to = static_cast<std::uint32_t>(std::uint64_t{part.size()} * (i + 1) / n);
        ids[i] = ids_[part.begin + from + random.below(to - from)];
    }
    leaders.load(codes_, ids);

    std::vector<NodeId> chain{ids[0]};
    std::vector<std::uint32_t> d(2 * n + kRowBlock);
    std::vector<bool> used(n);
    used[0] = true;
    for (std::uint32_t at = 0; chain.size() < n;) {
        progress_.check();
        leaders.distances(leaders.rows().at(at), 0, n, d.data());
        for (std::uint32_t j = 0; j < n; ++j)
            if (used[j]) d[j] = kFarthest;
        pad_row(d.data(), n);
        at = first_smallest(d.data(), n);
        used[at] = true;
        chain.push_back(ids[at]);
    }
    leaders.load(codes_, chain);
}

void Partition::assign(const LocalCodes& leaders, std::uint32_t begin, std::uint32_t end) {
    const std::uint32_t n = leaders.size();
    std::uint32_t d[2 * kMaxLeaders + kRowBlock];
    for (std::uint32_t i = begin; i < end; ++i) {
        leaders.distances(codes_.at(ids_[i]), 0, n, d);
        pad_row(d, n);
        label_[i] = static_cast<std::uint16_t>(first_smallest(d, n));
    }
}

/// Sorts the part by label and makes parts of neighbouring labels as long as they fit into a leaf together.
void Partition::scatter(const Part& part, std::uint32_t n_leaders, std::vector<Part>& parts) {
    std::vector<std::uint32_t> at(n_leaders + 1);
    for (std::uint32_t i = part.begin; i < part.end; ++i) ++at[label_[i] + 1u];
    std::uint32_t largest = 0;
    for (std::uint32_t l = 1; l <= n_leaders; ++l) largest = std::max(largest, at[l]);
    std::partial_sum(at.begin(), at.end(), at.begin());

    const std::uint32_t depth = part.depth + (largest > part.size() / 8 * 7 ? kStuckDepth : 1);
    Part open{part.begin, part.begin, depth};
    for (std::uint32_t l = 0; l < n_leaders; ++l) {
        const std::uint32_t end = part.begin + at[l + 1];
        if (end - open.begin > kLeafSize && open.size() > 0) {
            parts.push_back(open);
            open.begin = open.end;
        }
        open.end = end;
    }
    if (open.size() > 0) parts.push_back(open);

    for (std::uint32_t i = part.begin; i < part.end; ++i) other_[part.begin + at[label_[i]]++] = ids_[i];
    std::copy(other_.data() + part.begin, other_.data() + part.end, ids_.data() + part.begin);
}

void Partition::cut_at_random(const Part& part, std::uint64_t seed, std::vector<Part>& parts) {
    RandomStream random(seed, part.end, part.begin);
    for (std::uint32_t n = part.size(); n > 1; --n)
        std::swap(ids_[part.begin + n - 1], ids_[part.begin + random.below(n)]);
    const std::uint32_t pieces = (part.size() + kLeafSize - 1) / kLeafSize;
    const auto edge = [&](std::uint32_t i) {
        return part.begin + static_cast<std::uint32_t>(std::uint64_t{part.size()} * i / pieces);
    };
    for (std::uint32_t i = 0; i < pieces; ++i) parts.push_back({edge(i), edge(i + 1), part.depth});
}

}  // namespace nphd
