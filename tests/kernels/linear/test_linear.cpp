// SPDX-License-Identifier: MIT
#include "kernels/linear/linear.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"
#include "tests/kernels/settings.h"

namespace lily::testing {
namespace {

using kernels::Activation;
using kernels::Engine;
using kernels::LinearActivation;
using kernels::LinearShape;
using kernels::Precision;

constexpr int64_t kAligned = 32;  // with the fence, 256 bytes

// y in f32 on the device and by the loops in f64, of the same inputs.
struct Run {
    Buffer<float> y;
    Buffer<double> want, sizes;  // sizes: Σ |x| |w|

    Run(Device device, LinearShape s, LinearActivation f, bool with_bias, int64_t shift, bool exact)
        : y(s.rows * s.out, shift, device), want(s.rows * s.out), sizes(s.rows * s.out) {
        const int64_t other = shift == kAligned ? kAligned : shift + 1;
        Buffer<float> x(s.rows * s.in, shift, device), w(s.out * s.in, other, device),
            b(s.out, shift, device);
        x.randomise(1), w.randomise(2), b.randomise(3);
        if (!exact)  // more bits than TF32 or bf16 have
            for (auto* factors : {&x, &w})
                for (int64_t i = 0; i < (factors == &x ? s.rows : s.out) * s.in; ++i)
                    (*factors)[i] = (*factors)[i] * 0.7123f + 0.1234567f;
        kernels::linear<float>(device).forward(default_queue(device), s, f, x.on_device(), w.on_device(),
                                               with_bias ? b.on_device() : nullptr, y.on_device());
        y.fetch();
        const auto in_double = [](const Buffer<float>& from, int64_t n, bool magnitude) {
            Buffer<double> to(n);
            for (int64_t i = 0; i < n; ++i)
                to[i] = magnitude ? std::fabs(from.data()[i]) : static_cast<double>(from.data()[i]);
            return to;
        };
        const auto loops = [&](LinearActivation g, bool magnitude, const double* bias, double* out) {
            kernels::linear<double>(Device::cpu)
                .forward(default_queue(Device::cpu), s, g, in_double(x, s.rows * s.in, magnitude).data(),
                         in_double(w, s.out * s.in, magnitude).data(), bias, out);
        };
        const Buffer<double> bias = in_double(b, s.out, false);
        loops(f, false, with_bias ? bias.data() : nullptr, want.data());
        loops({}, true, nullptr, sizes.data());
    }
};

constexpr LinearActivation kActivations[] = {
    {}, {Activation::relu}, {Activation::leaky_relu, 0.2}, {Activation::tanh}};

void check_forward(Device device, int64_t shift) {
    for (const LinearShape s :
         {LinearShape{1, 1, 1}, {5, 33, 7}, {200, 17, 150}, {3, 0, 4}, {5, 32, 8}, {66, 35, 9}, {64, 64, 64}})
        for (const LinearActivation f : kActivations)
            for (const bool with_bias : {false, true}) {
                Run run(device, s, f, with_bias, shift, true);
                INFO(lily::name(device)
                     << ", rows " << s.rows << ", in " << s.in << ", out " << s.out << ", bias " << with_bias
                     << ", activation " << static_cast<int>(f.function));
                CHECK(worst_error(run.y, run.want, s.rows * s.out) <= 1e-6);
                CHECK(run.y.fences_stand());
            }
}

void check_linear(Device device, LinearShape s, LinearActivation f, bool with_bias) {
    INFO("rows " << s.rows << ", in " << s.in << ", out " << s.out << ", scale " << s.weight_scale
                 << ", bias " << with_bias << ", activation " << static_cast<int>(f.function));
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    const auto& f32 = kernels::linear<float>(device);
    const auto& f64 = kernels::linear<double>(Device::cpu);
    Buffer<float> x(s.rows * s.in, 1, device), w(s.out * s.in, 2, device), b(s.out, 1, device),
        y(s.rows * s.out, 3, device), dy(s.rows * s.out, 2, device), dx(s.rows * s.in, 1, device),
        dw(s.out * s.in, 3, device), db(s.out, 2, device);
    Buffer<double> x_64(s.rows * s.in), w_64(s.out * s.in), b_64(s.out), y_64(s.rows * s.out),
        dy_64(s.rows * s.out), dx_64(s.rows * s.in), dw_64(s.out * s.in), db_64(s.out);
    x.randomise(1), x_64.randomise(1), w.randomise(2), w_64.randomise(2);
    b.randomise(3), b_64.randomise(3), dy.randomise(4), dy_64.randomise(4);
    f64.forward(cpu, s, f, x_64.data(), w_64.data(), with_bias ? b_64.data() : nullptr, y_64.data());
    f32.forward(queue, s, f, x.on_device(), w.on_device(), with_bias ? b.on_device() : nullptr,
                y.on_device());
    y.fetch();
    CHECK(worst_error(y, y_64, s.rows * s.out) <= 2e-6);
    CHECK(y.fences_stand());

    // From the same y: a sign that rounding has changed is not the backward pass's business.
    for (int64_t i = 0; i < s.rows * s.out; ++i) y[i] = static_cast<float>(y_64[i]);
    f64.backward(cpu, s, f, x_64.data(), w_64.data(), y_64.data(), dy_64.data(),
                 {dx_64.data(), dw_64.data(), db_64.data()});
    f32.backward(queue, s, f, x.on_device(), w.on_device(), y.on_device(), dy.on_device(),
                 {dx.on_device(), dw.on_device(), db.on_device()});
    dx.fetch(), dw.fetch(), db.fetch();
    CHECK(worst_error(dx, dx_64, s.rows * s.in) <= 2e-6);
    CHECK(worst_error(dw, dw_64, s.out * s.in) <= 2e-6);
    CHECK(worst_error(db, db_64, s.out) <= 2e-6);
    CHECK((dx.fences_stand() && dw.fences_stand() && db.fences_stand()));

    // Each alone, with nothing to read that it does not need
    Buffer<float> alone_x(s.rows * s.in, 2, device), alone_w(s.out * s.in, 1, device),
        alone_b(s.out, 1, device);
    f32.backward(queue, s, f, nullptr, w.on_device(), y.on_device(), dy.on_device(),
                 {alone_x.on_device(), nullptr, nullptr});
    f32.backward(queue, s, f, x.on_device(), nullptr, y.on_device(), dy.on_device(),
                 {nullptr, alone_w.on_device(), nullptr});
    f32.backward(queue, s, f, nullptr, nullptr, y.on_device(), dy.on_device(),
                 {nullptr, nullptr, alone_b.on_device()});
    alone_x.fetch(), alone_w.fetch(), alone_b.fetch();
    CHECK(worst_error(alone_x, dx_64, s.rows * s.in) <= 2e-6);
    CHECK(worst_error(alone_w, dw_64, s.out * s.in) <= 2e-6);
    CHECK(worst_error(alone_b, db_64, s.out) <= 2e-6);
}

}  // namespace

TEST_CASE("linear kernels: f32 as f64, with and without bias, whatever follows", "[kernels][linear]") {
    for (const Device device : devices())
        for (const Engine engine : {Engine::rule, Engine::library, Engine::own}) {
            if (device == Device::cpu && engine != Engine::rule) continue;
            const WithEngine with(engine);
            INFO(testing::name(engine));
            check_forward(device, kAligned);
            for (const LinearShape s : {LinearShape{1, 1, 1},
                                        {5, 33, 7},
                                        {65, 17, 150},
                                        {3, 0, 4},
                                        {0, 3, 4},
                                        {64, 128, 48},
                                        {70, 100, 49}}) {
                LinearShape scaled = s;
                scaled.weight_scale = 0.7;
                for (const LinearActivation f : kActivations) check_linear(device, s, f, true);
                for (const LinearActivation f : kActivations) check_linear(device, scaled, f, true);
                for (const LinearShape& which : {s, scaled}) check_linear(device, which, {}, false);
            }
        }
}

TEST_CASE("linear kernels: sums of more than one run, and rows too long for tiles", "[kernels][linear]") {
    for (const LinearShape s : {LinearShape{1500, 20, 9}, {7, 30, 2100}, {3, 5000, 5}})
        check_linear(Device::cpu, s, {Activation::leaky_relu, 0.2}, true);
}

TEST_CASE("linear kernels: the layers of models/gan", "[kernels][linear]") {
    for (const LinearShape s : {LinearShape{128, 784, 512},
                                {128, 512, 256},
                                {128, 256, 128},
                                {128, 128, 32},
                                {128, 32, 1},
                                {64, 64, 128},
                                {64, 128, 256},
                                {64, 256, 512},
                                {64, 512, 784}})
        check_linear(Device::cpu, s, {Activation::leaky_relu, 0.2}, true);
}

// Factors of 8 bits are exact in TF32 and bf16, and so are these sums of their products in f32.
TEST_CASE("linear kernels: tensor cores lose nothing of factors that fit", "[kernels][linear]") {
    for (const Device device : devices())
        for (const Precision precision : {Precision::tf32, Precision::bf16}) {
            const WithEngine with(Engine::own, precision);
            check_forward(device, 1);
            check_forward(device, kAligned);
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
                Run run(device, s, {}, false, kAligned, false);
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
