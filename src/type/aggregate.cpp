// bit_majority(bitvec): the code whose bits are those that more than half of the inputs have set. (The other aggregates
// need no state of their own: a plain function over two values does.)
#include "src/type/bit_counters.hpp"

namespace nphd {

static MemoryContext aggregate_context(FunctionCallInfo fcinfo) {
    MemoryContext context = nullptr;
    if (!AggCheckCallContext(fcinfo, &context)) elog(ERROR, "bit_majority called outside an aggregate");
    return context;
}

static BitCounters* counters_arg(FunctionCallInfo fcinfo, int n) {
    return PG_ARGISNULL(n) ? nullptr : reinterpret_cast<BitCounters*>(PG_GETARG_POINTER(n));
}

static Datum counters_result(FunctionCallInfo fcinfo, BitCounters* counters) {
    if (counters == nullptr) PG_RETURN_NULL();
    PG_RETURN_POINTER(counters);
}

/// `counters`, made if there are none yet; refuses another length than theirs.
static BitCounters* counters_for(BitCounters* counters, MemoryContext context, int32 bytes) {
    if (counters == nullptr) return new_counters(context, bytes);
    if (counters->bytes != bytes)
        ereport(ERROR, different_lengths(static_cast<size_t>(counters->bytes) * 8, static_cast<size_t>(bytes) * 8));
    return counters;
}

NPHD_FUNCTION(bitvec_majority_accum) {
    MemoryContext context = aggregate_context(fcinfo);
    BitCounters* counters = counters_arg(fcinfo, 0);
    if (!PG_ARGISNULL(1)) {
        const CodeBytes code = bytes_of(bitvec_of(PG_GETARG_DATUM(1)));
        counters = counters_for(counters, context, static_cast<int32>(code.size()));
        count(counters, code);
    }
    return counters_result(fcinfo, counters);
}

NPHD_FUNCTION(bitvec_majority_combine) {
    MemoryContext context = aggregate_context(fcinfo);
    BitCounters* counters = counters_arg(fcinfo, 0);
    if (const BitCounters* others = counters_arg(fcinfo, 1)) {
        counters = counters_for(counters, context, others->bytes);
        add(counters, others);
    }
    return counters_result(fcinfo, counters);
}

// Between processes of one server only, so words travel as they are.
NPHD_FUNCTION(bitvec_majority_serialize) {
    aggregate_context(fcinfo);
    const BitCounters* counters = counters_arg(fcinfo, 0);
    StringInfoData message;
    pq_begintypsend(&message);
    pq_sendint64(&message, static_cast<uint64>(counters->rows));
    pq_sendint32(&message, static_cast<uint32>(counters->bytes));
    pq_sendbytes(&message, reinterpret_cast<const char*>(counters->words),
                 static_cast<int>(counters->plane_bytes()) * counters->planes);
    PG_RETURN_BYTEA_P(pq_endtypsend(&message));
}

NPHD_FUNCTION(bitvec_majority_deserialize) {
    aggregate_context(fcinfo);
    const bytea* state = PG_GETARG_BYTEA_PP(0);
    StringInfoData message{};
    message.data = const_cast<char*>(VARDATA_ANY(state));
    message.len = message.maxlen = static_cast<int>(VARSIZE_ANY_EXHDR(state));

    const int64 rows = pq_getmsgint64(&message);
    BitCounters* counters = new_counters(CurrentMemoryContext, static_cast<int32>(pq_getmsgint(&message, 4)));
    reserve(counters, rows);
    counters->rows = rows;
    pq_copymsgbytes(&message, reinterpret_cast<char*>(counters->words),
                    static_cast<int>(counters->plane_bytes()) * counters->planes);
    pq_getmsgend(&message);
    PG_RETURN_POINTER(counters);
}

NPHD_FUNCTION(bitvec_majority_final) {
    aggregate_context(fcinfo);
    const BitCounters* counters = counters_arg(fcinfo, 0);
    if (counters == nullptr) PG_RETURN_NULL();
    Bitvec* result = new_bitvec(static_cast<size_t>(counters->bytes));
    majority(counters, payload(result));
    return bitvec_datum(result);
}

}  // namespace nphd
