// SPDX-License-Identifier: MIT
#include <cstdlib>

#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

OpCase slice_case(const Shape& shape, int64_t dim, int64_t start, int64_t end, int64_t step = 1) {
    return {.name = fmt::format("slice {} at {}, {}:{}:{}", shape, dim, start, end, step),
            .shapes = {shape},
            .op = [=](const Tensors& x) { return slice(x[0], dim, start, end, step); },
            .formats = shape.rank() == 4};
}

const AddCases registered{{
    slice_case({33}, 0, 1, 32),
    slice_case({1023}, 0, -1000, -1, 7),
    slice_case({5, 6}, 0, 1, 4, 2),
    slice_case({5, 6}, 1, 2, 100),
    slice_case({5, 6}, 1, 0, 6),
    slice_case({5, 6}, 1, 4, 2),
    slice_case({0, 6}, 1, 1, 3),
    slice_case({2, 16, 5, 3}, 1, 3, 11, 3),
    slice_case({2, 16, 5, 3}, 2, 1, 5),
    slice_case({2, 16, 5, 3}, 3, -2, 3),
}};

}  // namespace

TEST_CASE("slice is Python's x[start:end:step]", "[ops][slice]") {
    const int64_t n = 5;
    const Tensor x = arange(n, {.dtype = DType::i64});
    for (int64_t start = -7; start <= 7; ++start)
        for (int64_t end = -7; end <= 7; ++end)
            for (int64_t step = 1; step <= 6; ++step) {
                std::vector<int64_t> want;
                const auto bound = [&](int64_t p) {
                    return std::min(n, std::max<int64_t>(0, p < 0 ? p + n : p));
                };
                for (int64_t i = bound(start); i < bound(end); i += step) want.push_back(i);
                INFO(start << ":" << end << ":" << step);
                CHECK(slice(x, 0, start, end, step).to_vector<int64_t>() == want);
            }
    CHECK(slice(x, 0, 0, std::numeric_limits<int64_t>::max(), std::numeric_limits<int64_t>::max()).numel() ==
          1);
    CHECK(slice(x, 0, std::numeric_limits<int64_t>::min(), 2).numel() == 2);
    CHECK_THROWS_WITH(slice(x, 0, 0, 3, 0), "[slice] expected a step of at least 1, got 0");
    CHECK_THROWS_WITH(slice(x, 1, 0, 3), "[slice] dimension 1 is out of range for a tensor of rank 1");
    CHECK_THROWS_WITH(slice(scalar(1), 0, 0, 1), "[slice] a scalar has no dimension to slice");
    CHECK_THROWS_WITH(slice(zeros({2, 1, 1, 1, 1, 1, 1, 1, 1}), 0, 0, 1),
                      "[slice] at most 8 dimensions, got (1,1,1,1,1,1,1,1,1)");
}

}  // namespace lily::testing
