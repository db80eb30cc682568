// What the planner is told about nphd_within() and its sisters: that a call is a condition which an index of the same
// distance can answer, and how many rows meet it.

#include "src/am/ball_selectivity.hpp"
#include "src/am/opclass.hpp"

extern "C" {
Datum bitvec_nphd_within(PG_FUNCTION_ARGS);
Datum bitvec_hamming_within(PG_FUNCTION_ARGS);
Datum bitvec_jaccard_within(PG_FUNCTION_ARGS);
}

namespace nphd {

static std::optional<Metric> function_metric(Oid function) {
    FmgrInfo info;
    fmgr_info(function, &info);
    if (info.fn_addr == bitvec_nphd_within) return Metric::nphd;
    if (info.fn_addr == bitvec_hamming_within) return Metric::hamming;
    if (info.fn_addr == bitvec_jaccard_within) return Metric::jaccard;
    return std::nullopt;
}

/// ROW(center, radius)::bitvec_ball, or the constant that it is.
static Expr* make_ball(PlannerInfo* root, Oid ball_type, Node* center, Node* radius) {
    if (exprType(radius) == INT4OID)
        radius = reinterpret_cast<Node*>(
            makeFuncExpr(F_FLOAT8_INT4, FLOAT8OID, list_make1(radius), InvalidOid, InvalidOid, COERCE_IMPLICIT_CAST));
    RowExpr* row = makeNode(RowExpr);
    row->args = list_make2(center, radius);
    row->row_typeid = ball_type;
    row->row_format = COERCE_EXPLICIT_CAST;
    row->location = -1;
    return reinterpret_cast<Expr*>(eval_const_expressions(root, reinterpret_cast<Node*>(row)));
}

/// code <->@ ROW(center, radius), with whichever of the two codes the index is about on the left: distances are
/// symmetric. Exactly what the function says, so nothing is lossy about it.
static List* index_condition(SupportRequestIndexCondition* request, Metric metric) {
    if (!is_funcclause(request->node) || request->indexarg > 1) return NIL;
    List* args = castNode(FuncExpr, request->node)->args;
    if (list_length(args) != 3) return NIL;
    const Oid type = request->index->opcintype[request->indexcol];
    const std::optional<WithinOperator> op = within_operator(request->opfamily, type);
    if (!op.has_value() || within_metric(op->op) != metric) return NIL;

    auto* code = static_cast<Node*>(list_nth(args, request->indexarg));
    auto* center = static_cast<Node*>(list_nth(args, 1 - request->indexarg));
    auto* radius = static_cast<Node*>(lthird(args));
    if (exprType(center) != type || !is_pseudo_constant_for_index(request->root, center, request->index) ||
        !is_pseudo_constant_for_index(request->root, radius, request->index))
        return NIL;
    request->lossy = false;
    Expr* ball = make_ball(request->root, op->ball_type, center, radius);
    return list_make1(
        make_opclause(op->op, BOOLOID, false, reinterpret_cast<Expr*>(code), ball, InvalidOid, InvalidOid));
}

static bool estimate(SupportRequestSelectivity* request, Metric metric) {
    if (list_length(request->args) != 3) return false;
    const BallCondition condition{metric, request->funcid, static_cast<Node*>(linitial(request->args)),
                                  static_cast<Node*>(lsecond(request->args)),
                                  static_cast<Node*>(lthird(request->args))};
    request->selectivity = ball_selectivity(request->root, condition, request->varRelid);
    return true;
}

NPHD_FUNCTION(bitvec_within_support) {
    auto* request = reinterpret_cast<Node*>(PG_GETARG_POINTER(0));
    void* answer = nullptr;
    if (IsA(request, SupportRequestIndexCondition)) {
        auto* condition = reinterpret_cast<SupportRequestIndexCondition*>(request);
        const std::optional<Metric> metric = function_metric(condition->funcid);
        if (metric.has_value()) answer = index_condition(condition, *metric);
    } else if (IsA(request, SupportRequestSelectivity)) {
        auto* selectivity = reinterpret_cast<SupportRequestSelectivity*>(request);
        const std::optional<Metric> metric = function_metric(selectivity->funcid);
        if (metric.has_value() && estimate(selectivity, *metric)) answer = selectivity;
    }
    PG_RETURN_POINTER(answer);
}

}  // namespace nphd
