// SPDX-License-Identifier: MIT
#include "kernels/conv2d/conv2d.h"

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

// Contiguous maps and weights as they are: what the loops want, and GPUs too.
template <class T, class Run>
void run_plan(Device device, const kernels::Conv2dShape& s, kernels::Conv2dPass pass, const Run& run) {
    const auto& kernel = kernels::conv2d<T>(device);
    const kernels::Conv2dPlan& plan = kernel.plan(s, pass);
    REQUIRE((plan.x_layout == 1 && plan.y_layout == 1 && plan.packed_bytes == 0));
    run(kernel, default_queue(device), plan);
}

void check_convolution(Device device, const kernels::Conv2dShape& s) {
    using enum kernels::Conv2dPass;
    const int64_t in = s.n * s.c * s.h * s.w, out = s.n * s.k * s.out_h() * s.out_w();
    const int64_t weights = s.k * s.c / s.groups * s.r * s.s;
    Buffer<float> x(in, 1, device), w(weights, 2, device), b(s.k, 3, device), y(out, 1, device),
        dy(out, 2, device);
    Buffer<float> dx(in, 3, device), dw(weights, 1, device), db(s.k, 2, device);
    Buffer<double> x_64(in), w_64(weights), b_64(s.k), y_64(out), dy_64(out), dx_64(in), dw_64(weights),
        db_64(s.k);
    x.randomise(1), x_64.randomise(1), w.randomise(2), w_64.randomise(2), b.randomise(3), b_64.randomise(3);
    dy.randomise(4), dy_64.randomise(4);
    INFO(name(device) << ", x " << s.n << "x" << s.c << "x" << s.h << "x" << s.w << ", k " << s.k << ", "
                      << s.r << "x" << s.s << ", groups " << s.groups);
    const auto compare = [](Buffer<float>& got, const Buffer<double>& want, int64_t n) {
        got.fetch();
        CHECK(worst_error(got, want, n) <= 2e-6);
        CHECK(got.fences_stand());
    };
    for (const auto pass : {forward, forward_relu}) {
        const bool bias = pass == forward_relu;
        run_plan<float>(device, s, pass, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.forward(queue, plan, x.on_device(), w.on_device(), bias ? b.on_device() : nullptr,
                           {y.on_device()});
        });
        run_plan<double>(Device::cpu, s, pass, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.forward(queue, plan, x_64.data(), w_64.data(), bias ? b_64.data() : nullptr,
                           {y_64.data()});
        });
        compare(y, y_64, out);
    }
    for (const auto pass : {backward_data, backward_data_relu}) {  // y is forward_relu's
        run_plan<float>(device, s, pass, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.backward_data(queue, plan, {dy.on_device(), y.on_device()}, w.on_device(), false,
                                 dx.on_device());
        });
        run_plan<double>(Device::cpu, s, pass, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.backward_data(queue, plan, {dy_64.data(), y_64.data()}, w_64.data(), false, dx_64.data());
        });
        compare(dx, dx_64, in);
    }
    run_plan<float>(device, s, backward_weights, [&](const auto& kernel, Queue& queue, const auto& plan) {
        kernel.backward_weights(queue, plan, x.on_device(), dy.on_device(), dw.on_device());
        kernel.backward_bias(queue, s.n, s.k, s.out_h() * s.out_w(), 1, dy.on_device(), db.on_device());
    });
    run_plan<double>(
        Device::cpu, s, backward_weights, [&](const auto& kernel, Queue& queue, const auto& plan) {
            kernel.backward_weights(queue, plan, x_64.data(), dy_64.data(), dw_64.data());
            kernel.backward_bias(queue, s.n, s.k, s.out_h() * s.out_w(), 1, dy_64.data(), db_64.data());
        });
    compare(dw, dw_64, weights);
    compare(db, db_64, s.k);
}

}  // namespace

// (the CPU's f32 plans have layouts of their own: tests/framework/ops/test_conv2d.cpp)
TEST_CASE("conv2d kernels of the GPUs: f32 as f64, every option, at any alignment", "[kernels][conv2d]") {
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;
        check_convolution(device, {1, 1, 1, 1, 1, 1, 1});
        check_convolution(device, {2, 3, 9, 8, 70, 3, 3, {1, 1}, {1, 1}});
        check_convolution(device, {1, 5, 10, 7, 4, 3, 2, {2, 3}, {1, 0}, {2, 1}});
        check_convolution(device, {3, 6, 5, 6, 9, 3, 3, {1, 2}, {2, 1}, {1, 1}, 3});
        check_convolution(device, {1, 2, 40, 40, 3, 3, 3, {1, 1}, {1, 1}});  // two runs of positions
    }
}

}  // namespace lily::testing
