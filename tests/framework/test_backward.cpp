// SPDX-License-Identifier: MIT
// How a backward pass is started, and what it announces while it runs.
#include "framework/autograd.h"
#include "framework/ops.h"
#include "tests/catch.h"

namespace lily {
namespace {

using Floats = std::vector<float>;

Tensor leaf(const Floats& values) {
    return from_vector(values, {static_cast<int64_t>(values.size())}).set_requires_grad();
}

// y = 2x; the gradient's computation is written into `events`.
Tensor logged(const char* name, const Tensor& x, std::vector<std::string>& events) {
    return record("logged", x.detach() * 2.0, {x}, [name, &events](const Backward& g) {
        events.push_back(name);
        return Gradients{g.dy * 2.0};
    });
}

// Announced leaves by name, and the gradients that they had then.
struct Announcements {
    std::vector<std::pair<Tensor, std::string>> known;
    std::vector<std::string> names;
    std::vector<Floats> gradients;

    BackwardOptions options(BackwardOptions given = {}) {
        given.on_gradient_ready = [this](const Tensor& ready) {
            for (const auto& [tensor, name] : known)
                if (tensor.is_same(ready)) names.push_back(name);
            gradients.push_back(ready.grad().to_vector());
        };
        return given;
    }
};

}  // namespace

TEST_CASE("a leaf is announced once, when its gradient is final, while the pass still runs", "[backward]") {
    std::vector<std::string> events;
    const Tensor x = leaf({1, 2}), first = leaf({3, 4}), shared = leaf({5, 6}), last = leaf({7, 8}),
                 idle = leaf({9});
    const Tensor a = logged("a", x * first, events);   // da/dfirst = 2x
    const Tensor b = logged("b", a * shared, events);  // b = 4 x first shared
    const Tensor c = logged("c", b * last, events);    // c = 8 ... last
    const Tensor d = logged("d", c * shared, events);  // shared is used twice, the second time here
    Announcements seen{
        {{x, "x"}, {first, "first"}, {shared, "shared"}, {last, "last"}, {idle, "idle"}}, {}, {}};
    BackwardOptions options = seen.options();
    options.on_gradient_ready = [&, log = options.on_gradient_ready](const Tensor& ready) {
        log(ready);
        events.push_back(seen.names.back());
        CHECK(!grad_enabled());
    };
    sum(d).backward(options);
    // shared is final only when b = a · shared, its older user, has been passed; x and first at the end
    CHECK(events == std::vector<std::string>{"d", "c", "last", "b", "shared", "a", "x", "first"});
    CHECK(seen.gradients[0] == last.grad().to_vector());
    CHECK(seen.gradients[1] == shared.grad().to_vector());
    CHECK(seen.gradients[2] == x.grad().to_vector());
    CHECK(seen.gradients[3] == first.grad().to_vector());
    CHECK(shared.grad().to_vector() ==
          Floats{2 * 16 * 7 * 15, 2 * 16 * 8 * 8 * 6});  // 2 · 16 x first shared last
    CHECK(!idle.grad().defined());
}

TEST_CASE("a leaf whose last user passes nothing on is announced all the same", "[backward]") {
    const auto silent = [](const Tensor& t) {
        return record("silent", t.detach() * 1.0, {t}, [](const Backward&) { return Gradients{Tensor{}}; });
    };
    const Tensor x = leaf({1}), never = leaf({2}), other = leaf({3});
    const Tensor below = silent(square(x));  // square's node never runs: nobody gives it a gradient
    Announcements seen{{{x, "x"}, {never, "never"}, {other, "other"}}, {}, {}};
    sum(below * other + x * 3.0 + silent(never)).backward(seen.options());
    CHECK(seen.names == std::vector<std::string>{"other", "x"});
    CHECK(x.grad().item() == 3);
    CHECK(!never.grad().defined());  // of what was not announced there is no gradient
}

TEST_CASE("announced are leaves that accumulate, frozen ones and dropped ones are not", "[backward]") {
    Tensor x = leaf({1, 2}), frozen = leaf({3, 4});
    Announcements seen{{{x, "x"}, {frozen, "frozen"}}, {}, {}};
    const Tensor y = sum(x * frozen) + sum(leaf({5}) * 3.0);  // nobody can read that one's gradient
    frozen.set_requires_grad(false);
    y.backward(seen.options({.retain_graph = true}));
    y.backward(seen.options());
    CHECK(seen.names == std::vector<std::string>{"x", "x"});
    CHECK(seen.gradients == std::vector<Floats>{{3, 4}, {6, 8}});  // .grad() itself, with what was there
    x.set_grad({});
    x.backward(ones({2}), seen.options());  // a root that is a leaf
    CHECK(seen.names.size() == 3);
    CHECK(x.grad().to_vector() == Floats{1, 1});
}

TEST_CASE("an announced gradient may be changed, and be differentiated if asked for", "[backward]") {
    const Tensor x = leaf({2}), w = leaf({3});
    const auto y = [&] { return sum(square(x) * square(w)); };
    Tensor second;
    y().backward({.create_graph = true, .on_gradient_ready = [&](const Tensor& ready) {
                      CHECK(grad_enabled());
                      if (ready.is_same(x)) second = grad(sum(ready.grad()), {x}, {.retain_graph = true})[0];
                  }});
    CHECK(second.item() == 2 * 9);
    CHECK(grad(sum(w.grad()), {x})[0].item() == 2 * 2 * 2 * 3);

    for (Tensor t : {x, w}) t.set_grad({});
    y().backward(
        {.on_gradient_ready = [](const Tensor& ready) { Tensor(ready).set_grad(ready.grad() * 0.5); }});
    CHECK(x.grad().item() == 2 * 9);
    CHECK(w.grad().item() == 4 * 3);

    // another pass inside of one
    const Tensor z = leaf({5});
    y().backward({.on_gradient_ready = [&](const Tensor&) { CHECK(!square(z).requires_grad()); }});
}

TEST_CASE("what the callback throws ends the pass, and leaves autograd as it was", "[backward]") {
    const Tensor x = leaf({1, 2}), w = leaf({3, 4});
    const Tensor y = sum(square(x) * w);  // w is used last, so announced first
    const BackwardOptions stops{.retain_graph = true,
                                .on_gradient_ready = [](const Tensor&) { fail("enough"); }};
    CHECK_THROWS_WITH(y.backward(stops), "enough");
    CHECK(grad_enabled());
    CHECK(w.grad().to_vector() == Floats{1, 4});
    CHECK(!x.grad().defined());
    Tensor(w).set_grad({});
    y.backward();
    CHECK(w.grad().to_vector() == Floats{1, 4});
    CHECK(x.grad().to_vector() == Floats{6, 16});
    // a graph that was not kept is freed as far as the pass came
    const Tensor z = sum(square(x) * w);
    CHECK_THROWS_WITH(z.backward({.on_gradient_ready = stops.on_gradient_ready}), "enough");
    CHECK_THROWS_WITH(
        z.backward(),
        "[backward] the graph behind 'sum' was freed by an earlier backward; pass retain_graph = "
        "true to that one");
}

TEST_CASE("a gradient of the wrong shape is refused before it is announced", "[backward]") {
    const Tensor x = leaf({1, 2, 3});
    const Tensor y = record("broken", ones({}), {x}, [](const Backward&) { return Gradients{ones({2})}; });
    bool announced = false;
    CHECK_THROWS_WITH(y.backward({.on_gradient_ready = [&](const Tensor&) { announced = true; }}),
                      "[backward] a leaf (3) was given a gradient (2)");
    CHECK(!announced);
    CHECK(!x.grad().defined());
}

TEST_CASE("backward from a tensor that is no loss", "[backward][simt]") {
    const Tensor x = leaf({1, 2});
    square(x).backward(from_vector<float>({10, 100}, {2}));
    CHECK(x.grad().to_vector() == Floats{20, 400});
    square(x).backward(from_vector<float>({1, 1}, {2}), {.retain_graph = true});
    CHECK(x.grad().to_vector() == Floats{22, 404});
    square(x).sum().backward(full({}, 0.5));
    CHECK(x.grad().to_vector() == Floats{23, 406});

    CHECK_THROWS_WITH(square(x).backward(ones({3})), "[backward] dL_dy has shape (3), the tensor (2)");
    CHECK_THROWS_WITH(square(x).backward(ones({2}, {.dtype = DType::f64})),
                      "[backward] dL_dy is f64, the tensor f32; convert it with to()");
    CHECK_THROWS_WITH(ones({2}).backward(ones({2})),
                      "[backward] the tensor does not depend on anything that requires a gradient");
    if (!is_available(Device::simt)) return;
    CHECK_THROWS_WITH(square(x).backward(ones({2}).to(Device::simt)),
                      "[backward] expected tensors on one device, got CPU and SIMT; move one with to()");
    const Tensor there = leaf({1, 2}).detach().to(Device::simt).set_requires_grad();
    square(there).backward(from_vector<float>({10, 100}, {2}).to(Device::simt));
    CHECK(there.grad().to_vector() == Floats{20, 400});
}

TEST_CASE("several roots in one pass give the sum of separate passes", "[backward]") {
    std::vector<std::string> events;
    const Tensor x = leaf({1, 2}), w = leaf({3, 4});
    const auto roots = [&] {
        const Tensor common = logged("common", x * w, events);
        return std::vector<Tensor>{sum(square(common)), common * w, sum(x), common};
    };
    const std::vector<Tensor> weights = {Tensor{}, from_vector<float>({1, 10}, {2}), full({}, 3),
                                         from_vector<float>({5, 7}, {2})};
    const std::vector<Tensor> separate = roots();
    for (size_t i = 0; i < separate.size(); ++i)
        backward({separate[i]}, {weights[i]}, {.retain_graph = true});
    const Floats dx = x.grad().to_vector(), dw = w.grad().to_vector();
    CHECK(events.size() == 3);

    for (Tensor t : {x, w}) t.set_grad({});
    events.clear();
    Announcements seen{{{x, "x"}, {w, "w"}}, {}, {}};
    backward(roots(), weights, seen.options());
    CHECK(x.grad().to_vector() == dx);
    CHECK(w.grad().to_vector() == dw);
    CHECK(events == std::vector<std::string>{"common"});  // what they have in common is passed once
    CHECK(seen.names.size() == 2);

    Tensor(x).set_grad({});
    const Tensor loss = sum(square(x));
    backward({loss, sum(x), loss});  // losses: 1 each; one of them twice
    CHECK(x.grad().to_vector() == Floats{5, 9});
}

TEST_CASE("roots are refused by name before anything is computed", "[backward][simt]") {
    std::vector<std::string> events;
    const Tensor x = leaf({1, 2});
    const Tensor loss = sum(logged("x", x, events)), map = square(x);
    CHECK_THROWS_WITH(backward({}), "[backward] expected at least one root");
    CHECK_THROWS_WITH(backward({loss, map}),
                      "[backward] expected one element (a loss), root 1 is (2); or pass dL_dy");
    CHECK_THROWS_WITH(backward({loss, map}, {ones({})}),
                      "[backward] expected a dL_dy for each of 2 roots, got 1");
    CHECK_THROWS_WITH(backward({loss, map}, {{}, ones({3})}), "[backward] dL_dy has shape (3), root 1 (2)");
    CHECK_THROWS_WITH(backward({loss, map}, {{}, ones({2}, {.dtype = DType::f64})}),
                      "[backward] dL_dy is f64, root 1 f32; convert it with to()");
    CHECK_THROWS_WITH(backward({loss, ones({})}),
                      "[backward] root 1 does not depend on anything that requires a gradient");
    CHECK_THROWS_WITH(backward({Tensor{}, loss}), "[backward] root 0 is undefined");
    if (is_available(Device::simt))
        CHECK_THROWS_WITH(backward({loss, map}, {{}, ones({2}).to(Device::simt)}),
                          "[backward] expected tensors on one device, got CPU and SIMT; move one with to()");
    CHECK(events.empty());
    CHECK(!x.grad().defined());
    loss.backward();
    CHECK(events.size() == 1);
}

}  // namespace lily
