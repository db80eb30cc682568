#include "src/type/bit_counters.hpp"

#include <bit>

namespace nphd {

static int32 planes_for(int64 rows) { return std::bit_width(static_cast<uint64>(rows)); }

/// Bytes of word w in a code of that many bytes: 8, or fewer at its end.
static size_t bytes_in_word(int32 w, size_t bytes) { return Min(sizeof(uint64), bytes - static_cast<size_t>(w) * 8); }

BitCounters* new_counters(MemoryContext context, int32 bytes) {
    auto* counters = static_cast<BitCounters*>(MemoryContextAllocZero(context, sizeof(BitCounters)));
    counters->bytes = bytes;
    counters->words = static_cast<uint64*>(MemoryContextAlloc(context, counters->plane_bytes()));
    return counters;
}

void reserve(BitCounters* counters, int64 rows) {
    const int32 planes = planes_for(rows);
    if (planes <= counters->planes) return;
    const size_t size = counters->plane_bytes();
    counters->words = static_cast<uint64*>(repalloc(counters->words, size * static_cast<size_t>(planes)));
    memset(counters->plane(counters->planes), 0, size * static_cast<size_t>(planes - counters->planes));
    counters->planes = planes;
}

void count(BitCounters* counters, CodeBytes code) {
    reserve(counters, counters->rows + 1);
    ++counters->rows;
    const int32 stride = counters->words_per_plane();
    for (int32 w = 0; w < stride; ++w) {
        uint64 carry = 0;
        memcpy(&carry, code.data() + w * 8, bytes_in_word(w, code.size()));
        for (uint64* counter = counters->words + w; carry != 0; counter += stride) {
            const uint64 overflow = *counter & carry;
            *counter ^= carry;
            carry = overflow;
        }
    }
}

void add(BitCounters* counters, const BitCounters* others) {
    reserve(counters, counters->rows + others->rows);
    counters->rows += others->rows;
    const int32 stride = counters->words_per_plane();
    for (int32 w = 0; w < stride; ++w) {
        uint64 carry = 0;
        for (int32 p = 0; p < counters->planes; ++p) {
            uint64& mine = counters->plane(p)[w];
            const uint64 theirs = p < others->planes ? others->plane(p)[w] : 0;
            const uint64 differ = mine ^ theirs;
            const uint64 overflow = (mine & theirs) | (differ & carry);
            mine = differ ^ carry;
            carry = overflow;
        }
    }
}

void majority(const BitCounters* counters, uint8* out) {
    // All counters against one number at once, from the highest plane down: count > half, since both are integers.
    const int64 half = counters->rows / 2;
    for (int32 w = 0; w < counters->words_per_plane(); ++w) {
        uint64 greater = 0;
        uint64 equal = ~uint64{0};
        for (int32 p = counters->planes - 1; p >= 0; --p) {
            const uint64 bit = counters->plane(p)[w];
            if (half >> p & 1) {
                equal &= bit;
            } else {
                greater |= equal & bit;
                equal &= ~bit;
            }
        }
        memcpy(out + w * 8, &greater, bytes_in_word(w, static_cast<size_t>(counters->bytes)));
    }
}

}  // namespace nphd
