#include "src/am/opclass.hpp"

#include <optional>

extern "C" {
Datum bitvec_nphd_distance(PG_FUNCTION_ARGS);
Datum bitvec_hamming_distance(PG_FUNCTION_ARGS);
Datum bitvec_jaccard_distance(PG_FUNCTION_ARGS);
}

namespace nphd {

// The operator's C function says what it measures, and that its arguments are stored as bitvec stores them: nothing
// else can be indexed, whatever an operator class calls a distance, and rows cannot come in another order than the
// query asked for.
static std::optional<Metric> metric_of(Oid op) {
    FmgrInfo function;
    fmgr_info(get_opcode(op), &function);
    if (function.fn_addr == bitvec_nphd_distance) return Metric::nphd;
    if (function.fn_addr == bitvec_hamming_distance) return Metric::hamming;
    if (function.fn_addr == bitvec_jaccard_distance) return Metric::jaccard;
    return std::nullopt;
}

Metric index_metric(Relation index) {
    const Oid type = index->rd_opcintype[0];
    const Oid op = get_opfamily_member(index->rd_opfamily[0], type, type, kDistanceStrategy);
    const std::optional<Metric> metric = OidIsValid(op) ? metric_of(op) : std::nullopt;
    if (!metric.has_value())
        ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                        errmsg("the operator class of index \"%s\" has no distance operator of type bitvec",
                               RelationGetRelationName(index))));
    return *metric;
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
        } else if (!metric_of(op->amopopr).has_value() || !opfamily_can_sort_type(op->amopsortfamily, FLOAT8OID)) {
            complain(opclass, "contains an operator that is not a distance of bitvec, ordered as double precision");
            good = false;
        }
        found |= op->amoplefttype == type && op->amoprighttype == type;
    }
    if (!found) complain(opclass, "lacks a distance operator for its type");
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
    const bool good = valid_operators(name, operators, type);
    const bool no_functions = functions->n_members == 0;
    if (!no_functions) complain(name, "contains a support function");
    ReleaseCatCacheList(functions);
    ReleaseCatCacheList(operators);
    return good && no_functions;
}

}  // namespace nphd
