#include "engine/shard/lookup_tables.hpp"

#include <algorithm>
#include <bit>

#include "engine/shard/bloom_filter.hpp"
#include "engine/shard/code_chunks.hpp"
#include "engine/shard/record_hash.hpp"

namespace nphd {

namespace {

constexpr std::uint32_t kBlock = 16384;  // nodes between two looks at cancel

template <class F>
void each_node(std::uint32_t from, std::uint32_t to, Progress& progress, F&& f) {
    while (from < to) {
        progress.check();
        const std::uint32_t end = to - from < kBlock ? to : from + kBlock;
        for (; from < end; ++from) f(from);
    }
}

/// Orders the nodes by value(node) < values, and by themselves within a value: starts[v] becomes the place of the first
/// node with a value of at least v, starts[values] the number of nodes; place(i, node) is told each. `starts` comes
/// zeroed.
template <class Value, class Place>
void counting_sort(std::uint32_t nodes, std::uint32_t values, std::uint32_t* starts, Progress& progress, Value&& value,
                   Place&& place) {
    each_node(0, nodes, progress, [&](NodeId n) { ++starts[value(n)]; });
    // Ends of the values; going down through the nodes turns them into starts.
    std::uint32_t sum = 0;
    for (std::uint32_t v = 0; v <= values; ++v) starts[v] = sum += starts[v];
    each_node(0, nodes, progress, [&](std::uint32_t i) {
        const NodeId n = nodes - 1 - i;
        place(--starts[value(n)], n);
    });
    progress.done += nodes;
}

}  // namespace

std::uint32_t directory_bits(std::uint32_t nodes) noexcept {
    return static_cast<std::uint32_t>(std::max(0, static_cast<int>(std::bit_width(nodes)) - 2));
}

KeyDirectory build_key_directory(const RecordArray& codes, unsigned threads, MemoryBudget& budget, Progress& progress) {
    const std::uint32_t nodes = codes.count, bits = directory_bits(nodes), values = 1u << bits;
    progress.begin(Progress::look_up, nodes);
    LargeArray<std::uint64_t> hashes(budget, nodes);
    parallel_for(threads, (std::size_t{nodes} + kBlock - 1) / kBlock, [&](std::size_t block) {
        const auto from = static_cast<std::uint32_t>(block * kBlock);
        each_node(from, from + std::min(kBlock, nodes - from), progress,
                  [&](NodeId n) { hashes[n] = hash_record(codes.at(n), codes.record_bytes); });
    });
    KeyDirectory out;
    LargeArray<std::uint32_t> starts(budget, std::size_t{values} + 1);
    out.nodes = PackedNumbers(budget, nodes, number_bytes(nodes));
    out.bloom_blocks = bloom_blocks(nodes);
    out.bloom = LargeArray<std::byte>(budget, std::size_t{out.bloom_blocks} * kBloomBlockBytes);
    parallel_for(threads, 2, [&](std::size_t task) {
        if (task == 0)
            counting_sort(
                nodes, values, starts.data(), progress,
                [&](NodeId n) { return static_cast<std::uint32_t>(bits == 0 ? 0 : hashes[n] >> (64 - bits)); },
                [&](std::uint32_t i, NodeId n) { out.nodes.set(i, n); });
        else
            each_node(0, nodes, progress, [&](NodeId n) {
                bloom_add(out.bloom.data() + std::size_t{bloom_block(hashes[n], out.bloom_blocks)} * kBloomBlockBytes,
                          hashes[n]);
            });
    });
    out.starts = PackedNumbers(std::move(starts), number_bytes(nodes));
    return out;
}

RadiusShape radius_shape(std::uint32_t nodes, std::uint32_t code_bytes, std::uint32_t radius_bits) noexcept {
    constexpr int kMinChunkBits = 8;
    const auto bits = static_cast<std::uint32_t>(
        std::clamp(static_cast<int>(std::bit_width(nodes)) - 4, kMinChunkBits, static_cast<int>(kMaxChunkBits)));
    // Places of a table and of all starts are numbered with 32 bits.
    constexpr std::uint32_t most = kNoNode - 1;
    const std::uint32_t chunks =
        std::min({std::min(code_bytes * 8, radius_bits) / bits, most / nodes, most / ((1u << bits) + 1)});
    return chunks < 2 ? RadiusShape{} : RadiusShape{chunks, bits};
}

RadiusTables build_radius_tables(const RecordArray& codes, RadiusShape shape, unsigned threads, MemoryBudget& budget,
                                 Progress& progress) {
    const std::uint32_t nodes = codes.count, bits = shape.chunk_bits, values = 1u << bits;
    progress.begin(Progress::look_up, std::uint64_t{nodes} * shape.chunks);
    RadiusTables out;
    out.shape = shape;
    LargeArray<std::uint32_t> starts(budget, std::size_t{shape.chunks} * (std::size_t{values} + 1));
    out.nodes = PackedNumbers(budget, std::size_t{shape.chunks} * nodes, number_bytes(nodes));
    parallel_for(threads, shape.chunks, [&](std::size_t chunk) {
        const auto c = static_cast<std::uint32_t>(chunk);
        counting_sort(
            nodes, values, starts.data() + chunk * (std::size_t{values} + 1), progress,
            [&](NodeId n) { return code_chunk(codes.at(n), c, bits); },
            [&](std::uint32_t i, NodeId n) { out.nodes.set(chunk * nodes + i, n); });
    });
    out.starts = PackedNumbers(std::move(starts), number_bytes(nodes));
    return out;
}

}  // namespace nphd
