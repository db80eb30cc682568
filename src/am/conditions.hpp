// What a scan's keys ask of a row: of its code to be one of a list (=, IN), to lie in balls (radius), to be there or
// not, or nothing; of its filter columns what filter_columns.hpp says.
#pragma once

#include "src/pg.hpp"

#include "src/am/filter_columns.hpp"
#include "src/type/ball.hpp"

#include "engine/base/types.hpp"

namespace nphd {

/// Plain data in the memory context that was current when it was made.
struct ScanConditions {
    Metric metric;
    bool impossible;  // no row satisfies them
    bool recheck;     // there are others, which the executor has to look at
    // Which rows can satisfy them.
    bool with_code, without_code;
    // With any equality: the codes that satisfy all equalities and balls, ascending, each once.
    bool by_code;
    CodeBytes* codes;
    uint32 n_codes;
    // Without one: the balls to lie in, the smallest first.
    Ball* balls;
    uint32 n_balls;
    // Further ones, on the columns of this layout.
    FilterLayout layout;
    PostingFilter filter;

    bool on_code() const { return by_code || n_balls > 0; }
    bool on_filters() const { return !filter.empty(); }
};

/// ERROR 22023 for a radius that is none.
ScanConditions scan_conditions(IndexScanDesc scan, Metric metric, const FilterLayout& layout);

/// Whether a distance of the metric can be taken between codes of these lengths.
inline bool comparable(Metric metric, Size a, Size b) { return metric == Metric::nphd || a == b; }

/// Whether all balls can be asked about codes of this length. About others the executor has to ask, who raises the
/// error that a sequential scan would.
bool balls_compare(const ScanConditions& conditions, Size code_bytes);

/// Whether a code, which balls_compare(), satisfies the conditions on codes but those for recheck. Touches nothing but
/// the code.
bool satisfies(const ScanConditions& conditions, CodeBytes code);

/// Whether a row with this record of filter values satisfies the conditions on those.
inline bool satisfies_filter(const ScanConditions& conditions, const std::byte* record) {
    return !conditions.on_filters() || conditions.filter.matches(conditions.layout, record);
}

}  // namespace nphd
