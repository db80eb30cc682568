#include "engine/graph/candidates.hpp"

#include <cstring>
#include <cstdlib>

namespace nphd {

namespace {

constexpr std::uint32_t kBlock = 16;

/// Whether any of 16 values (below 2^31) is below the limit. Vectors of the compiler: they exist on every CPU.
[[gnu::always_inline]] inline bool any_below(const std::uint32_t* values, std::int32_t limit) {
    using Vector = std::int32_t __attribute__((vector_size(16)));
    const Vector bound = {limit, limit, limit, limit};
    Vector v[4];
    std::memcpy(v, values, sizeof v);
    const Vector below = ((v[0] < bound) | (v[1] < bound)) | ((v[2] < bound) | (v[3] < bound));
    std::uint64_t halves[2];
    std::memcpy(halves, &below, sizeof halves);
    return (halves[0] | halves[1]) != 0;
}

/// Sorts n distinct values by counting for each how many are less: no branch to mispredict, unlike any other sort of so few.
void rank_sort(std::uint32_t* values, std::uint32_t n, std::uint32_t* sorted) {
    for (std::uint32_t i = 0; i < n; ++i) {
        const auto v = static_cast<std::int32_t>(values[i] ^ 0x80000000);
        std::int32_t rank = 0;
        for (std::uint32_t j = 0; j < n; ++j) rank += static_cast<std::int32_t>(static_cast<std::int32_t>(values[j] ^ 0x80000000) < v);
        sorted[rank] = values[i];
    }
}

}  // namespace

std::span<const std::uint32_t> NearestPlaces::find(std::uint32_t* row, std::uint32_t n, std::uint32_t k) {
    for (std::uint32_t i = n; i % kBlock != 0; ++i) row[i] = 0x7FFFFFFF;
    const std::uint32_t wanted = std::min(n, k), room = std::max(64u, 2 * k);
    found_.resize(room + kBlock);
    sorted_.resize(room + kBlock);
    for (;; limit_ += limit_ / 4 + 1) {
        std::int32_t limit = static_cast<std::int32_t>(limit_);
        std::uint32_t count = 0;
        for (std::uint32_t block = 0; block < n; block += kBlock) {
            if (!any_below(row + block, limit)) continue;
            for (std::uint32_t i = block; i < block + kBlock; ++i) {
                found_[count] = row[i] << 16 | i;
                count += static_cast<std::uint32_t>(static_cast<std::int32_t>(row[i]) < limit);
            }
            if (count > room) {
                std::nth_element(found_.begin(), found_.begin() + (k - 1), found_.begin() + count);
                count = k;
                limit = static_cast<std::int32_t>(found_[k - 1] >> 16);
            }
        }
        if (count < wanted) continue;
        rank_sort(found_.data(), count, sorted_.data());
        limit_ = (sorted_[wanted - 1] >> 16) + 1;
        limit_ += limit_ / 16;
        return {sorted_.data(), wanted};
    }
}

void CandidateLists::prefetch(NodeId node) const noexcept {
    const auto* ids = reinterpret_cast<const char*>(&ids_[offset(node)]);
    for (std::size_t b = 0; b < capacity_ * sizeof(NodeId); b += 64) __builtin_prefetch(ids + b, 1);
    const auto* distances = reinterpret_cast<const char*>(&distances_[offset(node)]);
    for (std::size_t b = 0; b < capacity_ * sizeof(std::uint16_t); b += 64) __builtin_prefetch(distances + b, 1);
    __builtin_prefetch(&size_[node], 1);
}

void CandidateLists::merge(NodeId node, std::span<const PackedEdge> found) {
    constexpr std::uint32_t kOnStack = 512;
    PackedEdge old[kOnStack];
    const std::uint32_t n_old = size_[node];
    NodeId* const ids = &ids_[offset(node)];
    std::uint16_t* const distances = &distances_[offset(node)];
    for (std::uint32_t i = 0; i < n_old; ++i) old[i] = pack_edge(distances[i], node, ids[i]);

    std::uint32_t n = 0, a = 0, b = 0;
    while (n < capacity_ && (a < n_old || b < found.size())) {
        const PackedEdge x = a < n_old ? old[a] : ~PackedEdge{0}, y = b < found.size() ? found[b] : ~PackedEdge{0};
        const PackedEdge least = std::min(x, y);
        a += x == least;
        b += y == least;
        ids[n] = edge_target(least, node);
        distances[n] = static_cast<std::uint16_t>(edge_distance(least));
        ++n;
    }
    size_[node] = static_cast<std::uint16_t>(n);
}

void CandidateLists::keep(NodeId node, std::span<const std::uint32_t> places) noexcept {
    NodeId* const ids = &ids_[offset(node)];
    std::uint16_t* const distances = &distances_[offset(node)];
    for (std::uint32_t i = 0; i < places.size(); ++i) {
        ids[i] = ids[places[i]];
        distances[i] = distances[places[i]];
    }
    size_[node] = static_cast<std::uint16_t>(places.size());
}

void LeafSearch::run(const RecordArray& codes, std::span<const NodeId> members, std::uint32_t k, CandidateLists& lists) {
    const auto n = static_cast<std::uint32_t>(members.size());
    if (n < 2) return;
    local_.load(codes, members);
    row_.resize(2 * std::size_t{n} + kBlock);
    found_.resize(k);
    for (std::uint32_t i = 0; i < n; ++i) {
        if (i + 2 < n) lists.prefetch(members[i + 2]);
        // Each row starts behind the member itself and wraps around: place p is member (i + 1 + p) mod n.
        const std::uint32_t behind = n - 1 - i;
        local_.distances(i, i + 1, behind, row_.data());
        local_.distances(i, 0, i, row_.data() + behind);
        const auto best_ = nearest_.find(row_.data(), n - 1, k);
        const auto count = static_cast<std::uint32_t>(best_.size());
        static int LP = getenv("LP") ? atoi(getenv("LP")) : 0;
        if (!LP || n<256) {
        for (std::uint32_t j = 0; j < count; ++j) {
            const std::uint32_t member = (i + 1 + (best_[j] & 0xFFFF)) % n;
            found_[j] = pack_edge(best_[j] >> 16, members[i], members[member]);
        }
        lists.merge(members[i], {found_.data(), count});
        } else {
            std::uint32_t place[64], dist[64], row[128]; bool occ[64] = {};
            for (std::uint32_t j = 0; j < count; ++j) place[j] = (i + 1 + (best_[j] & 0xFFFF)) % n, dist[j] = best_[j] >> 16;
            std::uint32_t kept = 0;
            for (std::uint32_t j = 0; j < count; ++j) {
                if (occ[j]) continue;
                found_[kept++] = pack_edge(dist[j], members[i], members[place[j]]);
                if ((int)kept == LP) break;
                local_.distances_to(place[j], {place + j + 1, count - j - 1}, row);
                for (std::uint32_t z = j + 1; z < count; ++z) occ[z] |= row[z - j - 1] < dist[z];
            }
            lists.merge(members[i], {found_.data(), kept});
        }
    }
}

}  // namespace nphd
