// What a lane has beside its graph to answer exactly: the key directory with its bloom filter, and the radius tables.
// Made from the lane's finished codes; shard/format.hpp says what they hold.
#pragma once

#include "engine/base/memory_budget.hpp"
#include "engine/base/record_array.hpp"
#include "engine/base/worker_pool.hpp"
#include "engine/shard/packed_numbers.hpp"

namespace nphd {

struct KeyDirectory {
    PackedNumbers starts;  // 2^b + 1; empty: no directory
    PackedNumbers nodes;   // ascending within a bucket
    std::uint32_t bloom_blocks = 0;
    LargeArray<std::byte> bloom;
};

/// Upper bits of the hash that a directory of `nodes` > 0 nodes is ordered by: 2 to 4 nodes for each value.
std::uint32_t directory_bits(std::uint32_t nodes) noexcept;

/// `codes`: the lane's records, at least one. Takes 12 bytes per node for the time being. Throws Cancelled and
/// std::bad_alloc, as the next one does.
KeyDirectory build_key_directory(const RecordArray& codes, unsigned threads, MemoryBudget&, Progress&);

struct RadiusShape {
    std::uint32_t chunks = 0;  // 0: no tables
    std::uint32_t chunk_bits = 0;
};

/// Chunks of about log2(nodes) - 3 bits, so that a value has some 8 to 16 nodes, as many as fit into the first
/// `radius_bits` bits of a code. None if it were less than two: one chunk says nothing that a scan would not.
RadiusShape radius_shape(std::uint32_t nodes, std::uint32_t code_bytes, std::uint32_t radius_bits) noexcept;

struct RadiusTables {
    RadiusShape shape;
    PackedNumbers starts;
    PackedNumbers nodes;
};

/// The chunks lie inside the records.
RadiusTables build_radius_tables(const RecordArray& codes, RadiusShape, unsigned threads, MemoryBudget&, Progress&);

}  // namespace nphd
