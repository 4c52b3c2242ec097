// SPDX-License-Identifier: MIT
// The profiler: each op in its row, no time lost, none counted twice, nothing changed.
#include "framework/profiler.h"

#include <chrono>
#include <optional>
#include <stdexcept>
#include <thread>

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/device.h"
#include "framework/ops.h"
#include "tests/catch.h"

namespace lily {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

void sleep_ms(int milliseconds) { std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds)); }

Tensor leaf(const Shape& shape) { return full(shape, 0.5).set_requires_grad(); }

// The one row of this name and pass; calls 0 if there is none.
ProfileRow row_of(const Profiler& profiler, const std::string& op, ProfilePass pass) {
    ProfileRow found;
    for (const ProfileRow& row : profiler.rows()) {
        if (row.op != op || row.pass != pass) continue;
        CHECK(found.calls == 0);
        found = row;
    }
    return found;
}

// y = 2x; the forward pass takes `forward` ms at least, the backward pass `backward`.
Tensor slow(const Tensor& x, int forward, int backward) {
    const Tensor y = x.detach() * 2.0;
    sleep_ms(forward);
    return record("slow", y, {x}, [backward](const Backward& g) {
        sleep_ms(backward);
        return Gradients{g.dy * 2.0};
    });
}

}  // namespace

TEST_CASE("a profile has a row per op, pass and shape", "[profiler]") {
    Tensor x = leaf({2, 16, 6, 5});
    const Tensor weight = full({32, 16, 3, 3}, 0.01);
    const Profiler profiler;
    for (int i = 0; i < 3; ++i) {
        const Tensor y = conv2d_relu(x, weight, {}, {.padding = {1, 1}});
        x.set_grad({});
        sum(y * y + y).backward();  // the engine adds the three gradients of y
    }
    const ProfileRow forward = row_of(profiler, "conv2d_relu", ProfilePass::forward);
    CHECK(forward.calls == 3);
    REQUIRE(forward.shapes != nullptr);
    CHECK(forward.shapes->text() == "2x16x6x5 32x16x3x3 - -> 2x32x6x5");
    CHECK(forward.shapes->inputs[1] == Shape{32, 16, 3, 3});
    const ProfileRow backward = row_of(profiler, "conv2d_relu", ProfilePass::backward);
    CHECK(backward.calls == 3);
    REQUIRE(backward.shapes != nullptr);
    CHECK(backward.shapes->text() == forward.shapes->text());
    CHECK(row_of(profiler, "sum", ProfilePass::forward).shapes->text() == "2x32x6x5 -> scalar");
    CHECK(row_of(profiler, "autograd", ProfilePass::backward).shapes == nullptr);
    // what a backward function calls is its node's; what the engine calls for itself is not
    CHECK(row_of(profiler, "conv2d_backward_data", ProfilePass::backward).calls == 0);
    CHECK(row_of(profiler, "add", ProfilePass::backward).calls == 3 * (1 + 2));

    sum(leaf({7})).backward();  // another shape: another row
    size_t sums = 0;
    for (const ProfileRow& row : profiler.rows()) sums += row.op == "sum" && row.pass == ProfilePass::forward;
    CHECK(sums == 2);
}

TEST_CASE("a profile gives the time to what took it, once", "[profiler]") {
    const Tensor x = leaf({4});
    const Clock::time_point start = Clock::now();
    const Profiler profiler;
    const Tensor y = slow(x, 20, 60);
    sleep_ms(10);
    profile_rest("pause");
    sum(y).backward();
    const double elapsed = seconds_since(start);
    CHECK(row_of(profiler, "slow", ProfilePass::forward).seconds >= 0.020);
    CHECK(row_of(profiler, "slow", ProfilePass::backward).seconds >= 0.060);
    CHECK(row_of(profiler, "pause", ProfilePass::other).seconds >= 0.010);
    CHECK(profiler.seconds() >= 0.090);
    CHECK(profiler.seconds() <= elapsed);
    double sum = 0, last = elapsed;
    for (const ProfileRow& row : profiler.rows()) {  // sorted
        CHECK(row.seconds <= last);
        sum += last = row.seconds;
    }
    CHECK(sum == Approx(profiler.seconds()));
}

TEST_CASE("without a profiler, under NoGrad and on other threads", "[profiler]") {
    CHECK(Profiler::active() == nullptr);
    profile_rest("nobody listens");
    const Tensor x = leaf({4});
    const Tensor before = exp(x);
    const Profiler profiler;
    CHECK(Profiler::active() == &profiler);
    sum(before).backward();  // made before the profiler, so its shapes are not known
    CHECK(row_of(profiler, "exp", ProfilePass::backward).shapes == nullptr);
    CHECK(row_of(profiler, "exp", ProfilePass::forward).calls == 0);
    {
        const NoGrad no_grad;
        tanh(x);
    }
    CHECK(row_of(profiler, "tanh", ProfilePass::forward).calls == 1);
    std::thread([&] {
        CHECK(Profiler::active() == nullptr);
        sigmoid(x);
    }).join();
    CHECK(row_of(profiler, "sigmoid", ProfilePass::forward).calls == 0);
}

TEST_CASE("one profiler inside another", "[profiler]") {
    const Tensor x = leaf({4});
    const Clock::time_point start = Clock::now();
    const Profiler outer;
    {
        const Profiler inner;
        slow(x, 40, 0);
        CHECK(row_of(inner, "slow", ProfilePass::forward).calls == 1);
    }
    exp(x);
    const double elapsed = seconds_since(start);
    CHECK(Profiler::active() == &outer);
    CHECK(row_of(outer, "slow", ProfilePass::forward).calls == 0);
    CHECK(outer.seconds() < elapsed - 0.040);  // its clock stood still
    std::optional<Profiler> later(std::in_place);
    later.reset();
    CHECK(Profiler::active() == &outer);
}

TEST_CASE("a backward function that throws leaves the profiler in order", "[profiler]") {
    const Tensor x = leaf({4});
    const Profiler profiler;
    const Tensor broken = record("broken", x.detach() * 1.0, {x},
                                 [](const Backward&) -> Gradients { throw std::runtime_error("no"); });
    CHECK_THROWS_WITH(sum(broken).backward(), "no");
    CHECK(row_of(profiler, "broken", ProfilePass::backward).calls == 1);
    exp(x);
    CHECK(row_of(profiler, "exp", ProfilePass::forward).calls == 1);
}

TEST_CASE("a profiler changes no bits, of second derivatives neither", "[profiler]") {
    const auto second = [] {
        const Tensor x = from_vector<float>({0.3f, -1.7f, 2.5f}, {3}).set_requires_grad();
        const Tensor first = grad(sum(exp(x) * tanh(x)), {x}, {.create_graph = true})[0];
        return grad(sum(square(first)), {x})[0].to_vector();
    };
    const std::vector<float> plain = second();
    const Profiler profiler;
    CHECK(second() == plain);
    CHECK(row_of(profiler, "exp", ProfilePass::backward).calls >= 2);
}

TEST_CASE("on a GPU a row has what its kernels took, not their launches", "[profiler][simt]") {
    for (const Device device : {Device::simt, Device::cuda}) {
        if (!is_available(device)) continue;
        const Tensor x = full({192, 192}, 0.5, {.device = device}).set_requires_grad();
        synchronize(device);
        const Clock::time_point start = Clock::now();
        Profiler profiler(device);
        const Tensor y = sum(square(matmul(x, x)));
        y.backward();
        const double launched = seconds_since(start);
        synchronize(device);
        profile_rest("wait");
        const double took = seconds_since(start), total = profiler.seconds();
        const double forward = row_of(profiler, "matmul", ProfilePass::forward).seconds;
        const double backward = row_of(profiler, "matmul", ProfilePass::backward).seconds;
        INFO(name(device) << ": launched in " << launched << " s, done in " << took << ", matmul " << forward
                          << " and " << backward << ", all " << total);
        CHECK(forward > 0);
        CHECK(backward > 0);
        // The software GPU begins when it is waited for: on the host's clock all of it would be in the wait.
        if (device == Device::simt) {
            CHECK(row_of(profiler, "wait", ProfilePass::other).seconds < 0.5 * (took - launched));
            CHECK(total > 0.5 * (took - launched));
        }
        CHECK(total <= 1.01 * took + 1e-3);
        CHECK(profiler.seconds() == total);
    }
}

TEST_CASE("a profiler of a GPU stands still while another lives, and ends with its events",
          "[profiler][simt]") {
    for (const Device device : {Device::simt, Device::cuda}) {
        if (!is_available(device)) continue;
        const Tensor x = full({128, 128}, 0.5, {.device = device});
        Profiler outer(device);
        square(x);
        {
            const Profiler inner(device);
            for (int i = 0; i < 5000; ++i) profile_rest("nothing");  // more than are kept unread
            matmul(x, x);
            CHECK(row_of(inner, "nothing", ProfilePass::other).calls == 5000);
            CHECK(row_of(inner, "matmul", ProfilePass::forward).calls == 1);
        }
        square(x);
        CHECK(outer.rows().size() == 1);
        CHECK(row_of(outer, "square", ProfilePass::forward).calls == 2);
    }
}

TEST_CASE("a captured step is not timed by its ops", "[profiler][simt]") {
    if (!is_available(Device::simt)) SKIP("this build has no software GPU");
    Profiler profiler(Device::simt);
    const Tensor x = full({4}, 0.5, {.device = Device::simt});
    CapturedStep step = capture(Device::simt, [&] { square(x); });
    CHECK_THROWS_WITH(
        [&] {
            for (int i = 0; i < 8; ++i) step.replay();
        }(),
        "[profiler] a captured step cannot be timed by its ops: profile it without capture()");
}

}  // namespace lily
