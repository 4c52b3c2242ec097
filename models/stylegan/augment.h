// SPDX-License-Identifier: MIT
// DiffAugment (Zhao et al. 2020): D sees real and generated pictures only after random changes, so that it
// cannot learn few pictures by heart. The changes are differentiable to any order.
#pragma once

#include "framework/random.h"

namespace lily::models {

struct Augmentation {
    bool colour = false;       // brightness ±½, saturation × 0…2, contrast × ½…3/2
    bool translation = false;  // by up to an eighth of the side, zeros move in
    bool cutout = false;       // a square of half the side becomes 0
    bool any() const { return colour || translation || cutout; }
    bool operator==(const Augmentation&) const = default;
};

// x (N,C,H,W), other changes for each picture.
Tensor augment(const Tensor& x, Augmentation what, Generator& random);

}  // namespace lily::models
