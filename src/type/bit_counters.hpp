// How many of a set of codes have each bit set, for all bits at once.
#pragma once

#include "src/type/bitvec.hpp"

namespace nphd {

/// Vertical counters: plane p holds bit p of the counter of every bit position, one word for 64 positions. Adding a
/// code is an addition with carry over the planes, some two word operations per word however many rows there are, and
/// the memory is log2(rows) times that of a code.
struct BitCounters {
    int64 rows;     // codes counted
    int32 bytes;    // length of each
    int32 planes;   // always enough for the number `rows`
    uint64* words;  // planes * words_per_plane(), plane by plane

    int32 words_per_plane() const { return (bytes + 7) / 8; }
    uint64* plane(int32 p) const { return words + static_cast<size_t>(p) * static_cast<size_t>(words_per_plane()); }
    size_t plane_bytes() const { return static_cast<size_t>(words_per_plane()) * sizeof(uint64); }
};

/// Counters of no rows yet for codes of `bytes` bytes, in `context`.
BitCounters* new_counters(MemoryContext context, int32 bytes);

/// Makes room for `rows` rows in all.
void reserve(BitCounters* counters, int64 rows);

/// Counts one code, of the right length.
void count(BitCounters* counters, CodeBytes code);

/// Adds the counts of other codes of the same length.
void add(BitCounters* counters, const BitCounters* others);

/// Sets each bit that more than half of the rows have; `out` has `bytes` bytes.
void majority(const BitCounters* counters, uint8* out);

}  // namespace nphd
