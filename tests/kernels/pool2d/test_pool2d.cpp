// SPDX-License-Identifier: MIT
#include "kernels/pool2d/pool2d.h"

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

void check_pooling(Device device, const kernels::Pool2dShape& s, int64_t shift) {
    const int64_t in = s.planes * s.h * s.w * s.lanes, out = s.planes * s.out_h() * s.out_w() * s.lanes;
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    const auto& f32 = kernels::pool2d<float>(device);
    const auto& f64 = kernels::pool2d<double>(Device::cpu);
    Buffer<float> x(in, shift, device), y(out, 2, device), dy(out, 3, device), dx(in, shift, device);
    Buffer<double> x_64(in), y_64(out), dy_64(out), dx_64(in);
    Buffer<uint8_t> index(out, 1, device), index_64(out);
    x.randomise(1), x_64.randomise(1), dy.randomise(2), dy_64.randomise(2);
    INFO(name(device) << ", " << s.planes << " x " << s.h << " x " << s.w << " x " << s.lanes);
    const auto compare = [&](Buffer<float>& got, const Buffer<double>& want, int64_t n) {
        got.fetch();
        CHECK(worst_error(got, want, n) <= 1e-6);
        CHECK(got.fences_stand());
    };
    f32.max(queue, s, x.on_device(), y.on_device(), index.on_device());
    f64.max(cpu, s, x_64.data(), y_64.data(), index_64.data());
    compare(y, y_64, out);
    index.fetch();
    CHECK((std::equal(index.data(), index.data() + out, index_64.data()) && index.fences_stand()));
    f32.max_scatter(queue, s, dy.on_device(), index.on_device(), dx.on_device());
    f64.max_scatter(cpu, s, dy_64.data(), index_64.data(), dx_64.data());
    compare(dx, dx_64, in);
    f32.max_gather(queue, s, x.on_device(), index.on_device(), y.on_device());
    compare(y, y_64, out);
    for (const bool count_padding : {false, true}) {
        f32.mean(queue, s, count_padding, x.on_device(), y.on_device());
        f64.mean(cpu, s, count_padding, x_64.data(), y_64.data());
        compare(y, y_64, out);
        f32.mean_backward(queue, s, count_padding, dy.on_device(), dx.on_device());
        f64.mean_backward(cpu, s, count_padding, dy_64.data(), dx_64.data());
        compare(dx, dx_64, in);
    }
}

}  // namespace

TEST_CASE("pooling kernels: f32 as f64, windows that touch, overlap and leave gaps", "[kernels][pool2d]") {
    for (const Device device : devices())
        for (const int64_t shift : {0, 1}) {
            check_pooling(device, {2, 1, 8, 6, {2, 2}, {2, 2}, {0, 0}}, shift);
            check_pooling(device, {2, 1, 7, 6, {2, 2}, {2, 2}, {0, 0}}, shift);
            check_pooling(device, {3, 1, 7, 9, {2, 2}, {2, 2}, {0, 0}}, shift);
            check_pooling(device, {2, 1, 9, 8, {3, 3}, {2, 2}, {1, 1}}, shift);
            check_pooling(device, {1, 5, 6, 7, {2, 3}, {1, 2}, {1, 0}}, shift);
            check_pooling(device, {1, 1, 9, 9, {2, 2}, {4, 3}, {0, 0}}, shift);
        }
}

}  // namespace lily::testing
