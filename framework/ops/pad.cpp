// SPDX-License-Identifier: MIT
#include "framework/ops/pad.h"

#include <algorithm>

#include "framework/ops/axis_map.h"
#include "framework/ops/region.h"
#include "framework/ops/slice.h"

namespace lily {
namespace {

std::shared_ptr<const AxisMapPair> border_map(int64_t size, int64_t before, int64_t after, PadMode mode) {
    return kept_map({'p', size, before, after, static_cast<int64_t>(mode)}, [&] {
        AxisMap map(size);
        for (int64_t j = -before; j < size + after; ++j) {
            const int64_t mirrored = j < 0 ? -j : j >= size ? 2 * (size - 1) - j : j;
            map.add_output(
                {{mode == PadMode::reflect ? mirrored : std::clamp<int64_t>(j, 0, size - 1), 1.0}});
        }
        return map;
    });
}

}  // namespace

Tensor pad(const Tensor& x, const std::vector<int64_t>& padding, PadMode mode, double value) {
    check(padding.size() % 2 == 0 && static_cast<int64_t>(padding.size()) <= 2 * x.rank(),
          "[pad] expected a (before, after) pair for each of up to {} dimensions, got {} numbers", x.rank(),
          padding.size());
    Tensor y = x;
    Shape shape = x.shape();
    Region region = whole(shape);
    for (size_t i = 0; i < padding.size(); i += 2) {
        const int64_t dim = x.rank() - 1 - static_cast<int64_t>(i / 2), size = x.size(dim);
        const int64_t before = padding[i], after = padding[i + 1];
        if (mode == PadMode::constant) {
            check(size + std::min<int64_t>(before, 0) + std::min<int64_t>(after, 0) >= 0,
                  "[pad] padding {} and {} cuts off more than dimension {} of {} has", before, after, dim,
                  x.shape());
            y = slice(y, dim, std::max<int64_t>(0, -before), size + std::min<int64_t>(after, 0));
            region.start[static_cast<size_t>(dim)] = std::max<int64_t>(before, 0);
            shape[dim] = size + before + after;
            continue;
        }
        check(before >= 0 && after >= 0, "[pad] only constant padding may be negative, got {} and {}", before,
              after);
        if (before == 0 && after == 0) continue;
        if (mode == PadMode::reflect)
            check(std::max(before, after) < size,
                  "[pad] reflect expects padding below the size {}, got {} and {}", size, before, after);
        check(size > 0, "[pad] dimension {} of {} is empty: there is no border to repeat", dim, x.shape());
        y = map_axis(y, dim, border_map(size, before, after, mode));
    }
    if (mode != PadMode::constant || y.shape() == shape) return y;
    return put_region(y, region, shape, value);
}

}  // namespace lily
