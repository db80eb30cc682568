// A condition becomes ranges of numbers (filter_types.hpp). Constants of the column's own type have a number; for those
// of another type the boundary is found by bisection over the column's numbers, with the comparison functions of the
// type's B-tree operator family.

#include "src/am/filter_columns.hpp"

#include <algorithm>
#include <optional>

#include "src/am/filter_types.hpp"
#include "src/am/opclass.hpp"
#include "src/am/scan_key.hpp"

namespace nphd {

namespace {

/// Ranges in palloc'd memory, for one column ascending and disjoint once normalised.
struct RangeList {
    ValueRange* ranges;
    uint32 n, max;
};

struct ColumnState {
    bool asked;
    bool nulls, values;  // NULL, or a value at all, may satisfy what was asked until now
    bool all;            // every value does
    RangeList list;      // those that do, unless all
};

struct ColumnInfo {
    const FilterType* type;
    Oid collation;
    Oid column_type;  // of an enum: which, or a domain over it
};

/// The least number that is not below a constant, and the least above it; either may lie one behind the greatest.
struct Boundaries {
    FilterValue lower, upper;
    bool lower_beyond, upper_beyond;  // there is none
};

}  // namespace

static void add_range(RangeList* list, FilterValue low, FilterValue high) {
    if (list->n == list->max) {
        static_assert(alignof(ValueRange) <= MAXIMUM_ALIGNOF, "palloc() aligns no further");
        list->max = Max(list->max * 2, 4u);
        const Size bytes = list->max * sizeof(ValueRange);
        list->ranges =
            static_cast<ValueRange*>(list->ranges == nullptr ? MemoryContextAllocHuge(CurrentMemoryContext, bytes)
                                                             : repalloc_huge(list->ranges, bytes));
    }
    list->ranges[list->n++] = {low, high};
}

static void normalise(RangeList* list) {
    if (list->n < 2) return;
    std::sort(list->ranges, list->ranges + list->n,
              [](const ValueRange& a, const ValueRange& b) { return a.low < b.low; });
    uint32 n = 0;
    for (uint32 i = 1; i < list->n; ++i) {
        ValueRange& last = list->ranges[n];
        const ValueRange& next = list->ranges[i];
        if (next.low <= last.high || next.low == last.high + 1)
            last.high = Max(last.high, next.high);
        else
            list->ranges[++n] = next;
    }
    list->n = n + 1;
}

static RangeList intersection(const RangeList& a, const RangeList& b) {
    RangeList both{};
    for (uint32 i = 0, j = 0; i < a.n && j < b.n;) {
        const FilterValue low = Max(a.ranges[i].low, b.ranges[j].low);
        const FilterValue high = Min(a.ranges[i].high, b.ranges[j].high);
        if (low <= high) add_range(&both, low, high);
        if (a.ranges[i].high < b.ranges[j].high)
            ++i;
        else
            ++j;
    }
    return both;
}

static ColumnInfo column_info(Relation index, uint32 column) {
    const auto attribute = static_cast<int>(column) + 1;
    return {filter_type(index->rd_opcintype[attribute]), index->rd_indcollation[attribute],
            TupleDescAttr(RelationGetDescr(index), attribute)->atttypid};
}

FilterLayout filter_layout(Relation index) {
    FilterLayout layout{};
    const int columns = IndexRelationGetNumberOfKeyAttributes(index) - 1;
    if (columns > static_cast<int>(kMaxFilterColumns))
        ereport(ERROR, (errcode(ERRCODE_TOO_MANY_COLUMNS),
                        errmsg("an nphd index cannot have more than %u columns beside the code", kMaxFilterColumns)));
    for (int i = 0; i < columns; ++i) {
        const FilterType* type = filter_type(index->rd_opcintype[i + 1]);
        if (type == nullptr)
            ereport(ERROR,
                    (errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
                     errmsg("column %d of index \"%s\" cannot be filtered by", i + 2, RelationGetRelationName(index)),
                     errdetail("There are no filters for type %s. Codes are for the first column alone.",
                               format_type_be(index->rd_opcintype[i + 1]))));
        layout.width[i] = type->width;
    }
    layout.columns = static_cast<uint8>(columns);
    return layout;
}

void encode_filters(Relation index, const FilterLayout& layout, const Datum* values, const bool* isnull,
                    std::byte* record) {
    memset(record, 0, layout.record_bytes());
    for (uint32 c = 0; c < layout.columns; ++c) {
        const ColumnInfo column = column_info(index, c);
        if (isnull[c + 1])
            set_filter_null(record, c);
        else
            store_filter_value(record + layout.offset(c), layout.width[c],
                               filter_value(*column.type, column.collation, values[c + 1]));
    }
}

// The least number of the column's type whose value does not satisfy `value op constant`, for a function that is true
// of all values up to some.
static FilterValue first_beyond(const FilterType& type, FmgrInfo* op, Oid collation, Datum constant, bool* none) {
    FilterValue from = least_filter_value(type), last = greatest_filter_value(type);
    const auto holds = [&](FilterValue number) {
        return DatumGetBool(FunctionCall2Coll(op, collation, value_of_filter(type, number), constant));
    };
    *none = holds(last);
    while (!*none && from < last) {
        const FilterValue middle = from + (last - from) / 2;
        if (holds(middle))
            from = middle + 1;
        else
            last = middle;
    }
    return last;
}

// The function of the operator of the type's B-tree family, or InvalidOid.
static Oid btree_function(Oid left, Oid right, StrategyNumber strategy) {
    const TypeCacheEntry* cache = lookup_type_cache(left, TYPECACHE_BTREE_OPFAMILY);
    const Oid op = get_opfamily_member(cache->btree_opf, left, right, strategy);
    return OidIsValid(op) ? get_opcode(op) : InvalidOid;
}

static Boundaries boundaries_of_other_type(const ColumnInfo& column, Oid other_type, Datum constant) {
    Boundaries b{};
    FmgrInfo less, less_equal;
    fmgr_info(btree_function(column.type->type, other_type, BTLessStrategyNumber), &less);
    fmgr_info(btree_function(column.type->type, other_type, BTLessEqualStrategyNumber), &less_equal);
    b.lower = first_beyond(*column.type, &less, column.collation, constant, &b.lower_beyond);
    b.upper = first_beyond(*column.type, &less_equal, column.collation, constant, &b.upper_beyond);
    return b;
}

static std::optional<int64> integer_of(Oid type, Datum value) {
    switch (type) {
        case INT2OID:
            return DatumGetInt16(value);
        case INT4OID:
            return DatumGetInt32(value);
        case INT8OID:
            return DatumGetInt64(value);
        default:
            return std::nullopt;
    }
}

// Without calls, for they are the most frequent.
static Boundaries boundaries_of_integer(const FilterType& type, int64 constant) {
    const int64 greatest = static_cast<int64>(PG_UINT64_MAX >> (65 - 8 * type.width)), least = -greatest - 1;
    const auto number = [&](int64 value) { return filter_value(type, InvalidOid, Int64GetDatum(value)); };
    Boundaries b{};
    b.lower_beyond = constant > greatest;
    b.upper_beyond = constant >= greatest;
    if (!b.lower_beyond) b.lower = number(Max(constant, least));
    if (!b.upper_beyond) b.upper = constant < least ? number(least) : number(constant + 1);
    return b;
}

static Boundaries boundaries(const ColumnInfo& column, Oid constant_type, Datum constant) {
    const std::optional<int64> integer = integer_of(constant_type, constant);
    if (integer.has_value() && integer_of(column.type->type, 0).has_value())
        return boundaries_of_integer(*column.type, *integer);
    if (constant_type != column.type->type && has_related_types(*column.type))
        return boundaries_of_other_type(column, constant_type, constant);
    Boundaries b{};
    b.lower = filter_value(*column.type, column.collation, constant);
    b.upper_beyond = b.lower == greatest_filter_value(*column.type);
    b.upper = b.lower + 1;
    return b;
}

static void add_comparison(RangeList* list, const ColumnInfo& column, StrategyNumber strategy, const Boundaries& b) {
    const FilterValue greatest = greatest_filter_value(*column.type);
    const auto below = [&](FilterValue bound, bool beyond) {
        if (beyond)
            add_range(list, 0, greatest);
        else if (bound > 0)
            add_range(list, 0, bound - 1);
    };
    switch (strategy) {
        case kLessStrategy:
            return below(b.lower, b.lower_beyond);
        case kLessEqualStrategy:
            return below(b.upper, b.upper_beyond);
        case kGreaterEqualStrategy:
            if (!b.lower_beyond) add_range(list, b.lower, greatest);
            return;
        case kGreaterStrategy:
            if (!b.upper_beyond) add_range(list, b.upper, greatest);
            return;
        default:
            if (!b.lower_beyond && (b.upper_beyond || b.upper > b.lower))
                add_range(list, b.lower, b.upper_beyond ? greatest : b.upper - 1);
    }
}

// The order of an enum's labels is not that of their oids, and labels may be added between them.
static void add_labels(RangeList* list, const ColumnInfo& column, FmgrInfo* op, Datum constant) {
    CatCList* labels = SearchSysCacheList1(ENUMTYPOIDNAME, ObjectIdGetDatum(getBaseType(column.column_type)));
    const int n = labels->n_members;
    auto* oids = static_cast<Oid*>(palloc(sizeof(Oid) * Max(n, 1)));
    for (int i = 0; i < n; ++i) oids[i] = reinterpret_cast<Form_pg_enum>(GETSTRUCT(&labels->members[i]->tuple))->oid;
    ReleaseCatCacheList(labels);
    for (int i = 0; i < n; ++i)
        if (DatumGetBool(FunctionCall2Coll(op, InvalidOid, ObjectIdGetDatum(oids[i]), constant)))
            add_range(list, oids[i], oids[i]);
    pfree(oids);
}

static void add_constant(RangeList* list, const ColumnInfo& column, const ScanKeyData& key, Oid constant_type,
                         Datum constant) {
    if (column.type->type == ANYENUMOID && key.sk_strategy != kEqualStrategy)
        add_labels(list, column, const_cast<FmgrInfo*>(&key.sk_func), constant);
    else
        add_comparison(list, column, key.sk_strategy, boundaries(column, constant_type, constant));
}

/// The type of the key's constants, as the operator names it.
static Oid constant_type_of(const ColumnInfo& column, const ScanKeyData& key) {
    return OidIsValid(key.sk_subtype) && column.type->type != ANYENUMOID ? key.sk_subtype : column.type->type;
}

static RangeList ranges_of_key(const ColumnInfo& column, const ScanKeyData& key) {
    RangeList list{};
    const Oid type = constant_type_of(column, key);
    each_constant(key, [&](Datum constant) { add_constant(&list, column, key, type, constant); });
    normalise(&list);
    return list;
}

static StrategyNumber btree_strategy(StrategyNumber strategy) {
    switch (strategy) {
        case kLessStrategy:
            return BTLessStrategyNumber;
        case kLessEqualStrategy:
            return BTLessEqualStrategyNumber;
        case kEqualStrategy:
            return BTEqualStrategyNumber;
        case kGreaterEqualStrategy:
            return BTGreaterEqualStrategyNumber;
        case kGreaterStrategy:
            return BTGreaterStrategyNumber;
        default:
            return InvalidStrategy;
    }
}

bool is_filter_function(Oid function, Oid left, Oid right, StrategyNumber strategy) {
    const FilterType* type = filter_type(left);
    const StrategyNumber btree = btree_strategy(strategy);
    if (type == nullptr || btree == InvalidStrategy) return false;
    if (type->hashed && strategy != kEqualStrategy) return false;
    if (left != right && !has_related_types(*type)) return false;
    // Local times that do not exist, or occur twice, are out of the order of the times that they are converted to.
    if (left == TIMESTAMPOID && right == TIMESTAMPTZOID) return false;
    const Oid known = btree_function(left, right, btree);
    return OidIsValid(known) && known == function;
}

static void take_key(ColumnState* state, const ColumnInfo& column, const ScanKeyData& key, FilterConditions* result) {
    if ((key.sk_flags & SK_SEARCHNULL) != 0) {
        state->asked = true;
        state->values = false;
        return;
    }
    if ((key.sk_flags & SK_SEARCHNOTNULL) != 0) {
        state->asked = true;
        state->nulls = false;
        return;
    }
    // Families may be altered behind an index's back.
    if (!is_filter_function(key.sk_func.fn_oid, column.type->type, constant_type_of(column, key), key.sk_strategy)) {
        result->recheck = true;
        return;
    }
    state->asked = true;
    state->nulls = false;
    if ((key.sk_flags & SK_ISNULL) != 0) {
        state->values = false;
        return;
    }
    const RangeList list = ranges_of_key(column, key);
    state->list = state->all ? list : intersection(state->list, list);
    state->all = false;
    result->recheck |= column.type->hashed;
}

FilterConditions filter_conditions(Relation index, const FilterLayout& layout, const ScanKeyData* keys, int n_keys) {
    FilterConditions result{};
    ColumnState states[kMaxFilterColumns];
    for (ColumnState& state : states) state = {false, true, true, true, {}};
    for (int i = 0; i < n_keys; ++i) {
        const auto column = static_cast<uint32>(keys[i].sk_attno) - 2;
        if (keys[i].sk_attno >= 2 && column < layout.columns)
            take_key(&states[column], column_info(index, column), keys[i], &result);
    }
    auto* conditions = static_cast<ColumnCondition*>(palloc(sizeof(ColumnCondition) * Max(layout.columns, 1)));
    Size n = 0;
    for (uint32 c = 0; c < layout.columns; ++c) {
        ColumnState& state = states[c];
        if (!state.asked) continue;
        if (state.values && state.all) add_range(&state.list, 0, greatest_filter_value(*column_info(index, c).type));
        if (!state.values) state.list.n = 0;
        result.impossible |= !state.nulls && state.list.n == 0;
        conditions[n++] = {c, state.nulls, {state.list.ranges, state.list.n}};
    }
    result.filter.conditions = {conditions, n};
    return result;
}

}  // namespace nphd
