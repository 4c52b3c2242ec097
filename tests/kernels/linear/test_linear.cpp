// SPDX-License-Identifier: MIT
#include "kernels/linear/linear.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

using kernels::Activation;
using kernels::LinearActivation;
using kernels::LinearShape;

void check_linear(Device device, LinearShape s, LinearActivation f, bool with_bias) {
    INFO("rows " << s.rows << ", in " << s.in << ", out " << s.out << ", bias " << with_bias
                 << ", activation " << static_cast<int>(f.function));
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
        for (const LinearShape s : {LinearShape{1, 1, 1},
                                    {5, 33, 7},
                                    {65, 17, 150},
                                    {3, 0, 4},
                                    {0, 3, 4},
                                    {64, 128, 48},
                                    {70, 100, 49}}) {
            for (const bool with_bias : {false, true}) check_linear(device, s, {}, with_bias);
            check_linear(device, s, {Activation::relu}, true);
            check_linear(device, s, {Activation::leaky_relu, 0.2}, true);
            check_linear(device, s, {Activation::tanh}, true);
        }
}

TEST_CASE("linear kernels: sums of more than one run, and rows too long for tiles", "[kernels][linear]") {
    for (const LinearShape s : {LinearShape{1500, 20, 9}, {7, 30, 2100}, {3, 5000, 5}})
        check_linear(Device::cpu, s, {Activation::leaky_relu, 0.2}, true);
}

}  // namespace lily::testing
