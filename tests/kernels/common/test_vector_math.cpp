// SPDX-License-Identifier: MIT
#include "kernels/common/vector_math.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "kernels/common/parallel.h"
#include "tests/catch.h"

namespace lily::kernels {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// Every 997th float from the smallest denormal to `limit` (997 is odd, so all low bits occur), of both signs.
std::vector<float> floats_up_to(float limit) {
    std::vector<float> values;
    const uint32_t last = std::bit_cast<uint32_t>(limit);
    for (uint32_t bits = 0; bits <= last; bits += 997)
        for (const uint32_t sign : {0u, 0x80000000u}) values.push_back(std::bit_cast<float>(bits | sign));
    return values;
}

template <class F>
std::vector<float> vectorised_map(const std::vector<float>& x, const F& f) {
    std::vector<float> y(x.size(), kNaN);
    const float* from = x.data();
    float* to = y.data();
    parallel_for(static_cast<int64_t>(x.size()), kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] = f(from[i]);
    });
    return y;
}

// Distance in units of the last place of the float nearest to `want`.
double ulps(float got, double want) {
    const auto nearest = static_cast<float>(want);
    if (got == nearest) return 0;
    const double unit = static_cast<double>(std::nextafter(std::fabs(nearest), kInfinity)) -
                        static_cast<double>(std::fabs(nearest));
    return std::fabs(static_cast<double>(got) - want) / unit;
}

template <class F>
void check_ulps(const char* what, const std::vector<float>& x, const F& fast, double (*exact)(double),
                double allowed) {
    const auto y = vectorised_map(x, fast);
    double worst = 0;
    float where = 0;
    for (size_t i = 0; i < x.size(); ++i) {
        const double error = ulps(y[i], exact(static_cast<double>(x[i])));
        if (!(error <= worst)) worst = error, where = x[i];
    }
    INFO(what << ": " << worst << " ulp at " << where);
    CHECK(worst <= allowed);
}

}  // namespace

TEST_CASE("fast_exp is within 3 ulp wherever its result is a normal number", "[vector_math]") {
    std::vector<float> x;
    for (const float v : floats_up_to(88.7228317f))
        if (v >= -87.3f) x.push_back(v);
    REQUIRE(x.size() > 2'000'000);
    check_ulps(
        "exp", x, [](float v) { return fast_exp(v); }, std::exp, 3);
}

TEST_CASE("fast_tanh and fast_sigmoid are within 4 ulp", "[vector_math]") {
    const auto x = floats_up_to(3e38f);
    check_ulps(
        "tanh", x, [](float v) { return fast_tanh(v); }, std::tanh, 4);
    std::vector<float> normal;
    for (const float v : x)
        if (v >= -87.3f) normal.push_back(v);
    check_ulps(
        "sigmoid", normal, [](float v) { return fast_sigmoid(v); },
        [](double v) { return 1 / (1 + std::exp(-v)); }, 4);
}

TEST_CASE("special values", "[vector_math]") {
    const auto exps = vectorised_map({0.0f, -0.0f, kInfinity, -kInfinity, kNaN, 89.0f, -88.0f, 3e38f, -3e38f},
                                     [](float v) { return fast_exp(v); });
    CHECK(exps[0] == 1);
    CHECK(exps[1] == 1);
    CHECK(exps[2] == kInfinity);
    CHECK(exps[3] == 0);
    CHECK(std::isnan(exps[4]));
    CHECK(exps[5] == kInfinity);
    CHECK(exps[6] == 0);  // a denormal, flushed
    CHECK(exps[7] == kInfinity);
    CHECK(exps[8] == 0);

    const auto tanhs =
        vectorised_map({0.0f, -0.0f, kInfinity, -kInfinity, kNaN, 50.0f, -50.0f, 1e-40f, 1e-45f},
                       [](float v) { return fast_tanh(v); });
    CHECK(tanhs[0] == 0);
    CHECK(std::signbit(tanhs[1]));
    CHECK(tanhs[2] == 1);
    CHECK(tanhs[3] == -1);
    CHECK(std::isnan(tanhs[4]));
    CHECK(tanhs[5] == 1);
    CHECK(tanhs[6] == -1);
    CHECK(tanhs[7] == 1e-40f);
    CHECK(tanhs[8] == 1e-45f);

    const auto sigmoids = vectorised_map({0.0f, kInfinity, -kInfinity, kNaN, 200.0f, -200.0f},
                                         [](float v) { return fast_sigmoid(v); });
    CHECK(sigmoids[0] == 0.5f);
    CHECK(sigmoids[1] == 1);
    CHECK(sigmoids[2] == 0);
    CHECK(std::isnan(sigmoids[3]));
    CHECK(sigmoids[4] == 1);
    CHECK(sigmoids[5] == 0);
    CHECK(fast_exp(1.0) == std::exp(1.0));  // double: the C library's
}

}  // namespace lily::kernels
