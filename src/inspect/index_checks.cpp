#include "src/inspect/index_checks.hpp"

#include "src/am/am.hpp"

namespace nphd {

// Our access method is the one whose handler is nphd_handler of this library; asking the relation avoids a look-up by
// name, which another extension could have taken.
bool is_nphd_index(Relation rel) {
    return rel->rd_rel->relkind == RELKIND_INDEX && rel->rd_indam != nullptr && rel->rd_indam->ambuild == nphdbuild;
}

Relation open_nphd_index(Oid oid, LOCKMODE lock) {
    Relation rel = try_relation_open(oid, lock);
    if (rel == nullptr)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE), errmsg("relation with OID %u does not exist", oid)));
    if (!is_nphd_index(rel))
        ereport(
            ERROR,
            (errcode(ERRCODE_WRONG_OBJECT_TYPE), errmsg("\"%s\" is not an nphd index", RelationGetRelationName(rel)),
             rel->rd_rel->relkind == RELKIND_PARTITIONED_INDEX ? errhint("Name the index of a partition.") : 0));
    if (RELATION_IS_OTHER_TEMP(rel))
        ereport(ERROR,
                (errcode(ERRCODE_FEATURE_NOT_SUPPORTED), errmsg("cannot access temporary indexes of other sessions")));
    if (!rel->rd_index->indisvalid)
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("index \"%s\" is not valid", RelationGetRelationName(rel))));
    return rel;
}

static void require_reader(Relation table, const char* instead_of_policies) {
    const Oid oid = RelationGetRelid(table);
    if (pg_class_aclcheck(oid, GetUserId(), ACL_SELECT) != ACLCHECK_OK)
        aclcheck_error(ACLCHECK_NO_PRIV, get_relkind_objtype(table->rd_rel->relkind), RelationGetRelationName(table));
    if (check_enable_rls(oid, InvalidOid, true) == RLS_ENABLED)
        ereport(ERROR,
                (errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                 errmsg("row-level security policies of table \"%s\" apply to you, which an index cannot respect",
                        RelationGetRelationName(table)),
                 errhint("%s", instead_of_policies)));
}

// A row's earlier versions may have had other codes when the index was made: as the planner does.
static void require_usable(Relation index) {
    if (index->rd_index->indcheckxmin &&
        !TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data), TransactionXmin))
        ereport(ERROR, (errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
                        errmsg("index \"%s\" is too new for this transaction", RelationGetRelationName(index))));
}

IndexedTable open_indexed_table(Oid index, const char* instead_of_policies) {
    IndexedTable opened{};
    // The table first, as everybody does.
    const Oid table = IndexGetRelation(index, true);
    if (OidIsValid(table)) opened.table = try_relation_open(table, AccessShareLock);
    opened.index = open_nphd_index(index, AccessShareLock);
    if (opened.table == nullptr || opened.index->rd_index->indrelid != table)
        ereport(ERROR, (errcode(ERRCODE_UNDEFINED_TABLE),
                        errmsg("table of index \"%s\" does not exist", RelationGetRelationName(opened.index))));
    require_reader(opened.table, instead_of_policies);
    require_usable(opened.index);
    return opened;
}

void close_indexed_table(const IndexedTable& opened) {
    relation_close(opened.index, NoLock);
    relation_close(opened.table, NoLock);
}

void require_owner(Relation index) {
    if (!owns_relation(RelationGetRelid(index), GetUserId()))
        aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_INDEX, RelationGetRelationName(index));
}

bool may_read_stats(Relation index) {
    return owns_relation(RelationGetRelid(index), GetUserId()) ||
           has_privs_of_role(GetUserId(), ROLE_PG_STAT_SCAN_TABLES);
}

void require_stats_reader(Relation index) {
    if (!may_read_stats(index)) aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_INDEX, RelationGetRelationName(index));
}

}  // namespace nphd
