#include "src/am/opclass.hpp"

#include "src/am/filter_columns.hpp"
#include "src/am/filter_types.hpp"

extern "C" {
Datum bitvec_nphd_distance(PG_FUNCTION_ARGS);
Datum bitvec_hamming_distance(PG_FUNCTION_ARGS);
Datum bitvec_jaccard_distance(PG_FUNCTION_ARGS);
Datum bitvec_in_nphd_ball(PG_FUNCTION_ARGS);
Datum bitvec_in_hamming_ball(PG_FUNCTION_ARGS);
Datum bitvec_in_jaccard_ball(PG_FUNCTION_ARGS);
Datum bitvec_eq(PG_FUNCTION_ARGS);
}

namespace nphd {

// An operator's C function says what it measures, and that its arguments are stored as bitvec stores them: nothing
// else can be indexed, whatever an operator class calls a distance, and rows cannot come in another order than the
// query asked for.
static PGFunction function_of(Oid op) {
    FmgrInfo function;
    fmgr_info(get_opcode(op), &function);
    return function.fn_addr;
}

static std::optional<Metric> distance_metric(Oid op) {
    const PGFunction function = function_of(op);
    if (function == bitvec_nphd_distance) return Metric::nphd;
    if (function == bitvec_hamming_distance) return Metric::hamming;
    if (function == bitvec_jaccard_distance) return Metric::jaccard;
    return std::nullopt;
}

static std::optional<Metric> within_metric(PGFunction function) {
    if (function == bitvec_in_nphd_ball) return Metric::nphd;
    if (function == bitvec_in_hamming_ball) return Metric::hamming;
    if (function == bitvec_in_jaccard_ball) return Metric::jaccard;
    return std::nullopt;
}

std::optional<Metric> within_metric(Oid op) { return within_metric(function_of(op)); }

bool is_condition(const ScanKeyData& key, Metric metric) {
    const PGFunction function = key.sk_func.fn_addr;
    if (key.sk_strategy == kEqualStrategy) return function == bitvec_eq;
    return key.sk_strategy == kWithinStrategy && within_metric(function) == metric;
}

std::optional<Metric> family_metric(Oid opfamily, Oid opcintype) {
    const Oid op = get_opfamily_member(opfamily, opcintype, opcintype, kDistanceStrategy);
    return OidIsValid(op) ? distance_metric(op) : std::nullopt;
}

static Form_pg_amop member(CatCList* operators, int i) {
    return reinterpret_cast<Form_pg_amop>(GETSTRUCT(&operators->members[i]->tuple));
}

std::optional<WithinOperator> within_operator(Oid opfamily, Oid opcintype) {
    CatCList* operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(opfamily));
    std::optional<WithinOperator> found;
    for (int i = 0; i < operators->n_members && !found.has_value(); ++i) {
        Form_pg_amop op = member(operators, i);
        if (op->amopstrategy == kWithinStrategy && op->amoplefttype == opcintype)
            found = {op->amopopr, op->amoprighttype};
    }
    ReleaseCatCacheList(operators);
    return found;
}

static void complain(const char* opclass, const char* what) {
    ereport(INFO, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                   errmsg("the family of operator class \"%s\" of access method nphd %s", opclass, what)));
}

/// What is wrong with an operator of a family that measures `metric`, or null.
static const char* fault_of(Form_pg_amop op, std::optional<Metric> metric) {
    const bool to_order = op->amoppurpose == AMOP_ORDER;
    switch (op->amopstrategy) {
        case kDistanceStrategy:
            if (!to_order) return "contains an operator that is not one to order by";
            if (!distance_metric(op->amopopr).has_value() || !opfamily_can_sort_type(op->amopsortfamily, FLOAT8OID))
                return "contains an operator that is not a distance of bitvec, ordered as double precision";
            return nullptr;
        case kEqualStrategy:
            if (to_order || function_of(op->amopopr) != bitvec_eq)
                return "contains an operator that is not equality of bitvec";
            return nullptr;
        case kWithinStrategy:
            if (to_order || !within_metric(op->amopopr).has_value())
                return "contains an operator that is not \"within a ball\" of bitvec";
            if (metric.has_value() && within_metric(op->amopopr) != metric)
                return "contains a distance, and \"within a ball\" of another distance";
            return nullptr;
        default:
            return "contains an operator of an unknown strategy";
    }
}

/// What is wrong with an operator of a family for filter columns, or null.
static const char* filter_fault_of(Form_pg_amop op) {
    const Oid function = get_opcode(op->amopopr);
    if (op->amoppurpose == AMOP_ORDER ||
        !is_filter_function(function, op->amoplefttype, op->amoprighttype, op->amopstrategy))
        return "contains an operator that is not what the B-tree operator family of its type has";
    return nullptr;
}

/// The first fault in a family by fault_of(operator), or null.
template <class FaultOf>
static const char* family_fault(Oid family, FaultOf&& fault_of) {
    CatCList* operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
    const char* fault = nullptr;
    for (int i = 0; i < operators->n_members && fault == nullptr; ++i) fault = fault_of(member(operators, i));
    ReleaseCatCacheList(operators);
    return fault;
}

static void refuse(Relation index, int column, const char* fault) {
    if (fault == nullptr) return;
    ereport(ERROR,
            (errcode(ERRCODE_INVALID_OBJECT_DEFINITION), errmsg("the operator class of column %d of index \"%s\" %s",
                                                                column, RelationGetRelationName(index), fault)));
}

Metric index_metric(Relation index) {
    const Oid family = index->rd_opfamily[0];
    const std::optional<Metric> metric = family_metric(family, index->rd_opcintype[0]);
    if (!metric.has_value())
        ereport(ERROR, (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                        errmsg("the operator class of column 1 of index \"%s\" has no distance operator of type bitvec",
                               RelationGetRelationName(index)),
                        errhint("The code comes first, columns to filter by after it.")));
    refuse(index, 1, family_fault(family, [&](Form_pg_amop op) { return fault_of(op, metric); }));
    return *metric;
}

void check_filter_classes(Relation index) {
    for (int i = 1; i < IndexRelationGetNumberOfKeyAttributes(index); ++i)
        refuse(index, i + 1, family_fault(index->rd_opfamily[i], filter_fault_of));
}

static bool valid_filter_operators(const char* opclass, Oid family) {
    const char* fault = family_fault(family, filter_fault_of);
    if (fault != nullptr) complain(opclass, fault);
    return fault == nullptr;
}

static bool valid_operators(const char* opclass, Oid family, Oid type) {
    if (filter_type(type) != nullptr) return valid_filter_operators(opclass, family);
    const std::optional<Metric> metric = family_metric(family, type);
    CatCList* operators = SearchSysCacheList1(AMOPSTRATEGY, ObjectIdGetDatum(family));
    bool found = false, good = true;
    for (int i = 0; i < operators->n_members; ++i) {
        Form_pg_amop op = member(operators, i);
        if (const char* fault = fault_of(op, metric)) {
            complain(opclass, fault);
            good = false;
        }
        found |= op->amopstrategy == kDistanceStrategy && op->amoplefttype == type && op->amoprighttype == type;
    }
    ReleaseCatCacheList(operators);
    if (!found) complain(opclass, "lacks a distance operator for its type");
    return good && found;
}

static bool no_functions(const char* opclass, Oid family) {
    CatCList* functions = SearchSysCacheList1(AMPROCNUM, ObjectIdGetDatum(family));
    const bool none = functions->n_members == 0;
    if (!none) complain(opclass, "contains a support function");
    ReleaseCatCacheList(functions);
    return none;
}

bool nphdvalidate(Oid opclass) {
    HeapTuple tuple = SearchSysCache1(CLAOID, ObjectIdGetDatum(opclass));
    if (!HeapTupleIsValid(tuple)) elog(ERROR, "cache lookup failed for operator class %u", opclass);
    const auto* form = reinterpret_cast<Form_pg_opclass>(GETSTRUCT(tuple));
    const Oid family = form->opcfamily, type = form->opcintype;
    const char* name = pstrdup(NameStr(form->opcname));
    ReleaseSysCache(tuple);
    const bool operators = valid_operators(name, family, type);
    return no_functions(name, family) && operators;
}

}  // namespace nphd
