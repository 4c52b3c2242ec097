// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

std::vector<OpCase> total_variation_cases() {
    std::vector<OpCase> all;
    for (const Shape& shape :
         {Shape{1, 1, 1, 1}, Shape{2, 3, 4, 5}, Shape{1, 2, 1, 7}, Shape{1, 2, 7, 1}, Shape{1, 3, 31, 33},
          Shape{1, 16, 3, 17}, Shape{1, 1, 2, 2}, Shape{0, 3, 4, 4}, Shape{1, 3, 0, 4}, Shape{1, 3, 4, 0}})
        all.push_back({.name = fmt::format("total_variation {}", shape),
                       .shapes = {shape},
                       .op = [](const Tensors& x) { return total_variation(x[0]); },
                       .domain = Domain::distinct,
                       .formats = true});
    all.push_back({.name = "total_variation, squared",  // dL/dy depends on x
                   .shapes = {{1, 2, 3, 4}},
                   .op = [](const Tensors& x) { return square(total_variation(x[0])); },
                   .domain = Domain::distinct});
    return all;
}

const AddCases registered{total_variation_cases()};

}  // namespace

TEST_CASE("total_variation: values, gradients, errors", "[ops][total_variation]") {
    const Tensor x = from_vector<float>({1, 4, 4, 2, 4, 0}, {1, 1, 2, 3});
    CHECK(total_variation(x).item() == 3 + 0 + 2 + 4 + 1 + 0 + 4);
    CHECK(total_variation(x).shape() == Shape{});
    Tensor leaf = x.clone().set_requires_grad();
    total_variation(leaf).backward();
    CHECK(leaf.grad().to_vector() == std::vector<float>{-2, 1, 1, 0, 2, -2});

    Tensor flat = full({2, 3, 5, 40}, 7).set_requires_grad();  // no differences: nothing pulls
    const Tensor none = total_variation(flat);
    CHECK(none.item() == 0);
    none.backward();
    CHECK(flat.grad().to_vector() == std::vector<float>(1200, 0));

    CHECK(total_variation(from_vector<float>({-1e30f, 1e30f}, {1, 1, 1, 2})).item() == 2e30f);
    CHECK_THROWS_WITH(total_variation(zeros({3, 4})), "[total_variation] expected (N,C,H,W), got (3,4)");
}

TEST_CASE("total_variation: does not look across channels, and sums a large picture exactly",
          "[ops][total_variation]") {
    const Tensor steps = arange(3).reshape({1, 3, 1, 1});  // channels 0, 1, 2, each constant
    CHECK(total_variation(expand(steps, {1, 3, 9, 70})).item() == 0);
    const Tensor ramp = expand(arange(5000).reshape({1, 1, 1, 5000}), {1, 3, 40, 5000});
    for (const int threads : {1, 2}) {
        kernels::set_max_threads(threads);
        CHECK(total_variation(ramp).item() == 3 * 40 * 4999);
    }
    kernels::set_max_threads(0);
}

}  // namespace lily::testing
