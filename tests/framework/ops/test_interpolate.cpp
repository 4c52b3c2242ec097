// SPDX-License-Identifier: MIT
#include <cmath>

#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

using enum InterpolateMode;

std::vector<OpCase> interpolate_cases() {
    std::vector<OpCase> all;
    for (const auto mode : {bilinear, bicubic})
        for (const auto& size : {std::array<int64_t, 2>{7, 9}, {2, 3}, {1, 1}, {3, 20}})
            for (const int variant : {0, 1, 2})
                all.push_back({.name = fmt::format("interpolate mode {} to {}x{} variant {}",
                                                   static_cast<int>(mode), size[0], size[1], variant),
                               .shapes = {{2, 16, 3, 5}},
                               .op =
                                   [=](const Tensors& x) {
                                       return interpolate(x[0], size, mode, variant == 1, variant == 2);
                                   },
                               .formats = true});
    all.push_back(
        {.name = "interpolate of no pictures", .shapes = {{0, 3, 4, 4}}, .op = [](const Tensors& x) {
             return interpolate(x[0], {2, 8});
         }});
    return all;
}
const AddCases registered{interpolate_cases()};

}  // namespace

TEST_CASE("interpolate equals PyTorch's", "[ops][interpolate]") {
    const auto compare = [](const std::string& name, std::array<int64_t, 2> size, InterpolateMode mode) {
        for (const bool antialias : {false, true})
            check_golden(name + (antialias ? ".antialias" : ""), {"x"},
                         [&](const Tensors& x) { return interpolate(x[0], size, mode, false, antialias); });
    };
    for (const auto& [word, mode] : {std::pair{"bilinear", bilinear}, {"bicubic", bicubic}}) {
        compare(fmt::format("interpolate.{}.up", word), {8, 9}, mode);
        compare(fmt::format("interpolate.{}.down", word), {3, 2}, mode);
        compare(fmt::format("interpolate.{}.mixed", word), {4, 8}, mode);
    }
}

TEST_CASE("interpolate keeps what it must", "[ops][interpolate]") {
    const Tensor x = reshape(arange(2 * 4 * 5), {1, 2, 4, 5});
    for (const auto mode : {bilinear, bicubic})
        for (const int variant : {0, 1, 2}) {
            INFO("mode " << static_cast<int>(mode) << " variant " << variant);
            const auto resize = [&](const Tensor& from, int64_t h, int64_t w) {
                return interpolate(from, {h, w}, mode, variant == 1, variant == 2);
            };
            CHECK(resize(x, 4, 5).to_vector() == x.to_vector());
            for (const float v : resize(full({1, 1, 7, 7}, 3), 20, 3).to_vector())
                CHECK(v == Approx(3).epsilon(1e-6));
            CHECK(resize(full({1, 1, 1, 1}, 3), 2, 2).to_vector() == std::vector<float>(4, 3));
        }
    // a line's ends stay where they are when corners are aligned
    const Tensor line = reshape(arange(4), {1, 1, 1, 4});
    CHECK(interpolate(line, {1, 7}, bilinear, true).to_vector() ==
          std::vector<float>{0, 0.5f, 1, 1.5f, 2, 2.5f, 3});
    CHECK(interpolate(line, {1, 2}, bilinear, true).to_vector() == std::vector<float>{0, 3});
    // halving with antialias is a tent over four pixels, cut at the border
    const auto halved = interpolate(line, {1, 2}, bilinear, false, true).to_vector<double>();
    CHECK(halved[0] == Approx((0 * 3 + 1 * 3 + 2 * 1) / 7.0));
    // an infinite pixel does not spread beyond its filter as 0 · inf
    const Tensor spot =
        from_vector<float>({1, 1, std::numeric_limits<float>::infinity(), 1, 1, 1}, {1, 1, 1, 6});
    for (const float v : interpolate(spot, {1, 3}, bilinear, true).to_vector()) CHECK(!std::isnan(v));
}

TEST_CASE("interpolate errors", "[ops][interpolate]") {
    CHECK_THROWS_WITH(interpolate(zeros({3, 4}), {2, 2}), "[interpolate] expected (N,C,H,W), got (3,4)");
    CHECK_THROWS_WITH(interpolate(zeros({1, 1, 3, 4}), {0, 2}),
                      "[interpolate] expected a size of at least 1x1, got 0x2");
    CHECK_THROWS_WITH(interpolate(zeros({1, 1, 0, 4}), {2, 2}), "[interpolate] (1,1,0,4) has no pixels");
    CHECK_THROWS_WITH(interpolate(zeros({1, 1, 3, 4}), {2, 2}, bicubic, true, true),
                      "[interpolate] antialias expects align_corners = false");
    CHECK_THROWS_WITH(interpolate(zeros({1, 1, 3, 4}, {.dtype = DType::i64}), {2, 2}),
                      "[interpolate] expected a tensor of f32 or f64, got i64");
}

}  // namespace lily::testing
