// SPDX-License-Identifier: MIT
#include "framework/optim/lerp.h"

#include "framework/ops.h"
#include "tests/catch.h"

namespace lily::optim {

TEST_CASE("lerp_ moves a part of the way, in place, whatever the memory format", "[optim][lerp]") {
    Tensor x = from_vector<float>({0, 8, -4}, {3}).set_requires_grad();
    const Tensor end = from_vector<float>({4, 8, 4}, {3});
    const Tensor handle = x;
    lerp_(x, end, 0.25);
    CHECK(handle.to_vector() == std::vector<float>{1, 8, -2});
    CHECK(x.is_leaf());
    lerp_(x, end, 1);
    CHECK(x.to_vector() == end.to_vector());

    Tensor map = zeros({1, 16, 2, 1}).to(MemoryFormat::blocked16);
    const Tensor ramp = arange(32, {.dtype = DType::f32}).reshape({1, 16, 2, 1});
    lerp_(map, ramp, 0.5);
    CHECK(map.to_vector() == (ramp * 0.5).to_vector());

    CHECK_THROWS_WITH(lerp_(x, zeros({4}), 0.5), "[lerp_] expected equal shapes, got (3) and (4)");
    CHECK_THROWS_WITH(lerp_(x, end.to(DType::f64), 0.5), "[lerp_] expected equal dtypes, got f32 and f64");
    Tensor result = x * 2.0;
    CHECK_THROWS_WITH(lerp_(result, end, 0.5), "[lerp_] only leaves can be changed in place");
}

}  // namespace lily::optim
