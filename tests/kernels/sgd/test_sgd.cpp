// SPDX-License-Identifier: MIT
#include "kernels/sgd/sgd.h"

#include <deque>

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

// `count` parameters of different sizes and alignments, every third at its first step, all at once, against
// the formulas of sgd.h.
void check_sgd(Device device, int count, const kernels::SgdSettings& s) {
    struct One {
        int64_t n;
        Buffer<float> p, b, g;
        std::vector<double> want_p, want_b;
    };
    std::deque<One> all;
    std::vector<kernels::SgdParameter<float>> list;
    for (int i = 0; i < count; ++i) {
        const int64_t n = i == 0 ? 9001 : i * 37 % 200, shift = i % 4;
        One& a = all.emplace_back(n, Buffer<float>(n, shift, device), Buffer<float>(n, shift, device),
                                  Buffer<float>(n, shift, device));
        const bool is_first = i % 3 == 0, has_momentum = s.momentum != 0;
        a.p.randomise(1), a.g.randomise(2);
        if (!is_first) a.b.randomise(3);  // else poison, that must not be read
        for (int64_t k = 0; k < n; ++k) {
            const double g = a.g[k] + s.weight_decay * a.p[k];
            const double b = is_first ? g : s.momentum * a.b[k] + (1 - s.dampening) * g;
            const double step = !has_momentum ? g : s.nesterov ? g + s.momentum * b : b;
            a.want_b.push_back(b);
            a.want_p.push_back(a.p[k] - s.lr * step);
        }
        float* const p = a.p.on_device();
        float* const b = has_momentum ? a.b.on_device() : nullptr;
        list.push_back({n, p, b, a.g.on_device(), is_first});
    }
    kernels::sgd<float>(device).update(default_queue(device), s, list);
    for (One& a : all) {
        a.p.fetch(), a.b.fetch();
        double worst = 0;
        for (size_t k = 0; k < a.want_p.size(); ++k) {
            const auto at = static_cast<int64_t>(k);
            double e = std::fabs(a.p[at] - a.want_p[k]);
            if (s.momentum != 0) e = std::max(e, std::fabs(a.b[at] - a.want_b[k]));
            if (!(e <= worst)) worst = e;
        }
        INFO(name(device) << ", " << a.n << " of " << count);
        CHECK(worst <= 1e-6);
        CHECK((a.p.fences_stand() && a.b.fences_stand() && a.g.fences_stand()));
    }
}

}  // namespace

TEST_CASE("SGD kernels: the formulas, few parameters and many", "[kernels][sgd]") {
    for (const Device device : devices())
        for (const int count : {0, 1, 3, 130}) {
            check_sgd(device, count, {.lr = 0.01});
            check_sgd(device, count, {.lr = 0.01, .weight_decay = 0.1});
            check_sgd(device, count, {.lr = 0.01, .momentum = 0.9, .dampening = 0.25});
            check_sgd(device, count, {.lr = 0.01, .momentum = 0.5, .weight_decay = 0.1, .nesterov = true});
        }
}

TEST_CASE("SGD kernels: without weight decay the gradient alone counts, even at infinity", "[kernels][sgd]") {
    for (const Device device : devices()) {
        Buffer<float> p(2, 0, device), b(2, 0, device), g(2, 0, device);
        p[0] = INFINITY, p[1] = -INFINITY;
        b[0] = b[1] = 0, g[0] = g[1] = 1;
        const std::vector<kernels::SgdParameter<float>> list{
            {2, p.on_device(), b.on_device(), g.on_device(), false}};
        kernels::sgd<float>(device).update(default_queue(device), {.lr = 0.01, .momentum = 0.5}, list);
        p.fetch(), b.fetch();
        INFO(name(device));
        CHECK((p[0] == INFINITY && p[1] == -INFINITY));
        CHECK((b[0] == 1 && b[1] == 1));
    }
}

}  // namespace lily::testing
