// SPDX-License-Identifier: MIT
// One process here; tests/examples/test_distributed.py starts several.
#include "framework/distributed/gradient_reducer.h"
#include "framework/ops.h"
#include "tests/catch.h"

namespace lily::distributed {

TEST_CASE("a process that was started by itself is a group of one", "[distributed]") {
    ProcessGroup group;
    CHECK(group.rank() == 0);
    CHECK(group.size() == 1);
    CHECK((group.is_alone() && group.is_first()));
    std::vector<float> values{1, 2, 3};
    group.sum(std::span<float>(values));
    CHECK(values == std::vector<float>{1, 2, 3});
    CHECK(group.most(-4) == -4);
    group.barrier();
    group.require_same("nothing", "text");
}

TEST_CASE("alone, gradients are left as they are", "[distributed]") {
    const Tensor x = from_vector<float>({2}, {1}).set_requires_grad();
    GradientReducer reducer({x}, ProcessGroup::alone());
    square(x).sum().backward(reducer.options());
    reducer.finish();
    CHECK(x.grad().item() == 4);
}

}  // namespace lily::distributed
