// What a scan's keys ask of a code: to be one of a list (=, IN), to lie in balls (radius), or nothing.
#pragma once

#include "src/pg.hpp"

#include "engine/base/types.hpp"
#include "src/type/ball.hpp"

namespace nphd {

/// Plain data in the memory context that was current when it was made.
struct ScanConditions {
    Metric metric;
    bool impossible;  // no code satisfies them
    bool recheck;     // there are others, which the executor has to look at
    // With any equality: the codes that satisfy all equalities and balls, ascending, each once.
    bool by_code;
    CodeBytes* codes;
    uint32 n_codes;
    // Without one: the balls to lie in, the smallest first.
    Ball* balls;
    uint32 n_balls;

    bool any() const { return by_code || n_balls > 0; }
};

/// ERROR 22023 for a radius that is none.
ScanConditions scan_conditions(IndexScanDesc scan, Metric metric);

/// Whether a distance of the metric can be taken between codes of these lengths.
inline bool comparable(Metric metric, Size a, Size b) { return metric == Metric::nphd || a == b; }

/// Whether all balls can be asked about codes of this length. About others the executor has to ask, who raises the
/// error that a sequential scan would.
bool balls_compare(const ScanConditions& conditions, Size code_bytes);

/// Whether a code, which balls_compare(), satisfies the conditions but those for recheck. Touches nothing but the code.
bool satisfies(const ScanConditions& conditions, CodeBytes code);

}  // namespace nphd
