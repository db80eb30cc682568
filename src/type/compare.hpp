// The order of bitvec values.
#pragma once

#include "src/type/bitvec.hpp"

namespace nphd {

/// Negative, zero or positive: bytes as unsigned numbers from the first on, then the shorter one first.
int compare_bytes(CodeBytes a, CodeBytes b);

/// The same for two Datums; leaves no detoasted copy behind.
int compare_values(Datum a, Datum b);

}  // namespace nphd
