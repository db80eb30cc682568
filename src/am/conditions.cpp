#include "src/am/conditions.hpp"

#include <algorithm>

#include "src/am/opclass.hpp"
#include "src/am/scan_key.hpp"
#include "src/type/bitvec.hpp"
#include "src/type/compare.hpp"

namespace nphd {

static bool before(CodeBytes a, CodeBytes b) { return compare_bytes(a, b) < 0; }
static bool in_ball(Metric metric, CodeBytes code, const Ball& ball) {
    return distance(metric, code, ball.center) <= ball.radius;
}
static bool same(CodeBytes a, CodeBytes b) { return compare_bytes(a, b) == 0; }

namespace {
struct CodeList {
    CodeBytes* codes;
    uint32 n;
};
}  // namespace

static CodeList codes_of_key(const ScanKeyData& key) {
    CodeList list{};
    uint32 max = 0;
    each_constant(key, [&](Datum constant) {
        if (list.n == max) {
            max = Max(max * 2, 4u);
            const Size bytes = max * sizeof(CodeBytes);
            list.codes =
                static_cast<CodeBytes*>(list.codes == nullptr ? palloc(bytes) : repalloc_huge(list.codes, bytes));
        }
        list.codes[list.n++] = bytes_of(DatumGetByteaPP(constant));
    });
    std::sort(list.codes, list.codes + list.n, before);
    list.n = static_cast<uint32>(std::unique(list.codes, list.codes + list.n, same) - list.codes);
    return list;
}

static void add_codes(ScanConditions* conditions, CodeList list) {
    if (conditions->by_code) {
        CodeBytes* const end = std::remove_if(
            conditions->codes, conditions->codes + conditions->n_codes,
            [&](CodeBytes code) { return !std::binary_search(list.codes, list.codes + list.n, code, before); });
        conditions->n_codes = static_cast<uint32>(end - conditions->codes);
        return;
    }
    conditions->by_code = true;
    conditions->codes = list.codes;
    conditions->n_codes = list.n;
}

static void add_ball(ScanConditions* conditions, Datum datum) {
    Ball ball;
    if (!ball_of(datum, &ball)) {
        conditions->impossible = true;
        return;
    }
    check_radius(conditions->metric, ball.radius);
    conditions->balls[conditions->n_balls++] = ball;
}

// The codes that are left are few; the balls have no more to say. Of a code that they cannot be asked about the
// executor asks them.
static void drop_codes_outside(ScanConditions* conditions) {
    uint32 n = 0;
    for (uint32 i = 0; i < conditions->n_codes; ++i) {
        const CodeBytes code = conditions->codes[i];
        if (!balls_compare(*conditions, code.size()))
            conditions->recheck = true;
        else if (!std::all_of(conditions->balls, conditions->balls + conditions->n_balls,
                              [&](const Ball& ball) { return in_ball(conditions->metric, code, ball); }))
            continue;
        conditions->codes[n++] = code;
    }
    conditions->n_codes = n;
    conditions->n_balls = 0;
}

// False: the key asks for neither NULL nor NOT NULL.
static bool add_null_test(ScanConditions* conditions, const ScanKeyData& key) {
    if ((key.sk_flags & SK_SEARCHNULL) != 0)
        conditions->with_code = false;
    else if ((key.sk_flags & SK_SEARCHNOTNULL) != 0)
        conditions->without_code = false;
    else
        return false;
    return true;
}

// The operators of a code are strict.
static void add_code_key(ScanConditions* conditions, const ScanKeyData& key) {
    if (add_null_test(conditions, key)) return;
    conditions->without_code = false;
    if ((key.sk_flags & SK_ISNULL) != 0)
        conditions->impossible = true;
    else if (!is_condition(key, conditions->metric))
        conditions->recheck = true;
    else if (key.sk_strategy == kEqualStrategy)
        add_codes(conditions, codes_of_key(key));
    else if ((key.sk_flags & SK_SEARCHARRAY) == 0)
        add_ball(conditions, key.sk_argument);
    else
        conditions->recheck = true;
}

static void add_filters(ScanConditions* conditions, IndexScanDesc scan) {
    if (conditions->layout.columns == 0) return;
    const FilterConditions filters =
        filter_conditions(scan->indexRelation, conditions->layout, scan->keyData, scan->numberOfKeys);
    conditions->filter = filters.filter;
    conditions->impossible |= filters.impossible;
    conditions->recheck |= filters.recheck;
}

ScanConditions scan_conditions(IndexScanDesc scan, Metric metric, const FilterLayout& layout) {
    ScanConditions conditions{};
    conditions.metric = metric;
    conditions.layout = layout;
    conditions.with_code = conditions.without_code = true;
    conditions.balls = static_cast<Ball*>(palloc(sizeof(Ball) * Max(scan->numberOfKeys, 1)));
    for (int i = 0; i < scan->numberOfKeys; ++i)
        if (scan->keyData[i].sk_attno == 1) add_code_key(&conditions, scan->keyData[i]);
    add_filters(&conditions, scan);
    if (conditions.by_code) drop_codes_outside(&conditions);
    conditions.impossible |= conditions.by_code && conditions.n_codes == 0;
    conditions.impossible |= !conditions.with_code && !conditions.without_code;
    std::sort(conditions.balls, conditions.balls + conditions.n_balls,
              [](const Ball& a, const Ball& b) { return a.radius < b.radius; });
    return conditions;
}

bool balls_compare(const ScanConditions& conditions, Size code_bytes) {
    for (uint32 i = 0; i < conditions.n_balls; ++i)
        if (!comparable(conditions.metric, code_bytes, conditions.balls[i].center.size())) return false;
    return true;
}

bool satisfies(const ScanConditions& conditions, CodeBytes code) {
    if (conditions.by_code)
        return std::binary_search(conditions.codes, conditions.codes + conditions.n_codes, code, before);
    for (uint32 i = 0; i < conditions.n_balls; ++i)
        if (!in_ball(conditions.metric, code, conditions.balls[i])) return false;
    return true;
}

}  // namespace nphd
