// SPDX-License-Identifier: MIT
#include "framework/capture.h"

#include "framework/autograd.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/optim/sgd.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

Tensor ramp(const Shape& shape) { return reshape(arange(shape.numel()) * 0.01 - 0.3, shape); }

// What a network has: convolution, pooling, a linear layer, resizing, scalars, a loss, its gradients.
struct Model {
    Tensor x, filters, weight, target, loss;

    explicit Model(Device device)
        : x(ramp({2, 3, 8, 8}).to(device)),
          filters(ramp({4, 3, 3, 3}).to(device).set_requires_grad()),
          weight(ramp({5, 64}).to(device).set_requires_grad()),
          target(ramp({2, 5}).to(device)) {}
    void step() {
        filters.set_grad({});
        weight.set_grad({});
        const Tensor map = conv2d_relu_max_pool2d(x, filters, {}, {.padding = {1, 1}});
        const Tensor wide =
            interpolate(pad(map, {1, 1, 1, 1}, PadMode::reflect), {4, 4}, InterpolateMode::bilinear);
        loss = mse_loss(linear(reshape(wide, {2, 64}), weight), target) * 3 + sum(relu(weight)) * scalar(0.1);
        loss.backward();
    }
    std::vector<std::vector<float>> results() const {
        return {loss.to_vector(), filters.grad().to_vector(), weight.grad().to_vector()};
    }
};

}  // namespace

TEST_CASE("capture: replays have the bits of plain runs, with new values in the same memory",
          "[capture][simt]") {
    for (const Device device : devices()) {
        Model plain(device), replayed(device);
        optim::Adam first({plain.filters, plain.weight}, {.lr = 0.01}),
            second({replayed.filters, replayed.weight}, {.lr = 0.01});
        CapturedStep step = capture(device, [&] { replayed.step(); });
        for (int i = 0; i < 8; ++i) {
            INFO(name(device) << ", step " << i);
            plain.x.copy_(ramp({2, 3, 8, 8}) + i);
            replayed.x.copy_(plain.x);
            plain.step();
            step.replay();
            CHECK(replayed.results() == plain.results());
            first.step();
            second.step();
            CHECK(step.recorded() == (device != Device::cpu && i >= 4));
        }
        CHECK((step.launches() > 10) == (device != Device::cpu));
    }
}

TEST_CASE("capture: its memory is nobody else's while it lives, and comes back", "[capture][simt]") {
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;
        const int64_t before = allocator(device).stats().current_bytes;
        Tensor kept;
        {
            const Tensor x = ramp({1000}).to(device);
            Tensor y;
            CapturedStep step = capture(device, [&] { y = square(x) + x; });
            while (!step.recorded()) step.replay();
            const std::vector<float> want = y.to_vector();
            // as large as what the step uses in between, and written
            std::vector<Tensor> others;
            for (int i = 0; i < 20; ++i) others.push_back(full({1000}, 7, {.device = device}));
            step.replay();
            for (const Tensor& other : others) CHECK(other.to_vector() == std::vector<float>(1000, 7));
            for (Tensor& other : others) other.fill_(8);
            CHECK(y.to_vector() == want);
            kept = y;
        }
        CHECK(kept.to_vector()[2] == Approx(0.28 * 0.28 - 0.28));  // it outlives the step
        kept = {};
        synchronize(device);
        CHECK(allocator(device).stats().current_bytes == before);
    }
}

TEST_CASE("capture: a step whose shapes change is recorded when they have settled", "[capture][simt]") {
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;
        int64_t size = 10;
        Tensor y;
        CapturedStep step = capture(device, [&] { y = ones({size}, {.device = device}) + 1; });
        for (int i = 0; i < 4; ++i) {
            size += 1000;  // new memory every time
            step.replay();
            CHECK(y.numel() == size);
            CHECK(!step.recorded());
        }
        for (int i = 0; i < 4; ++i) step.replay();
        CHECK(step.recorded());
        CHECK(y.to_vector() == std::vector<float>(static_cast<size_t>(size), 2));
    }
}

TEST_CASE("capture: gradients that are cleared outside come back with each replay", "[capture][simt]") {
    std::vector<std::vector<float>> results;
    for (const Device device : devices()) {
        Tensor w = ramp({4}).to(device).set_requires_grad();
        optim::SGD sgd({w}, {.lr = 0.1});
        CapturedStep step = capture(device, [&] { sum(square(w)).backward(); });
        for (int i = 0; i < 9; ++i) {
            sgd.zero_grad();
            step.replay();
            REQUIRE(w.grad().defined());
            sgd.step();
        }
        results.push_back(w.to_vector());
        CHECK(results.back() == results.front());
        if (device == Device::cpu) continue;
        // What a replay cannot do: add to what was there before.
        Tensor kept = ramp({4}).to(device).set_requires_grad();
        sum(kept).backward();
        CapturedStep adding = capture(device, [&] { sum(square(kept)).backward(); });
        CHECK_THROWS_WITH(
            adding.replay(),
            "[backward] a captured step cannot add to a gradient from before it; clear it first");
    }
}

TEST_CASE("capture: a step that throws is recorded later", "[capture][simt]") {
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;
        const Tensor x = ramp({4}).to(device);
        // only when it is being recorded
        int runs = 0;
        Tensor y;
        CapturedStep late = capture(device, [&] {
            y = x * 2;
            if (++runs == 5) throw Error("now");
        });
        for (int i = 0; i < 4; ++i) late.replay();
        CHECK_THROWS_WITH(late.replay(), "now");
        CHECK(!late.recorded());
        late.replay();
        CHECK(late.recorded());
        CHECK(y.to_vector() == (x * 2).to_vector());
    }
    CHECK_THROWS_WITH(capture(Device::cpu, nullptr), "[capture] expected a function");
}

}  // namespace lily::testing
