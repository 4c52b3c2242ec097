// SPDX-License-Identifier: MIT
#include "framework/optim/line_search.h"

#include <algorithm>
#include <array>
#include <cmath>

namespace lily::optim {

double cubic_minimum(const LinePoint& a, const LinePoint& b, double low, double high) {
    const LinePoint& left = a.t <= b.t ? a : b;
    const LinePoint& right = a.t <= b.t ? b : a;
    const double d1 = left.slope + right.slope - 3 * (left.f - right.f) / (left.t - right.t);
    const double square = d1 * d1 - left.slope * right.slope;
    if (!(square >= 0)) return (low + high) / 2;
    const double d2 = std::sqrt(square);
    const double t =
        right.t - (right.t - left.t) * ((right.slope + d2 - d1) / (right.slope - left.slope + 2 * d2));
    return std::min(std::max(t, low), high);
}

namespace {

class Search {
  public:
    Search(const Line& line, const LinePoint& start, double d_max, const WolfeOptions& options)
        : line_(line), start_(start), d_max_(d_max), options_(options) {}

    LineSearch run(double t) {
        bracket(t);
        choose_low();
        while (!done_ && refinements_ < options_.max_refinements &&
               !(width() * d_max_ < options_.tolerance_change))
            zoom();
        return {low(), evaluations_};
    }

  private:
    LinePoint evaluate(double t) {
        ++evaluations_;
        return line_(t);
    }
    bool too_high(const LinePoint& p) const { return p.f > start_.f + options_.c1 * p.t * start_.slope; }
    bool flat_enough(const LinePoint& p) const { return std::fabs(p.slope) <= -options_.c2 * start_.slope; }
    double width() const { return std::fabs(ends_[1].t - ends_[0].t); }
    LinePoint& low() { return ends_[low_]; }
    LinePoint& high() { return ends_[1 - low_]; }
    void choose_low() { low_ = ends_[0].f <= ends_[1].f ? 0 : 1; }

    // Steps out until a point is good, or an interval is known to hold one.
    void bracket(double t) {
        LinePoint before = start_, now = evaluate(t);
        for (; refinements_ < options_.max_refinements; ++refinements_) {
            if (too_high(now) || (refinements_ > 1 && now.f >= before.f)) {
                ends_ = {before, now};
                return;
            }
            if (flat_enough(now)) {
                ends_ = {now, now};
                done_ = true;
                return;
            }
            if (now.slope >= 0) {
                ends_ = {before, now};
                return;
            }
            const double next = cubic_minimum(before, now, now.t + 0.01 * (now.t - before.t), now.t * 10);
            before = now;
            now = evaluate(next);
        }
        ends_ = {start_, now};
    }

    // Replaces one end of the bracket by a point inside it.
    void zoom() {
        const double left = std::min(ends_[0].t, ends_[1].t), right = std::max(ends_[0].t, ends_[1].t);
        const LinePoint now = evaluate(inside(cubic_minimum(ends_[0], ends_[1], left, right), left, right));
        ++refinements_;
        if (too_high(now) || now.f >= low().f) {
            high() = now;
            choose_low();
            return;
        }
        if (flat_enough(now))
            done_ = true;
        else if (now.slope * (high().t - low().t) >= 0)
            high() = low();
        low() = now;
    }

    // Keeps t a tenth of the bracket away from its ends when it was too close twice in a row.
    double inside(double t, double left, double right) {
        const double margin = 0.1 * (right - left);
        if (!(std::min(right - t, t - left) < margin)) {
            was_close_ = false;
            return t;
        }
        if (!was_close_ && t < right && t > left) {
            was_close_ = true;
            return t;
        }
        was_close_ = false;
        return std::fabs(t - right) < std::fabs(t - left) ? right - margin : left + margin;
    }

    const Line& line_;
    const LinePoint& start_;
    const double d_max_;
    const WolfeOptions options_;
    std::array<LinePoint, 2> ends_;
    size_t low_ = 0;
    int refinements_ = 0, evaluations_ = 0;
    bool done_ = false, was_close_ = false;
};

}  // namespace

LineSearch strong_wolfe(const Line& line, const LinePoint& start, double t, double d_max,
                        WolfeOptions options) {
    return Search(line, start, d_max, options).run(t);
}

}  // namespace lily::optim
