// SPDX-License-Identifier: MIT
// Progressive growing (Karras et al. 2018): which resolution is trained after so many pictures.
#pragma once

#include "framework/tensor.h"
#include "models/stylegan/options.h"

namespace lily::models {

// Each resolution is trained for `train` pictures, then the next one is faded in over `fade`; with train and
// fade 0 the full resolution is trained from the start.
struct GrowthSchedule {
    int64_t start = 8;  // the first resolution
    int64_t train = 600'000, fade = 600'000;

    Growth at(int64_t pictures, int64_t resolution) const;
    // Pictures seen when the full resolution counts fully.
    int64_t grown_after(int64_t resolution) const;
};

// Real pictures (N,C,R,R) as the networks see them at this point: means of squares of pixels, and while a
// resolution is faded in, the same mixture with the resolution before as the generator's output.
Tensor shrink_to(const Tensor& pictures, Growth growth);

}  // namespace lily::models
