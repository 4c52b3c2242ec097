// SPDX-License-Identifier: MIT
#include "kernels/adain/adain.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

void check_adain(Device device, const kernels::AdainShape& shape, bool style, int64_t shift) {
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    const int64_t planes = shape.planes, n = planes * shape.positions;
    Buffer<float> x(n, shift, device), s(planes, 1, device), b(planes, 2, device), y(n, shift, device),
        statistics(3 * planes, 3, device), dy(n, shift, device), dx(n, shift, device), ds(planes, 2, device),
        db(planes, 3, device);
    Buffer<double> x_64(n), s_64(planes), b_64(planes), y_64(n), statistics_64(3 * planes), dy_64(n),
        dx_64(n), ds_64(planes), db_64(planes);
    x.randomise(1), x_64.randomise(1), s.randomise(2), s_64.randomise(2), b.randomise(3), b_64.randomise(3);
    dy.randomise(4), dy_64.randomise(4);
    for (int64_t i = 0; i < n; ++i) x[i] += 40, x_64[i] += 40;  // a mean far from 0
    INFO(name(device) << ", " << planes << " planes of " << shape.positions << ", style " << style);
    const auto compare = [&](Buffer<float>& got, const Buffer<double>& want, int64_t size, double tolerance) {
        got.fetch();
        CHECK(worst_error(got, want, size) <= tolerance);
        CHECK(got.fences_stand());
    };
    const auto& f32 = kernels::adain<float>(device);
    const auto& f64 = kernels::adain<double>(Device::cpu);
    f32.forward(queue, shape, x.on_device(), style ? s.on_device() : nullptr, style ? b.on_device() : nullptr,
                y.on_device(), statistics.on_device());
    f64.forward(cpu, shape, x_64.data(), style ? s_64.data() : nullptr, style ? b_64.data() : nullptr,
                y_64.data(), statistics_64.data());
    compare(statistics, statistics_64, planes, 1e-7);  // the means
    for (int64_t plane = 0; plane < planes; ++plane) {
        const double mean = static_cast<double>(statistics[plane]) + statistics[planes + plane];
        CHECK(std::fabs(mean - statistics_64[plane]) <= 1e-11);
        CHECK(statistics[2 * planes + plane] == Approx(statistics_64[2 * planes + plane]).epsilon(1e-6));
    }
    compare(y, y_64, n, 1e-6);
    f32.backward(queue, shape, x.on_device(), style ? s.on_device() : nullptr, statistics.on_device(),
                 dy.on_device(), dx.on_device(), style ? ds.on_device() : nullptr,
                 style ? db.on_device() : nullptr);
    f64.backward(cpu, shape, x_64.data(), style ? s_64.data() : nullptr, statistics_64.data(), dy_64.data(),
                 dx_64.data(), ds_64.data(), db_64.data());
    compare(dx, dx_64, n, 1e-5);
    if (!style) return;
    compare(ds, ds_64, planes, 1e-5);
    compare(db, db_64, planes, 1e-5);
}

}  // namespace

TEST_CASE("adain kernels: f32 as f64, planes that are kept and planes that are not", "[kernels][adain]") {
    for (const Device device : devices())
        for (const bool style : {false, true})
            for (const int64_t shift : {0, 1}) {
                for (const int64_t positions : {16, 127, 128, 129, 1024, 5000})
                    check_adain(device, {3, positions, 1e-8}, style, shift);
                for (const int64_t positions : {1, 2, 7})  // eps: the few may be alike, and cancel in dx
                    check_adain(device, {3, positions, 0.1}, style, shift);
                check_adain(device, {1, 12500, 1e-8}, style, shift);  // forward is kept, backward is not
                check_adain(device, {1, 25000, 1e-8}, style, shift);
            }
}

}  // namespace lily::testing
