// SPDX-License-Identifier: MIT
#include "kernels/copy/convert.h"

#include <cmath>

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

// As many as make whole vectors and a few more, so that every form of the loop meets every value.
constexpr int64_t kTimes = 7;

template <class From, class To>
void check_conversion(const std::vector<From>& values, const std::vector<To>& want) {
    const auto n = static_cast<int64_t>(values.size());
    for (const Device device : devices()) {
        Buffer<From> x(n * kTimes, 1, device);
        Buffer<To> y(n * kTimes, 3, device);
        for (int64_t i = 0; i < n * kTimes; ++i) x[i] = values[static_cast<size_t>(i % n)];
        kernels::convert<From, To>(device).run(default_queue(device), n * kTimes, x.on_device(),
                                               y.on_device());
        y.fetch();
        for (int64_t i = 0; i < n * kTimes; ++i) {
            INFO(name(device) << ", " << x[i]);
            CHECK(y[i] == want[static_cast<size_t>(i % n)]);
        }
        CHECK(y.fences_stand());
    }
}

}  // namespace

TEMPLATE_TEST_CASE(
    "conversion of floats to integers: cut off after the point, stopped at the limits, NaN is 0",
    "[kernels][convert]", float, double) {
    const TestType inf = std::numeric_limits<TestType>::infinity(), nan = std::nan("");
    check_conversion<TestType, uint8_t>(
        {0, -0.5, 0.99f, 1.5, 254.5, 255, 255.5, 256, 300, 3e9f, 1e30f, -1, -256, -3e9f, inf, -inf, nan},
        {0, 0, 0, 1, 254, 255, 255, 255, 255, 255, 255, 0, 0, 0, 255, 0, 0});
    constexpr int64_t most = std::numeric_limits<int64_t>::max(), least = std::numeric_limits<int64_t>::min();
    const TestType limit = 9223372036854775808.0;  // 2⁶³, the first that does not fit
    const TestType below = std::nextafter(limit, TestType(0));
    check_conversion<TestType, int64_t>(
        {0, -0.5, -1.5, 1e6f, limit, below, -limit, -below, 1e30f, -1e30f, inf, -inf, nan},
        {0, 0, -1, 1000000, most, static_cast<int64_t>(below), least, -static_cast<int64_t>(below), most,
         least, most, least, 0});
}

TEST_CASE("conversion of integers: u8 wraps around, floats are the nearest", "[kernels][convert]") {
    check_conversion<int64_t, uint8_t>({0, 255, 256, -1, 1000}, {0, 255, 0, 255, 232});
    check_conversion<int64_t, float>({0, -3, 16777217, 9007199254740993},
                                     {0, -3, 16777216, 9007199254740992.0f});
    check_conversion<double, float>({1e300, -1e300, 1e-300, 0.1}, {INFINITY, -INFINITY, 0, 0.1f});
}

TEST_CASE("a number that goes into a tensor or out of it is converted alike", "[kernels][convert]") {
    CHECK(full({3}, 300, {.dtype = DType::u8}).to_vector<uint8_t>() == std::vector<uint8_t>{255, 255, 255});
    CHECK(full({1}, NAN, {.dtype = DType::i64}).item<int64_t>() == 0);
    CHECK(full({1}, -1e30).item<uint8_t>() == 0);
    CHECK(from_vector<double>({-1, 2.5, 1e10}, {3}).to_vector<uint8_t>() == std::vector<uint8_t>{0, 2, 255});
}

}  // namespace lily::testing
