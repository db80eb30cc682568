// What lies within a radius: the Boolean functions of a code, a center and a radius, and the operators of a code and a
// ball, which is what an index can be asked for. Both are true if and only if the distance operator's value is at most
// the radius.
#pragma once

#include "src/type/bitvec.hpp"

namespace nphd {

/// A value of the SQL type bitvec_ball. The radius is in the units of the distance: bits for Hamming, else 0..1.
struct Ball {
    CodeBytes center;
    double radius;
};

/// Reads a Datum of bitvec_ball; the center points into it, or into a copy in the current memory context. False if
/// either field is null. The radius may be anything, see check_radius(). ERROR 42804 for another row type.
bool ball_of(Datum value, Ball* out);

/// Whether a distance can be at most this radius in a way that makes sense: 0..1, for Hamming 0 and more, infinity
/// included. Never NaN.
bool valid_radius(Metric metric, double radius);

/// ERROR 22023 unless it is.
void check_radius(Metric metric, double radius);

/// Whether the code lies within the ball. ERROR 22026, as the distance operator's, where Hamming and Jaccard meet
/// another length.
bool within(Metric metric, CodeBytes code, const Ball& ball);

}  // namespace nphd
