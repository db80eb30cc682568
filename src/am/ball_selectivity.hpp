// How many rows lie within a radius, for the planner.
#pragma once

#include "src/pg.hpp"

#include "engine/base/types.hpp"

namespace nphd {

/// A condition "code lies within `radius` of `center`" as the planner has it, and the SQL function that decides it.
struct BallCondition {
    Metric metric;
    Oid function;
    Node* code;
    Node* center;  // of type bitvec; or of type bitvec_ball, and radius is null
    Node* radius;  // of type double precision or integer
};

/// The share of a table's rows that meet it: from the statistics of whichever of code and center is a column, if the
/// others are known, else a guess. Never raises what the distance or the radius would.
Selectivity ball_selectivity(PlannerInfo* root, const BallCondition& condition, int varRelid);

}  // namespace nphd
