#include "src/am/ordered_paths.hpp"

#include "src/am/am.hpp"

namespace nphd {

#if NPHD_COMPLETES_ORDERED_PATHS

static set_rel_pathlist_hook_type previous_hook = nullptr;

static bool has_clause(const IndexPath* path, const RestrictInfo* clause) {
    ListCell* cell;
    foreach (cell, path->indexclauses)
        if (lfirst_node(IndexClause, cell)->rinfo == clause) return true;
    return false;
}

/// A list on column `column`, as the core matches it (match_saopclause_to_indexcol).
static bool is_list_on(IndexOptInfo* index, int column, const RestrictInfo* clause) {
    if (!IsA(clause->clause, ScalarArrayOpExpr)) return false;
    const auto* list = reinterpret_cast<const ScalarArrayOpExpr*>(clause->clause);
    auto* left = static_cast<Node*>(linitial(list->args));
    auto* right = static_cast<Node*>(lsecond(list->args));
    const Oid collation = index->indexcollations[column];
    return list->useOr && match_index_to_operand(left, column, index) && !contain_var_clause(right) &&
           !contain_volatile_functions(right) && (!OidIsValid(collation) || collation == list->inputcollid) &&
           op_in_opfamily(list->opno, index->opfamily[column]);
}

/// column = value, of a condition that is the Boolean column or its negation; else null.
static RestrictInfo* boolean_condition(PlannerInfo* root, IndexOptInfo* index, int column, RestrictInfo* clause) {
    if (index->opcintype[column] != BOOLOID || !op_in_opfamily(BooleanEqualOperator, index->opfamily[column]))
        return nullptr;
    auto* operand = reinterpret_cast<Node*>(clause->clause);
    bool value = true;
    if (is_notclause(operand)) {
        operand = reinterpret_cast<Node*>(get_notclausearg(clause->clause));
        value = false;
    } else if (IsA(operand, BooleanTest)) {
        const auto* test = reinterpret_cast<const BooleanTest*>(operand);
        if (test->booltesttype != IS_TRUE && test->booltesttype != IS_FALSE) return nullptr;
        value = test->booltesttype == IS_TRUE;
        operand = reinterpret_cast<Node*>(test->arg);
    }
    if (!match_index_to_operand(operand, column, index)) return nullptr;
    Expr* equal = make_opclause(BooleanEqualOperator, BOOLOID, false, reinterpret_cast<Expr*>(operand),
                                reinterpret_cast<Expr*>(makeBoolConst(value, false)), InvalidOid, InvalidOid);
    return make_simple_restrictinfo(root, equal);
}

/// The condition for an index scan that a clause of the query makes on the column; else null.
static RestrictInfo* condition_on(PlannerInfo* root, IndexOptInfo* index, int column, RestrictInfo* clause) {
    if (is_list_on(index, column, clause)) return clause;
    return boolean_condition(root, index, column, clause);
}

static IndexClause* index_clause(RestrictInfo* clause, RestrictInfo* condition, int column) {
    IndexClause* made = makeNode(IndexClause);
    made->rinfo = clause;
    made->indexquals = list_make1(condition);
    made->indexcol = static_cast<AttrNumber>(column);
    return made;
}

static int compare_columns(const ListCell* a, const ListCell* b) {
    return lfirst_node(IndexClause, a)->indexcol - lfirst_node(IndexClause, b)->indexcol;
}

/// The path's conditions and those that were left out; NIL when none was.
static List* complete_conditions(PlannerInfo* root, const IndexPath* path) {
    IndexOptInfo* index = path->indexinfo;
    List* added = NIL;
    ListCell* cell;
    foreach (cell, index->indrestrictinfo) {
        auto* clause = lfirst_node(RestrictInfo, cell);
        if (clause->pseudoconstant || has_clause(path, clause) ||
            !restriction_is_securely_promotable(clause, index->rel))
            continue;
        for (int column = 1; column < index->nkeycolumns; ++column) {
            RestrictInfo* condition = condition_on(root, index, column, clause);
            if (condition == nullptr) continue;
            added = lappend(added, index_clause(clause, condition, column));
            break;
        }
    }
    if (added == NIL) return NIL;
    List* all = list_concat_copy(path->indexclauses, added);
    list_sort(all, compare_columns);
    return all;
}

static bool is_ordered_by_us(const Path* path) {
    if (path->pathtype != T_IndexScan) return false;
    const auto* scan = reinterpret_cast<const IndexPath*>(path);
    return scan->indexorderbys != NIL &&
           scan->indexinfo->amcostestimate == reinterpret_cast<void (*)()>(nphdcostestimate);
}

static void complete_ordered_paths(PlannerInfo* root, RelOptInfo* rel, Index rti, RangeTblEntry* rte) {
    if (previous_hook != nullptr) previous_hook(root, rel, rti, rte);
    // Adding a path may free others, so all are made first.
    List* completed = NIL;
    ListCell* cell;
    foreach (cell, rel->pathlist) {
        const auto* path = static_cast<const Path*>(lfirst(cell));
        if (!is_ordered_by_us(path)) continue;
        const auto* scan = reinterpret_cast<const IndexPath*>(path);
        List* conditions = complete_conditions(root, scan);
        if (conditions == NIL) continue;
        completed = lappend(
            completed, create_index_path(root, scan->indexinfo, conditions, scan->indexorderbys, scan->indexorderbycols,
                                         path->pathkeys, scan->indexscandir, false, PATH_REQ_OUTER(path), 1.0, false));
    }
    foreach (cell, completed) add_path(rel, static_cast<Path*>(lfirst(cell)));
}

void ordered_paths_init() {
    previous_hook = set_rel_pathlist_hook;
    set_rel_pathlist_hook = complete_ordered_paths;
}

#else

void ordered_paths_init() {}

#endif

}  // namespace nphd
