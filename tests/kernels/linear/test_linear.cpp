// SPDX-License-Identifier: MIT
#include "kernels/linear/linear.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"
#include "tests/kernels/settings.h"

namespace lily::testing {
namespace {

using kernels::Engine;
using kernels::LinearShape;
using kernels::Precision;

constexpr int64_t kAligned = 32;  // with the fence, 256 bytes

// y in f32 on the device and by the loops in f64, of the same inputs.
struct Run {
    Buffer<float> y;
    Buffer<double> want, sizes;  // sizes: Σ |x| |w|

    Run(Device device, const LinearShape& s, bool with_bias, int64_t shift, bool exact)
        : y(s.rows * s.out, shift, device), want(s.rows * s.out), sizes(s.rows * s.out) {
        const int64_t other = shift == kAligned ? kAligned : shift + 1;
        Buffer<float> x(s.rows * s.in, shift, device), w(s.out * s.in, other, device),
            b(s.out, shift, device);
        x.randomise(1), w.randomise(2), b.randomise(3);
        if (!exact)  // more bits than TF32 or bf16 have
            for (auto* factors : {&x, &w})
                for (int64_t i = 0; i < (factors == &x ? s.rows : s.out) * s.in; ++i)
                    (*factors)[i] = (*factors)[i] * 0.7123f + 0.1234567f;
        kernels::linear<float>(device).forward(default_queue(device), s, x.on_device(), w.on_device(),
                                               with_bias ? b.on_device() : nullptr, y.on_device());
        y.fetch();
        const auto in_double = [](const Buffer<float>& from, int64_t n, bool magnitude) {
            Buffer<double> to(n);
            for (int64_t i = 0; i < n; ++i)
                to[i] = magnitude ? std::fabs(from.data()[i]) : static_cast<double>(from.data()[i]);
            return to;
        };
        const auto loops = [&](const LinearShape& shape, bool magnitude, const double* bias, double* out) {
            kernels::linear<double>(Device::cpu)
                .forward(default_queue(Device::cpu), shape, in_double(x, s.rows * s.in, magnitude).data(),
                         in_double(w, s.out * s.in, magnitude).data(), bias, out);
        };
        const Buffer<double> bias = in_double(b, s.out, false);
        loops(s, false, with_bias ? bias.data() : nullptr, want.data());
        loops({s.rows, s.in, s.out}, true, nullptr, sizes.data());
    }
};

void check_linear(Device device, int64_t shift) {
    for (const LinearShape s : {LinearShape{1, 1, 1},
                                {5, 33, 7},
                                {200, 17, 150},
                                {3, 0, 4},
                                {5, 32, 8, true},
                                {66, 35, 9, true, 0.2},
                                {64, 64, 64, true, 0.2}})
        for (const bool with_bias : {false, true}) {
            Run run(device, s, with_bias, shift, true);
            INFO(lily::name(device) << ", rows " << s.rows << ", in " << s.in << ", out " << s.out
                                    << ", bias " << with_bias << ", relu " << s.relu);
            CHECK(worst_error(run.y, run.want, s.rows * s.out) <= 1e-6);
            CHECK(run.y.fences_stand());
        }
}

}  // namespace

TEST_CASE("linear kernels: f32 as f64, with and without bias and activation", "[kernels][linear]") {
    for (const Device device : devices())
        for (const Engine engine : {Engine::rule, Engine::library, Engine::own}) {
            if (device == Device::cpu && engine != Engine::rule) continue;
            const WithEngine with(engine);
            INFO(testing::name(engine));
            check_linear(device, 1);
            check_linear(device, kAligned);
        }
}

// Factors of 8 bits are exact in TF32 and bf16, and so are these sums of their products in f32.
TEST_CASE("linear kernels: tensor cores lose nothing of factors that fit", "[kernels][linear]") {
    for (const Device device : devices())
        for (const Precision precision : {Precision::tf32, Precision::bf16}) {
            const WithEngine with(Engine::own, precision);
            check_linear(device, 1);
            check_linear(device, kAligned);
        }
}

// |y - exact| <= (2u + u²) Σ |x| |w|, with u the half of the last bit of a factor: 2^-11 or 2^-8. The sums'
// own rounding in f32 is far below 1 % of that; bf16's is seen to happen by an error that f32 would not have.
TEST_CASE("linear kernels: TF32 and bf16 round as they should", "[kernels][linear]") {
    const LinearShape s{70, 100, 50};
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;
        for (const auto& [precision, u] : {std::pair{Precision::tf32, 0x1p-11}, {Precision::bf16, 0x1p-8}})
            for (const Engine engine : {Engine::own, Engine::library}) {
                const WithEngine with(engine, precision);
                Run run(device, s, false, kAligned, false);
                double worst = 0;  // of the bound
                for (int64_t i = 0; i < s.rows * s.out; ++i) {
                    const double error = std::fabs(run.y[i] - run.want[i]);
                    const double share = error / ((2 * u + u * u) * run.sizes[i]);
                    if (!(share <= worst)) worst = share;
                }
                INFO(lily::name(device) << ", " << testing::name(engine) << ", u " << u);
                CHECK(worst <= 1.01);
                CHECK(worst >= 0.01);
            }
    }
}

}  // namespace lily::testing
