// SPDX-License-Identifier: MIT
#include "kernels/batch_norm/batch_norm.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

using kernels::BatchNormShape;

// x, its parameters and what a pass gives, on a device in T.
template <class T>
struct Arrays {
    Arrays(const BatchNormShape& s, Device where, int64_t shift)
        : device(where),
          x(s.n * s.channels * s.inner, shift, where),
          y(s.n * s.channels * s.inner, 2 * shift, where),
          dy(s.n * s.channels * s.inner, 3 * shift, where),
          dx(s.n * s.channels * s.inner, shift, where),
          weight(s.channels, shift, where),
          bias(s.channels, 0, where),
          running_mean(s.channels, shift, where),
          running_var(s.channels, 2 * shift, where),
          statistics(3 * s.channels, 3 * shift, where),
          dweight(s.channels, 0, where),
          dbias(s.channels, shift, where) {
        uint32_t seed = 1;
        for (auto* b : {&x, &dy, &weight, &bias, &running_mean, &running_var}) b->randomise(seed++);
        for (int64_t c = 0; c < s.channels; ++c) running_var[c] = 1 + running_var[c] * running_var[c];
    }
    void train(const BatchNormShape& s, double momentum) {
        kernels::batch_norm<T>(device).train(default_queue(device), s, momentum, x.on_device(),
                                             weight.on_device(), bias.on_device(), running_mean.on_device(),
                                             running_var.on_device(), statistics.on_device(), y.on_device());
        for (auto* b : {&running_mean, &running_var, &statistics, &y}) b->fetch();
    }
    void eval(const BatchNormShape& s) {
        kernels::batch_norm<T>(device).eval(default_queue(device), s, x.on_device(), weight.on_device(),
                                            bias.on_device(), running_mean.on_device(),
                                            running_var.on_device(), statistics.on_device(), y.on_device());
        statistics.fetch(), y.fetch();
    }
    void backward(const BatchNormShape& s, bool constant) {
        kernels::batch_norm<T>(device).backward(default_queue(device), s, constant, x.on_device(),
                                                weight.on_device(), statistics.on_device(), dy.on_device(),
                                                dx.on_device(), dweight.on_device(), dbias.on_device());
        dx.fetch(), dweight.fetch(), dbias.fetch();
    }
    bool fences_stand() const {
        for (const auto* b : {&y, &dx, &running_mean, &running_var, &statistics, &dweight, &dbias})
            if (!b->fences_stand()) return false;
        return true;
    }

    Device device;
    Buffer<T> x, y, dy, dx, weight, bias, running_mean, running_var, statistics, dweight, dbias;
};

void check_batch_norm(Device device, const BatchNormShape& s) {
    INFO(name(device) << ", " << s.n << " x " << s.channels << " x " << s.inner);
    const int64_t all = s.n * s.channels * s.inner;
    Arrays<float> got(s, device, 1);
    Arrays<double> want(s, Device::cpu, 0);
    got.train(s, 0.3), want.train(s, 0.3);
    CHECK(worst_error(got.y, want.y, all) <= 2e-6);
    CHECK(worst_error(got.running_mean, want.running_mean, s.channels) <= 1e-6);
    CHECK(worst_error(got.running_var, want.running_var, s.channels) <= 1e-6);
    got.backward(s, false), want.backward(s, false);
    CHECK(worst_error(got.dx, want.dx, all) <= 5e-6);
    CHECK(worst_error(got.dweight, want.dweight, s.channels) <= 5e-6);
    CHECK(worst_error(got.dbias, want.dbias, s.channels) <= 2e-6);
    // The f64 loops against the formulas, for one channel
    const int64_t c = s.channels / 2;
    const auto m = static_cast<double>(s.n * s.inner);
    const auto sum = [&](auto term) {
        double total = 0;
        for (int64_t row = 0; row < s.n; ++row)
            for (int64_t i = 0; i < s.inner; ++i) total += term((row * s.channels + c) * s.inner + i);
        return total;
    };
    const double mean = sum([&](int64_t i) { return want.x[i]; }) / m;
    const double var = sum([&](int64_t i) { return (want.x[i] - mean) * (want.x[i] - mean); }) / m;
    CHECK(want.statistics[c] == Approx(mean).margin(1e-12));
    CHECK(want.statistics[2 * s.channels + c] == Approx(1 / std::sqrt(var + s.eps)));
    CHECK(want.dweight[c] == Approx(sum([&](int64_t i) {
                                 return want.dy[i] * (want.x[i] - mean) / std::sqrt(var + s.eps);
                             })).margin(1e-9));

    got.eval(s), want.eval(s);
    CHECK(worst_error(got.y, want.y, all) <= 2e-6);
    got.backward(s, true), want.backward(s, true);
    CHECK(worst_error(got.dx, want.dx, all) <= 2e-6);
    CHECK(got.fences_stand());
}

}  // namespace

TEST_CASE("batch_norm kernels: f32 as f64, rows and maps, both kinds of statistics",
          "[kernels][batch_norm]") {
    for (const Device device : devices())
        for (const BatchNormShape& s : {BatchNormShape{2, 1, 1, 0.1},
                                        {7, 3, 1, 0.1},
                                        {64, 130, 1, 0.1},
                                        {3, 65, 1, 0.1},
                                        {1, 2, 9, 0.1},
                                        {5, 4, 33, 0.1},
                                        {2, 100, 16, 0.1},
                                        {300, 2, 2, 0.1}})
            check_batch_norm(device, s);
}

}  // namespace lily::testing
