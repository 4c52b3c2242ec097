// SPDX-License-Identifier: MIT
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

OpCase pad_case(const Shape& shape, const std::vector<int64_t>& padding, PadMode mode) {
    return {
        .name = fmt::format("pad {} by {}, mode {}", shape, fmt::join(padding, ","), static_cast<int>(mode)),
        .shapes = {shape},
        .op = [=](const Tensors& x) { return pad(x[0], padding, mode, 0.5); },
        .formats = shape.rank() == 4};
}

const AddCases registered{{
    pad_case({31}, {1, 2}, PadMode::constant),
    pad_case({5, 7}, {-1, 2, 3, -4}, PadMode::constant),
    pad_case({2, 0}, {1, 1}, PadMode::constant),
    pad_case({2, 16, 3, 5}, {1, 0, 2, 1}, PadMode::constant),
    pad_case({2, 3, 4}, {0, 0, 0, 0, 1, 1}, PadMode::constant),
    pad_case({33}, {32, 5}, PadMode::reflect),
    pad_case({2, 16, 3, 5}, {1, 4, 2, 1}, PadMode::reflect),
    pad_case({3, 4, 2}, {0, 1, 3, 2, 2, 2}, PadMode::reflect),
    pad_case({3}, {5, 7}, PadMode::replicate),
    pad_case({2, 16, 3, 5}, {6, 1, 0, 4}, PadMode::replicate),
    pad_case({0, 4}, {1, 2}, PadMode::replicate),
}};

}  // namespace

TEST_CASE("pad equals PyTorch's", "[ops][pad]") {
    const auto compare = [](const std::string& name, PadMode mode) {
        check_golden(name, {"x"}, [mode](const Tensors& x) { return pad(x[0], {2, 1, 3, 0}, mode, 0.5); });
    };
    compare("pad.constant", PadMode::constant);
    compare("pad.reflect", PadMode::reflect);
    compare("pad.replicate", PadMode::replicate);
}

TEST_CASE("pad: values, integers, errors", "[ops][pad]") {
    const Tensor x = from_vector<float>({1, 2, 3}, {3});
    CHECK(pad(x, {2, 2}, PadMode::reflect).to_vector() == std::vector<float>{3, 2, 1, 2, 3, 2, 1});
    CHECK(pad(x, {2, 1}, PadMode::replicate).to_vector() == std::vector<float>{1, 1, 1, 2, 3, 3});
    CHECK(pad(x, {1, -1}, PadMode::constant, 9).to_vector() == std::vector<float>{9, 1, 2});
    CHECK(pad(x, {-3, 0}).numel() == 0);
    CHECK(pad(x, {}).is_same(x));
    CHECK(pad(x, {0, 0}, PadMode::reflect).is_same(x));
    CHECK(pad(arange(2, {.dtype = DType::i64}), {1, 1}, PadMode::constant, -1).to_vector<int64_t>() ==
          std::vector<int64_t>{-1, 0, 1, -1});
    const float infinity = std::numeric_limits<float>::infinity();
    CHECK(pad(full({2}, infinity), {1, 1}, PadMode::reflect).to_vector() == std::vector<float>(4, infinity));

    CHECK_THROWS_WITH(pad(x, {3, 0}, PadMode::reflect),
                      "[pad] reflect expects padding below the size 3, got 3 and 0");
    CHECK_THROWS_WITH(pad(x, {-1, 0}, PadMode::replicate),
                      "[pad] only constant padding may be negative, got -1 and 0");
    CHECK_THROWS_WITH(pad(x, {-2, -2}), "[pad] padding -2 and -2 cuts off more than dimension 0 of (3) has");
    CHECK_THROWS_WITH(pad(x, {1}),
                      "[pad] expected a (before, after) pair for each of up to 1 dimensions, got 1 numbers");
    CHECK_THROWS_WITH(pad(x, {1, 1, 1, 1}),
                      "[pad] expected a (before, after) pair for each of up to 1 dimensions, got 4 numbers");
    CHECK_THROWS_WITH(pad(zeros({2, 0}), {1, 0}, PadMode::replicate),
                      "[pad] dimension 1 of (2,0) is empty: there is no border to repeat");
}

}  // namespace lily::testing
