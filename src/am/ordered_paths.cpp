#include "src/am/ordered_paths.hpp"

#include "src/am/am.hpp"

namespace nphd {

#if NPHD_COMPLETES_ORDERED_PATHS

static set_rel_pathlist_hook_type previous_hook = nullptr;

static bool has_clause(List* conditions, const RestrictInfo* clause) {
    ListCell* cell;
    foreach (cell, conditions)
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

/// What a condition of an index scan is about; null where that is not one operand.
static Node* operand_of(const RestrictInfo* condition) {
    Node* clause = reinterpret_cast<Node*>(condition->clause);
    if (IsA(clause, OpExpr)) return static_cast<Node*>(linitial(reinterpret_cast<OpExpr*>(clause)->args));
    if (IsA(clause, ScalarArrayOpExpr))
        return static_cast<Node*>(linitial(reinterpret_cast<ScalarArrayOpExpr*>(clause)->args));
    if (IsA(clause, NullTest)) return reinterpret_cast<Node*>(reinterpret_cast<NullTest*>(clause)->arg);
    return nullptr;
}

/// The column of `index` that is what column `other_column` of `other` is, or -1.
static int same_column(IndexOptInfo* index, const IndexOptInfo* other, int other_column, Node* operand) {
    for (int column = 0; operand != nullptr && column < index->nkeycolumns; ++column)
        if (index->opfamily[column] == other->opfamily[other_column] &&
            index->indexcollations[column] == other->indexcollations[other_column] &&
            match_index_to_operand(operand, column, index))
            return column;
    return -1;
}

/// Those of the path's conditions that the index can answer, which may be another one.
static List* shared_conditions(IndexOptInfo* index, const IndexPath* path) {
    if (index == path->indexinfo) return list_copy(path->indexclauses);
    List* shared = NIL;
    ListCell* cell;
    foreach (cell, path->indexclauses) {
        const auto* clause = lfirst_node(IndexClause, cell);
        Node* operand = list_length(clause->indexquals) == 1
                            ? operand_of(linitial_node(RestrictInfo, clause->indexquals))
                            : nullptr;
        const int column = same_column(index, path->indexinfo, clause->indexcol, operand);
        if (column < 0) continue;
        IndexClause* copy = makeNode(IndexClause);
        *copy = *clause;
        copy->indexcol = static_cast<AttrNumber>(column);
        shared = lappend(shared, copy);
    }
    return shared;
}

/// The path's conditions and those that were left out; NIL when none was.
static List* complete_conditions(PlannerInfo* root, IndexOptInfo* index, const IndexPath* path) {
    List* conditions = shared_conditions(index, path);
    List* added = NIL;
    ListCell* cell;
    foreach (cell, index->indrestrictinfo) {
        auto* clause = lfirst_node(RestrictInfo, cell);
        if (clause->pseudoconstant || has_clause(conditions, clause) ||
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
    List* all = list_concat(conditions, added);
    list_sort(all, compare_columns);
    return all;
}

static bool is_ours(const IndexOptInfo* index) {
    return index->amcostestimate == reinterpret_cast<void (*)()>(nphdcostestimate);
}

static bool is_ordered_by_us(const Path* path) {
    if (path->pathtype != T_IndexScan) return false;
    const auto* scan = reinterpret_cast<const IndexPath*>(path);
    return list_length(scan->indexorderbys) == 1 && linitial_int(scan->indexorderbycols) == 0 &&
           is_ours(scan->indexinfo);
}

/// Whether the index can hand rows out in the path's order. Of several that can, the planner kept the path of one: as
/// long as conditions are left out, what one costs the others do.
static bool has_order_of(IndexOptInfo* index, const IndexPath* path) {
    if (index == path->indexinfo) return true;
    if (!is_ours(index) || (index->indpred != NIL && !index->predOK) || path->path.param_info != nullptr) return false;
    const auto* distance = static_cast<const Node*>(linitial(path->indexorderbys));
    if (!IsA(distance, OpExpr)) return false;
    auto* code = static_cast<Node*>(linitial(reinterpret_cast<const OpExpr*>(distance)->args));
    return index->opfamily[0] == path->indexinfo->opfamily[0] && match_index_to_operand(code, 0, index);
}

/// The path of the index with all conditions; null when nothing was left out.
static Path* completed_path(PlannerInfo* root, IndexOptInfo* index, const IndexPath* path) {
    List* conditions = complete_conditions(root, index, path);
    if (conditions == NIL) return nullptr;
    return reinterpret_cast<Path*>(create_index_path(root, index, conditions, path->indexorderbys,
                                                     path->indexorderbycols, path->path.pathkeys, path->indexscandir,
                                                     false, PATH_REQ_OUTER(&path->path), 1.0, false));
}

static void complete_ordered_paths(PlannerInfo* root, RelOptInfo* rel, Index rti, RangeTblEntry* rte) {
    if (previous_hook != nullptr) previous_hook(root, rel, rti, rte);
    // Adding a path may free others, so all are made first.
    List* completed = NIL;
    ListCell *cell, *index_cell;
    foreach (cell, rel->pathlist) {
        const auto* path = static_cast<const Path*>(lfirst(cell));
        if (!is_ordered_by_us(path)) continue;
        const auto* scan = reinterpret_cast<const IndexPath*>(path);
        foreach (index_cell, rel->indexlist) {
            auto* index = lfirst_node(IndexOptInfo, index_cell);
            Path* made = has_order_of(index, scan) ? completed_path(root, index, scan) : nullptr;
            if (made != nullptr) completed = lappend(completed, made);
        }
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
