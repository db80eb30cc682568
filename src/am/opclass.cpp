#include "src/am/opclass.hpp"

extern "C" {
Datum bitvec_out(PG_FUNCTION_ARGS);
Datum bitvec_nphd_distance(PG_FUNCTION_ARGS);
Datum bitvec_hamming_distance(PG_FUNCTION_ARGS);
Datum bitvec_jaccard_distance(PG_FUNCTION_ARGS);
}

namespace nphd {

static bool known_metric(int32 metric) {
    return metric >= static_cast<int32>(Metric::nphd) && metric <= static_cast<int32>(Metric::jaccard);
}

static PGFunction c_function(Oid function) {
    FmgrInfo info;
    fmgr_info(function, &info);
    return info.fn_addr;
}

// The access method reads values as bitvec's bytes, so no other type will do, whatever operators somebody defines for
// it.
static bool is_bitvec(Oid type) {
    Oid output;
    bool is_varlena;
    getTypeOutputInfo(type, &output, &is_varlena);
    return c_function(output) == bitvec_out;
}

static bool is_distance(Oid function) {
    const PGFunction f = c_function(function);
    return f == bitvec_nphd_distance || f == bitvec_hamming_distance || f == bitvec_jaccard_distance;
}

Metric index_metric(Relation index) {
    if (!is_bitvec(index->rd_opcintype[0]))
        ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                        errmsg("access method nphd indexes bitvec, not %s", format_type_be(index->rd_opcintype[0]))));
    const int32 metric = DatumGetInt32(
        FunctionCall1Coll(index_getprocinfo(index, 1, kMetricFunction), InvalidOid, PointerGetDatum(nullptr)));
    if (!known_metric(metric))
        ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                        errmsg("operator class of index \"%s\" names an unknown metric %d",
                               RelationGetRelationName(index), metric)));
    return static_cast<Metric>(metric);
}

static void complain(const char* opclass, const char* what) {
    ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                   errmsg("the family of operator class \"%s\" of access method nphd %s", opclass, what)));
}

static bool valid_operators(const char* opclass, CatCList* operators, Oid type) {
    bool found = false, good = true;
    for (int i = 0; i < operators->n_members; ++i) {
        const auto* op = reinterpret_cast<Form_pg_amop>(GETSTRUCT(&operators->members[i]->tuple));
        if (op->amopstrategy != kDistanceStrategy || op->amoppurpose != AMOP_ORDER) {
            complain(opclass, "contains an operator that is not one to order by");
            good = false;
        } else if (!is_distance(get_opcode(op->amopopr)) || !opfamily_can_sort_type(op->amopsortfamily, FLOAT8OID)) {
            complain(opclass, "contains an operator that is not a distance of bitvec, ordered as double precision");
            good = false;
        }
        found |= op->amoplefttype == type && op->amoprighttype == type;
    }
    if (!found) complain(opclass, "lacks a distance operator for its type");
    return good && found;
}

static bool valid_functions(const char* opclass, CatCList* functions, Oid type) {
    bool found = false, good = true;
    for (int i = 0; i < functions->n_members; ++i) {
        const auto* function = reinterpret_cast<Form_pg_amproc>(GETSTRUCT(&functions->members[i]->tuple));
        if (function->amprocnum != kMetricFunction ||
            !check_amproc_signature(function->amproc, INT4OID, true, 1, 1, INTERNALOID)) {
            complain(opclass, "contains a support function of the wrong number or signature");
            good = false;
        }
        found |= function->amproclefttype == type && function->amprocrighttype == type;
    }
    if (!found) complain(opclass, "lacks the function that names the metric");
    return good && found;
}

bool nphdvalidate(Oid opclass) {
    HeapTuple tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for operator class %u", opclass);
    const auto* form = reinterpret_cast<Form_pg_opclass>(GETSTRUCT(tuple));
    const Oid family = form->opcfamily, type = form->opcintype;
    const char* name = pstrdup(NameStr(form->opcname));
    ReleaseSysCache(tuple);

    CatCList* operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
    CatCList* functions = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family));
    if (!is_bitvec(type)) complain(name, "is for another type than bitvec");
    const bool operators_good = valid_operators(name, operators, type);
    const bool functions_good = valid_functions(name, functions, type);
    ReleaseCatCacheList(functions);
    ReleaseCatCacheList(operators);
    return is_bitvec(type) && operators_good && functions_good;
}

}  // namespace nphd

// The metrics of the three operator classes; the values are those of nphd::Metric.
NPHD_FUNCTION(nphd_metric_nphd) {
    (void)fcinfo;
    PG_RETURN_INT32(static_cast<int32>(nphd::Metric::nphd));
}
NPHD_FUNCTION(nphd_metric_hamming) {
    (void)fcinfo;
    PG_RETURN_INT32(static_cast<int32>(nphd::Metric::hamming));
}
NPHD_FUNCTION(nphd_metric_jaccard) {
    (void)fcinfo;
    PG_RETURN_INT32(static_cast<int32>(nphd::Metric::jaccard));
}
