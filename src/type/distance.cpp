// The three distances as SQL functions. The values of one call are compared whole; NPHD cuts them to the shorter length
// itself, the other two are defined for one length only.
#include "src/type/bitvec.hpp"

namespace nphd {

double checked_distance(Metric metric, CodeBytes a, CodeBytes b) {
    if (metric != Metric::nphd && a.size() != b.size()) ereport(ERROR, different_lengths(a.size() * 8, b.size() * 8));
    return distance(metric, a, b);
}

static Datum measure(FunctionCallInfo fcinfo, Metric metric) {
    Bitvec* a = bitvec_of(PG_GETARG_DATUM(0));
    Bitvec* b = bitvec_of(PG_GETARG_DATUM(1));
    const double result = checked_distance(metric, bytes_of(a), bytes_of(b));
    free_if_copy(a, PG_GETARG_DATUM(0));
    free_if_copy(b, PG_GETARG_DATUM(1));
    PG_RETURN_FLOAT8(result);
}

NPHD_FUNCTION(bitvec_nphd_distance) { return measure(fcinfo, Metric::nphd); }
NPHD_FUNCTION(bitvec_hamming_distance) { return measure(fcinfo, Metric::hamming); }
NPHD_FUNCTION(bitvec_jaccard_distance) { return measure(fcinfo, Metric::jaccard); }

// How much evidence an NPHD is: the same distance of 64 compared bits says far less than of 256.
NPHD_FUNCTION(bitvec_compared_bits) {
    PG_RETURN_INT32(Min(stored_bits(PG_GETARG_DATUM(0)), stored_bits(PG_GETARG_DATUM(1))));
}

}  // namespace nphd
