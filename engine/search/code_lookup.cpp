#include "engine/search/code_lookup.hpp"

#include <algorithm>
#include <cstring>

#include "engine/shard/bloom_filter.hpp"
#include "engine/shard/record_hash.hpp"

namespace nphd {

namespace {

bool has_code(const LaneView& lane, NodeId node, std::span<const std::uint8_t> code) noexcept {
    return code.empty() || std::memcmp(lane.codes.at(node), code.data(), code.size()) == 0;
}

NodeId find_in_directory(const LaneView& lane, std::span<const std::uint8_t> code) noexcept {
    const std::uint64_t hash = hash_code(code);
    if (!bloom_may_contain(lane.bloom, hash)) return kNoNode;
    const auto bucket = static_cast<std::uint32_t>(lane.directory_bits == 0 ? 0 : hash >> (64 - lane.directory_bits));
    const std::uint32_t begin = lane.directory_starts.number(bucket);
    const auto end = std::min(lane.directory_starts.number(bucket + 1), lane.directory_nodes.count);
    // Two to four nodes, each with its code somewhere else: the cache misses go side by side.
    constexpr std::uint32_t kAhead = 8;
    NodeId ids[kAhead];
    for (std::uint32_t from = begin; from < end;) {
        const std::uint32_t n = std::min(end - from, kAhead);
        for (std::uint32_t i = 0; i < n; ++i) {
            ids[i] = lane.directory_nodes.number(from + i);
            if (ids[i] < lane.nodes) __builtin_prefetch(lane.codes.at(ids[i]));
        }
        for (std::uint32_t i = 0; i < n; ++i)
            if (ids[i] < lane.nodes && has_code(lane, ids[i], code)) return ids[i];
        from += n;
    }
    return kNoNode;
}

/// Most codes differ from the wanted one in their first word.
NodeId find_by_scan(const LaneView& lane, std::span<const std::uint8_t> code) noexcept {
    std::uint64_t first = 0;
    if (!code.empty()) std::memcpy(&first, code.data(), std::min<std::size_t>(code.size(), 8));
    for (NodeId n = 0; n < lane.nodes; ++n)
        if (lane.codes.value<std::uint64_t>(n) == first && has_code(lane, n, code)) return n;
    return kNoNode;
}

}  // namespace

NodeId find_code(const LaneView& lane, std::span<const std::uint8_t> code) noexcept {
    return lane.has_directory() ? find_in_directory(lane, code) : find_by_scan(lane, code);
}

}  // namespace nphd
