// The three distances as SQL functions. The values of one call are compared whole; NPHD cuts them to the shorter length
// itself, the other two are defined for one length only.
#include "src/type/bitvec.hpp"

namespace nphd {

using Distance = double (*)(CodeBytes, CodeBytes) noexcept;

static Datum measure(FunctionCallInfo fcinfo, Distance distance, bool any_lengths) {
    Bitvec* va = bitvec_of(PG_GETARG_DATUM(0));
    Bitvec* vb = bitvec_of(PG_GETARG_DATUM(1));
    const CodeBytes a = bytes_of(va);
    const CodeBytes b = bytes_of(vb);
    if (!any_lengths && a.size() != b.size()) ereport(ERROR, different_lengths(a.size() * 8, b.size() * 8));
    const double result = distance(a, b);
    free_if_copy(va, PG_GETARG_DATUM(0));
    free_if_copy(vb, PG_GETARG_DATUM(1));
    PG_RETURN_FLOAT8(result);
}

NPHD_FUNCTION(bitvec_nphd_distance) { return measure(fcinfo, nphd_distance, true); }
NPHD_FUNCTION(bitvec_hamming_distance) { return measure(fcinfo, hamming_distance, false); }
NPHD_FUNCTION(bitvec_jaccard_distance) { return measure(fcinfo, jaccard_distance, false); }

// How much evidence an NPHD is: the same distance of 64 compared bits says far less than of 256.
NPHD_FUNCTION(bitvec_compared_bits) {
    PG_RETURN_INT32(Min(stored_bits(PG_GETARG_DATUM(0)), stored_bits(PG_GETARG_DATUM(1))));
}

}  // namespace nphd
