// SPDX-License-Identifier: MIT
#include "framework/ops/interpolate.h"

#include <algorithm>
#include <cmath>

#include "framework/ops/axis_map.h"

namespace lily {
namespace {

double triangle(double x) { return std::max(0.0, 1 - std::fabs(x)); }

// Keys' cubic convolution: 1 at 0, 0 at the other whole numbers and beyond 2.
double cubic(double x, double a) {
    x = std::fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a;
    return 0;
}

// Reads between the pixels: 2 or 4 taps around the position; beyond the border the outermost pixel repeats.
AxisMap point_map(int64_t in, int64_t out, InterpolateMode mode, bool align_corners) {
    const double scale = align_corners
                             ? (out > 1 ? static_cast<double>(in - 1) / static_cast<double>(out - 1) : 0.0)
                             : static_cast<double>(in) / static_cast<double>(out);
    const int64_t reach = mode == InterpolateMode::bicubic ? 2 : 1;
    AxisMap map(in);
    for (int64_t j = 0; j < out; ++j) {
        const auto at = static_cast<double>(j);
        const double position = align_corners ? at * scale : (at + 0.5) * scale - 0.5;
        const auto left = static_cast<int64_t>(std::floor(position));
        std::vector<std::pair<int64_t, double>> taps;
        for (int64_t k = left - reach + 1; k <= left + reach; ++k) {
            const double distance = position - static_cast<double>(k);
            taps.emplace_back(std::clamp<int64_t>(k, 0, in - 1),
                              mode == InterpolateMode::bicubic ? cubic(distance, -0.75) : triangle(distance));
        }
        map.add_output(taps);
    }
    return map;
}

// Averages over an area: the filter, as wide as the factor asks for, cut at the border and normalised.
AxisMap area_map(int64_t in, int64_t out, InterpolateMode mode) {
    const double scale = static_cast<double>(in) / static_cast<double>(out), stretch = std::max(1.0, scale);
    const double support = (mode == InterpolateMode::bicubic ? 2 : 1) * stretch;
    AxisMap map(in);
    for (int64_t j = 0; j < out; ++j) {
        const double centre = (static_cast<double>(j) + 0.5) * scale;
        const auto first = std::max<int64_t>(0, static_cast<int64_t>(centre - support + 0.5));
        const auto last = std::min<int64_t>(in, static_cast<int64_t>(centre + support + 0.5));
        std::vector<std::pair<int64_t, double>> taps;
        double total = 0;
        for (int64_t k = first; k < last; ++k) {
            const double distance = (static_cast<double>(k) + 0.5 - centre) / stretch;
            taps.emplace_back(k,
                              mode == InterpolateMode::bicubic ? cubic(distance, -0.5) : triangle(distance));
            total += taps.back().second;
        }
        for (auto& [index, weight] : taps) weight /= total;
        map.add_output(taps);
    }
    return map;
}

}  // namespace

Tensor interpolate(const Tensor& x, std::array<int64_t, 2> size, InterpolateMode mode, bool align_corners,
                   bool antialias) {
    check(x.rank() == 4, "[interpolate] expected (N,C,H,W), got {}", x.shape());
    check(is_floating(x.dtype()), "[interpolate] expected a tensor of f32 or f64, got {}", name(x.dtype()));
    check(size[0] > 0 && size[1] > 0, "[interpolate] expected a size of at least 1x1, got {}x{}", size[0],
          size[1]);
    check(x.size(2) > 0 && x.size(3) > 0, "[interpolate] {} has no pixels", x.shape());
    check(!(align_corners && antialias), "[interpolate] antialias expects align_corners = false");
    const auto resized = [&](const Tensor& from, int64_t dim, int64_t to) {
        const int64_t in = from.size(dim);
        if (in == to) return from;  // every filter is 1 at 0 and 0 at its neighbours
        const int64_t kind = 2 * antialias + align_corners;
        return map_axis(from, dim, kept_map({'i', in, to, static_cast<int64_t>(mode), kind}, [&] {
                            return antialias ? area_map(in, to, mode)
                                             : point_map(in, to, mode, align_corners);
                        }));
    };
    // the axis that shrinks the more first: less to do for the other
    const bool rows_first = size[0] * x.size(3) < size[1] * x.size(2);
    return rows_first ? resized(resized(x, 2, size[0]), 3, size[1])
                      : resized(resized(x, 3, size[1]), 2, size[0]);
}

}  // namespace lily
