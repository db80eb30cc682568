// The SQL type bitvec inside the backend: a varlena whose payload is the code's bytes, so its bit length is eight times
// the payload's size. Nothing else is stored, equal values are equal bytes, and any number of bytes up to the limit is
// a value, none included. Values may arrive with a short header, compressed or out of line.
#pragma once

#include "src/pg.hpp"

#include "engine/distance/distance.hpp"

namespace nphd {

inline constexpr int32 kMaxBitvecBits = 65528;
inline constexpr int32 kMaxBitvecBytes = kMaxBitvecBits / 8;

using Bitvec = struct varlena;

/// The value behind a Datum, detoasted; a copy only where that was needed, see free_if_copy().
inline Bitvec* bitvec_of(Datum value) { return PG_DETOAST_DATUM_PACKED(value); }

/// Its first `bytes` bytes, or all if there are fewer; fetches no more than those of a value stored out of line.
inline Bitvec* bitvec_prefix(Datum value, int32 bytes) { return PG_DETOAST_DATUM_SLICE(value, 0, bytes); }

/// Frees what bitvec_of() or bitvec_prefix() had to allocate: comparisons run in contexts that live as long as a sort.
inline void free_if_copy(Bitvec* v, Datum value) {
    if (PointerGetDatum(v) != value) pfree(v);
}

inline CodeBytes bytes_of(const Bitvec* v) {
    return {reinterpret_cast<const uint8*>(VARDATA_ANY(v)), static_cast<size_t>(VARSIZE_ANY_EXHDR(v))};
}

/// The size of a value in bytes or bits, without detoasting it.
inline int32 stored_bytes(Datum value) { return static_cast<int32>(toast_raw_datum_size(value) - VARHDRSZ); }
inline int32 stored_bits(Datum value) { return stored_bytes(value) * 8; }

/// A new value of `bytes` <= kMaxBitvecBytes bytes in the current memory context; its payload is not initialised.
Bitvec* new_bitvec(size_t bytes);
Bitvec* new_bitvec(CodeBytes bytes);
uint8* payload(Bitvec* v);

inline Datum bitvec_datum(Bitvec* v) { return PointerGetDatum(v); }

/// Whether a value of that many bits is longer than bitvec(typmod) allows. As for varbit, whose support function we
/// share, 0 sets no limit either: the planner drops a coercion to it.
inline bool exceeds_typmod(size_t bits, int32 typmod) { return typmod > 0 && bits > static_cast<size_t>(typmod); }

/// What the distance operators give. ERROR 22026 where Hamming and Jaccard meet different lengths.
double checked_distance(Metric metric, CodeBytes a, CodeBytes b);

// Errors that several functions raise, as arguments of ereport; sizes in bits.
int different_lengths(size_t a_bits, size_t b_bits);  // 22026
int limit_exceeded(size_t bits);                      // 54000
int too_long_for_typmod(size_t bits, int32 typmod);   // 22001

}  // namespace nphd
