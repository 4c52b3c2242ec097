// SPDX-License-Identifier: MIT
#include "models/stylegan/growth.h"

#include <algorithm>

#include "framework/error.h"
#include "framework/ops.h"

namespace lily::models {

Growth GrowthSchedule::at(int64_t pictures, int64_t resolution) const {
    const int64_t phase = train + fade;
    if (phase == 0) return {resolution};
    int64_t side = std::min(start, resolution), seen = pictures;
    while (side < resolution && seen >= phase) {
        side *= 2;
        seen -= phase;
    }
    if (side == resolution || seen < train) return {side};
    return {2 * side, static_cast<double>(seen - train) / static_cast<double>(fade)};
}

int64_t GrowthSchedule::grown_after(int64_t resolution) const {
    int64_t pictures = 0;
    for (int64_t side = start; side < resolution; side *= 2) pictures += train + fade;
    return pictures;
}

Tensor shrink_to(const Tensor& pictures, Growth growth) {
    const int64_t factor = pictures.size(2) / growth.resolution;
    check(factor >= 1 && factor * growth.resolution == pictures.size(2),
          "[stylegan] pictures of {} pixels cannot be shrunk to {}", pictures.size(2), growth.resolution);
    Tensor small = factor == 1 ? pictures : avg_pool2d(pictures, factor);
    if (growth.alpha >= 1) return small;
    const Tensor old = upsample_nearest2d(avg_pool2d(small, 2), {2, 2});
    return old * (1 - growth.alpha) + small * growth.alpha;
}

}  // namespace lily::models
