// SPDX-License-Identifier: MIT
#pragma once

#include <functional>

#include "framework/tensor.h"

namespace lily::optim {

// A point of the line φ(t) = f(x + t d).
struct LinePoint {
    double t = 0;
    double f = 0;          // φ(t)
    Tensor gradient = {};  // ∇f(x + t d), flat
    double slope = 0;      // φ'(t) = ∇f · d
};
using Line = std::function<LinePoint(double t)>;

struct WolfeOptions {
    double c1 = 1e-4;                // sufficient decrease:  φ(t) <= φ(0) + c1 t φ'(0)
    double c2 = 0.9;                 // curvature:            |φ'(t)| <= c2 |φ'(0)|
    double tolerance_change = 1e-9;  // a bracket shorter than this, times max |d|, is not refined
    int max_refinements = 25;
};

struct LineSearch {
    LinePoint point;
    int evaluations = 0;
};

// Looks for a t that meets both strong Wolfe conditions, beginning with `t`: brackets one by extrapolation,
// then zooms in (Nocedal & Wright, algorithms 3.5 and 3.6, with cubic interpolation). If it gives up, the
// result is the lowest end of the last bracket. start: t = 0, slope < 0; d_max: max |d|.
LineSearch strong_wolfe(const Line& line, const LinePoint& start, double t, double d_max,
                        WolfeOptions options = {});

// The minimum, within [low, high], of the cubic with the values and slopes of a and b; the middle where it
// has none.
double cubic_minimum(const LinePoint& a, const LinePoint& b, double low, double high);

}  // namespace lily::optim
