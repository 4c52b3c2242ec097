// SPDX-License-Identifier: MIT
// One number from one type to another, the same on every device.
#pragma once

#include <limits>
#include <type_traits>

#include "kernels/common/on_device.h"

namespace lily::kernels {
inline namespace LILY_FORMULAS {

// static_cast, but where that has no defined result: a float beyond an integer's range becomes the nearest
// integer there is, NaN 0.
template <class To, class From>
LILY_SHARED To number(From x) {
    if constexpr (std::is_floating_point_v<From> && std::is_integral_v<To>) {
        constexpr To least = std::numeric_limits<To>::min(), most = std::numeric_limits<To>::max();
        constexpr From low = static_cast<From>(least), beyond = 2 * static_cast<From>(most / 2 + 1);  // exact
        const To inside = static_cast<To>(x > low && x < beyond ? x : From(0));
        return x >= beyond ? most : x <= low ? least : inside;
    } else {
        return static_cast<To>(x);
    }
}

}  // namespace LILY_FORMULAS
}  // namespace lily::kernels
