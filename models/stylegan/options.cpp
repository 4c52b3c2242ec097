// SPDX-License-Identifier: MIT
#include "models/stylegan/options.h"

#include <algorithm>
#include <bit>

#include "framework/error.h"

namespace lily::models {

int64_t blocks_of(int64_t resolution) { return std::countr_zero(static_cast<uint64_t>(resolution)) - 1; }

int64_t StyleGanOptions::features(int64_t i) const {
    return std::max<int64_t>(1, std::min(feature_base >> (i + 1), feature_max));
}

StyleGanOptions stylegan_paper(int64_t resolution, int64_t channels) {
    return {.resolution = resolution, .channels = channels};
}

StyleGanOptions stylegan_small(int64_t resolution, int64_t channels) {
    return {.resolution = resolution,
            .channels = channels,
            .latent = 128,
            .width = 128,
            .feature_base = 512,
            .feature_max = 128};
}

void check_options(const StyleGanOptions& o) {
    const auto side = static_cast<uint64_t>(o.resolution);
    check(o.resolution >= 8 && o.resolution <= 1024 && std::has_single_bit(side),
          "[stylegan] expected a resolution of 8, 16, … 1024, got {}", o.resolution);
    check(o.channels >= 1 && o.channels <= 4, "[stylegan] expected 1 to 4 channels, got {}", o.channels);
    check(o.classes >= 0, "[stylegan] expected classes >= 0, got {}", o.classes);
    check(o.latent >= 1 && o.width >= 1 && o.mapping_layers >= 1,
          "[stylegan] expected a latent size, a width and mapping layers of at least 1, got {}, {} and {}",
          o.latent, o.width, o.mapping_layers);
    check(o.feature_base >= 1 && o.feature_max >= 1, "[stylegan] expected feature maps, got {} and {}",
          o.feature_base, o.feature_max);
    check(o.stddev_group >= 0, "[stylegan] expected a group of pictures >= 0, got {}", o.stddev_group);
}

}  // namespace lily::models
