#include "src/type/ball.hpp"

namespace nphd {

// The type belongs to the extension, but its owner can alter it, and memory must not be read as what it is not.
static bool is_ball_type(TupleDesc type) {
    return type->natts == 2 && TupleDescAttr(type, 0)->attlen == -1 && TupleDescAttr(type, 1)->atttypid == FLOAT8OID &&
           !TupleDescAttr(type, 0)->attisdropped;
}

bool ball_of(Datum value, Ball* out) {
    HeapTupleHeader row = DatumGetHeapTupleHeader(value);
    TupleDesc type = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
    if (!is_ball_type(type))
        ereport(ERROR, (errcode(ERRCODE_DATATYPE_MISMATCH),
                        errmsg("type %s does not consist of a center and a radius", format_type_be(type->tdtypeid))));
    HeapTupleData tuple{};
    tuple.t_len = HeapTupleHeaderGetDatumLength(row);
    tuple.t_data = row;
    Datum values[2];
    bool nulls[2];
    heap_deform_tuple(&tuple, type, values, nulls);
    ReleaseTupleDesc(type);
    if (nulls[0] || nulls[1]) return false;
    *out = {bytes_of(bitvec_of(values[0])), DatumGetFloat8(values[1])};
    return true;
}

bool valid_radius(Metric metric, double radius) { return radius >= 0 && (metric == Metric::hamming || radius <= 1); }

void check_radius(Metric metric, double radius) {
    if (valid_radius(metric, radius)) return;
    ereport(ERROR, (errcode(ERRCODE_INVALID_PARAMETER_VALUE),
                    metric == Metric::hamming ? errmsg("radius must not be negative")
                                              : errmsg("radius must be between 0 and 1"),
                    errdetail("The radius is %s.", float8out_internal(radius))));
}

bool within(Metric metric, CodeBytes code, const Ball& ball) {
    return checked_distance(metric, code, ball.center) <= ball.radius;
}

static Datum within_radius(FunctionCallInfo fcinfo, Metric metric, double radius) {
    check_radius(metric, radius);
    Bitvec* code = bitvec_of(PG_GETARG_DATUM(0));
    Bitvec* center = bitvec_of(PG_GETARG_DATUM(1));
    const bool result = within(metric, bytes_of(code), {bytes_of(center), radius});
    free_if_copy(code, PG_GETARG_DATUM(0));
    free_if_copy(center, PG_GETARG_DATUM(1));
    PG_RETURN_BOOL(result);
}

NPHD_FUNCTION(bitvec_nphd_within) { return within_radius(fcinfo, Metric::nphd, PG_GETARG_FLOAT8(2)); }
NPHD_FUNCTION(bitvec_hamming_within) { return within_radius(fcinfo, Metric::hamming, PG_GETARG_INT32(2)); }
NPHD_FUNCTION(bitvec_jaccard_within) { return within_radius(fcinfo, Metric::jaccard, PG_GETARG_FLOAT8(2)); }

static Datum within_ball(FunctionCallInfo fcinfo, Metric metric) {
    Ball ball;
    if (!ball_of(PG_GETARG_DATUM(1), &ball)) PG_RETURN_NULL();
    check_radius(metric, ball.radius);
    Bitvec* code = bitvec_of(PG_GETARG_DATUM(0));
    const bool result = within(metric, bytes_of(code), ball);
    free_if_copy(code, PG_GETARG_DATUM(0));
    PG_RETURN_BOOL(result);
}

NPHD_FUNCTION(bitvec_in_nphd_ball) { return within_ball(fcinfo, Metric::nphd); }
NPHD_FUNCTION(bitvec_in_hamming_ball) { return within_ball(fcinfo, Metric::hamming); }
NPHD_FUNCTION(bitvec_in_jaccard_ball) { return within_ball(fcinfo, Metric::jaccard); }

}  // namespace nphd
