// SPDX-License-Identifier: MIT
// The tape itself: what is computed, when it is freed, and what is refused.
#include "framework/autograd.h"

#include "framework/ops.h"
#include "tests/catch.h"

namespace lily {
namespace {

Tensor leaf(const std::vector<float>& values) {
    return from_vector(values, {static_cast<int64_t>(values.size())}).set_requires_grad();
}

int64_t bytes_in_use() { return allocator(Device::cpu).stats().current_bytes; }

// y = 2x, which counts how often its gradient is computed.
Tensor counted(const Tensor& x, int& calls) {
    const Tensor y = x.detach() * 2.0;
    return record("counted", y, {x}, [&calls](const Backward& g) {
        ++calls;
        return Gradients{g.dy * 2.0};
    });
}

constexpr auto kFreed =
    "[backward] the graph behind 'sum' was freed by an earlier backward; pass retain_graph = true to that "
    "one";

}  // namespace

TEST_CASE("gradients of a diamond are summed, twice backward doubles", "[autograd]") {
    Tensor x = leaf({1, 2, 3});
    const Tensor shared = square(x);
    const Tensor loss = sum(shared * shared + shared);  // x^4 + x^2
    loss.backward({.retain_graph = true});
    CHECK(x.grad().to_vector() == std::vector<float>{6, 36, 114});
    loss.backward();
    CHECK(x.grad().to_vector() == std::vector<float>{12, 72, 228});
    CHECK(!shared.grad().defined());  // only leaves
    CHECK(!loss.grad().defined());
    x.set_grad({});
    sum(x).backward();
    CHECK(x.grad().to_vector() == std::vector<float>{1, 1, 1});
}

TEST_CASE("a second backward over a freed graph throws", "[autograd]") {
    const Tensor x = leaf({1, 2});
    const Tensor loss = sum(exp(x));
    loss.backward();
    CHECK_THROWS_WITH(loss.backward(), kFreed);
    CHECK_THROWS_WITH(grad(loss, {x}), kFreed);
    CHECK_THROWS_WITH(grad(loss, {x}, {.allow_unused = true}), kFreed);
    CHECK(loss.item() == Approx(10.1073f));  // the value is still there
}

TEST_CASE("a freed graph below a new one throws, instead of giving a part of the gradient", "[autograd]") {
    const Tensor x = leaf({1, 2});
    const Tensor below = exp(x);
    sum(below).backward();
    const Tensor loss = sum(below + square(x));
    const auto message =
        "[backward] the graph behind 'exp' was freed by an earlier backward; pass retain_graph = true to "
        "that one";
    CHECK_THROWS_WITH(grad(loss, {x}, {.retain_graph = true}), message);
    CHECK_THROWS_WITH(loss.backward(), message);
}

TEST_CASE("a freed graph that no target needs is no obstacle", "[autograd]") {
    const Tensor x = leaf({1, 2}), other = leaf({3, 4});
    const Tensor below = exp(other);
    sum(below).backward();
    const auto gradients = grad(sum(below * x), {x});
    CHECK(gradients[0].to_vector() == below.to_vector());
}

TEST_CASE("retain_graph keeps the graph, create_graph makes third derivatives", "[autograd]") {
    const Tensor x = leaf({2});
    const Tensor y = sum(square(x) * square(x));  // x^4
    CHECK(grad(y, {x}, {.retain_graph = true})[0].item() == 32);
    const Tensor first = grad(y, {x}, {.create_graph = true})[0];
    const Tensor second = grad(sum(first), {x}, {.create_graph = true})[0];
    const Tensor third = grad(sum(second), {x}, {.create_graph = true})[0];
    const Tensor fourth = grad(sum(third), {x})[0];
    CHECK(first.item() == 32);
    CHECK(second.item() == 48);
    CHECK(third.item() == 48);
    CHECK(fourth.item() == 24);
    CHECK(!fourth.requires_grad());
    CHECK(!x.grad().defined());  // grad() accumulates nowhere
}

TEST_CASE("the output an op keeps can be differentiated too", "[autograd]") {
    const Tensor x = leaf({0.5f});
    Tensor g = grad(sum(exp(x)), {x}, {.create_graph = true})[0];
    for (int i = 0; i < 4; ++i) g = grad(sum(g), {x}, {.create_graph = true})[0];
    CHECK(g.item() == Approx(std::exp(0.5f)));
}

TEST_CASE("no_grad and detach record nothing", "[autograd]") {
    const Tensor x = leaf({1, 2});
    {
        const NoGrad no_grad;
        CHECK(!grad_enabled());
        { const NoGrad nested; }
        CHECK(!grad_enabled());
        CHECK(!square(x).requires_grad());
        CHECK(square(x).is_leaf());
    }
    CHECK(grad_enabled());
    CHECK(square(x).requires_grad());
    CHECK(!square(x).is_leaf());
    CHECK(!square(x.detach()).requires_grad());
    Tensor y = square(x);
    CHECK(!grad(sum(y * y.detach()), {x})[0].requires_grad());
    CHECK_THROWS_WITH(square(x.detach()).sum().backward(),
                      "[backward] the tensor does not depend on anything that requires a gradient");
}

TEST_CASE("unused inputs", "[autograd]") {
    const Tensor x = leaf({1, 2}), unused = leaf({1, 2, 3});
    CHECK_THROWS_WITH(
        grad(sum(x), {x, unused}),
        "[grad] y does not depend on an x of shape (3); pass allow_unused = true for an undefined "
        "gradient");
    const auto gradients = grad(sum(square(x)), {unused, x}, {.allow_unused = true});
    CHECK(!gradients[0].defined());
    CHECK(gradients[1].to_vector() == std::vector<float>{2, 4});
    CHECK_THROWS_WITH(grad(sum(x), {x.detach()}), "[grad] an x of shape (2) does not require a gradient");
    CHECK_THROWS_WITH(grad(sum(x), {}), "[grad] expected at least one x");
}

TEST_CASE("gradients with respect to intermediate tensors, and to y itself", "[autograd]") {
    const Tensor x = leaf({3});
    const Tensor middle = square(x);
    const Tensor y = sum(square(middle));
    const auto gradients = grad(y, {middle, x, y});
    CHECK(gradients[0].item() == 18);
    CHECK(gradients[1].item() == 108);
    CHECK(gradients[2].item() == 1);
}

TEST_CASE("the upstream gradient", "[autograd]") {
    const Tensor x = leaf({1, 2});
    CHECK(grad(square(x), {x}, {.dL_dy = from_vector<float>({10, 100}, {2})})[0].to_vector() ==
          std::vector<float>{20, 400});
    CHECK_THROWS_WITH(square(x).backward(),
                      "[backward] expected one element (a loss), the tensor is (2); or pass dL_dy");
    CHECK_THROWS_WITH(grad(square(x), {x}, {.dL_dy = ones({3})}),
                      "[grad] dL_dy has shape (3), the tensor (2)");
}

TEST_CASE("changing a saved tensor in place makes backward throw", "[autograd]") {
    const auto message =
        "[backward] a tensor of shape (2) that the gradient needs was changed in place, or moved to another "
        "device, after the forward pass";
    Tensor weight = leaf({1, 2});
    const Tensor squares = sum(square(weight));
    weight.fill_(5);
    CHECK_THROWS_WITH(squares.backward(), message);

    Tensor other = leaf({1, 2});
    const Tensor products = sum(other * weight);
    other.copy_(zeros({2}));
    CHECK_THROWS_WITH(products.backward(), message);

    const Tensor x = leaf({1, 2});  // an output that the gradient uses, changed through another handle
    const Tensor y = exp(x);
    y.detach().fill_(0);
    CHECK_THROWS_WITH(sum(y).backward(), message);

    Tensor harmless = leaf({1, 2});  // the gradient of 3x does not look at x
    const Tensor tripled = sum(harmless * 3.0);
    harmless.fill_(7);
    tripled.backward();
    CHECK(harmless.grad().to_vector() == std::vector<float>{3, 3});
}

TEST_CASE("gradients of several leaves never share memory", "[autograd]") {
    Tensor a = leaf({1, 2}), b = leaf({3, 4}), c = from_vector<float>({5, 6}, {1, 2}).set_requires_grad();
    sum(a + b + c.reshape({2})).backward();
    a.grad().fill_(0);
    b.grad().fill_(7);
    CHECK(a.grad().to_vector() == std::vector<float>{0, 0});
    CHECK(b.grad().to_vector() == std::vector<float>{7, 7});
    CHECK(c.grad().to_vector() == std::vector<float>{1, 1});

    Tensor upstream = ones({2});
    const Tensor root = leaf({1, 2});
    const Tensor direct = grad(root * 1.0 + root * 1.0, {root}, {.dL_dy = upstream})[0];
    upstream.fill_(9);
    CHECK(direct.to_vector() == std::vector<float>{2, 2});
}

TEST_CASE("gradients nobody needs are not computed", "[autograd]") {
    int needed = 0, idle = 0;
    const Tensor x = leaf({1, 2}), w = leaf({3, 4}), constant = ones({2});
    const Tensor y = sum(counted(x, needed) * counted(w, idle) + counted(constant, idle));
    CHECK(grad(y, {x})[0].to_vector() == std::vector<float>{12, 16});
    CHECK(needed == 1);
    CHECK(idle == 0);  // w is not asked for, the constant has none

    // a frozen weight: the op itself is told
    std::vector<bool> asked;
    const Tensor z = record("asked", x.detach() * 1.0, {x, constant}, [&asked](const Backward& g) {
        asked = {g.needs(0), g.needs(1)};
        return Gradients{g.dy, Tensor{}};
    });
    sum(z).backward();
    CHECK(asked == std::vector<bool>{true, false});
}

TEST_CASE("an op may add to the gradient that others have given, but only if nobody else holds it",
          "[autograd]") {
    const auto adding = [](const Tensor& x, bool& lent) {
        return record("adding", x.detach() * 3.0, {x}, [&lent](const Backward& g) {  // y = 3 x
            Tensor sum = g.sum_so_far(0);
            lent = sum.defined();
            if (!lent) return Gradients{g.dy * 3.0};
            sum.copy_(sum + g.dy * 3.0);
            return Gradients{sum};
        });
    };
    bool lent = true;
    const Tensor x = leaf({1, 2});
    CHECK(grad(sum(adding(x, lent)), {x})[0].to_vector() == std::vector<float>{3, 3});
    CHECK(!lent);  // nobody came before

    const Tensor y = adding(x, lent);
    const Tensor later = sum(square(x) + y);  // square's node is newer, so its gradient is there first
    CHECK(grad(later, {x})[0].to_vector() == std::vector<float>{5, 7});
    CHECK(lent);

    // the gradient of both x and w is the same tensor dy
    const Tensor w = leaf({5, 6}), z = adding(x, lent), shared = x + w;
    const std::vector<Tensor> both = grad(sum(z) + sum(shared), {x, w});
    CHECK(both[0].to_vector() == std::vector<float>{4, 4});
    CHECK(both[1].to_vector() == std::vector<float>{1, 1});
    CHECK(!lent);

    const Tensor again = adding(x, lent);  // a gradient that is going to be differentiated is left alone
    CHECK(grad(sum(square(x) + again), {x}, {.create_graph = true})[0].to_vector() ==
          std::vector<float>{5, 7});
    CHECK(!lent);
}

TEST_CASE("an op that returns the wrong number of gradients, or an output not kept", "[autograd]") {
    const Tensor x = leaf({1});
    const Tensor wrong =
        record("wrong_count", x.detach() * 1.0, {x}, [](const Backward&) { return Gradients{}; });
    CHECK_THROWS_WITH(wrong.backward(), "[backward] 'wrong_count' returned 0 gradients for 1 inputs");
    const Tensor forgetful =
        record("forgetful", x.detach() * 1.0, {x}, [](const Backward& g) { return Gradients{g.output()}; });
    CHECK_THROWS_WITH(forgetful.backward(), "[backward] 'forgetful' did not keep its output");
    CHECK_THROWS_WITH(Saved()(), "[backward] a value was not saved by the forward pass");
    CHECK(saved_if(true, x)().is_same(x));
}

TEST_CASE("a chain of 200,000 nodes is freed and differentiated without recursion", "[autograd]") {
    constexpr int kLength = 200'000;
    const auto chain = [](const Tensor& x, const std::function<Tensor(const Tensor&)>& link) {
        Tensor y = x;
        for (int i = 0; i < kLength; ++i) y = link(y);
        return y;
    };
    const Tensor x = leaf({1});
    const int64_t before = bytes_in_use();
    chain(x, [](const Tensor& y) { return y + 1.0; });
    chain(x, [](const Tensor& y) { return exp(y * -1.0); });
    chain(x, [](const Tensor& y) { return y * y; });                  // the same input twice
    chain(x, [](const Tensor& y) { return (y + 1.0) + (y - 1.0); });  // diamonds
    CHECK(bytes_in_use() == before);

    const Tensor copy = x.detach().clone().set_requires_grad();
    chain(copy, [](const Tensor& y) { return y + 1.0; }).backward();
    CHECK(copy.grad().item() == 1);
    const Tensor kept = chain(copy, [](const Tensor& y) { return y * y; });
    CHECK(grad(kept, {copy}, {.retain_graph = true})[0].item() == std::numeric_limits<float>::infinity());
}

TEST_CASE("a graph leaves no memory behind", "[autograd]") {
    Tensor x = full({1000}, 0.5).set_requires_grad();
    const int64_t before = bytes_in_use();
    const auto loss = [&] { return sum(exp(x) * tanh(x) + sigmoid(square(x)) / (x + 2.0)); };
    loss();  // dropped without a backward
    CHECK(bytes_in_use() == before);
    grad(loss(), {x});
    CHECK(bytes_in_use() == before);
    grad(sum(square(grad(loss(), {x}, {.create_graph = true})[0])), {x});
    CHECK(bytes_in_use() == before);
    {
        const Tensor kept = loss();
        grad(kept, {x}, {.retain_graph = true});
        CHECK(bytes_in_use() > before);
    }
    CHECK(bytes_in_use() == before);
    loss().backward();
    x.set_grad({});
    CHECK(bytes_in_use() == before);
}

TEST_CASE("backward frees activations as it passes them", "[autograd]") {
    constexpr int kDepth = 40;
    constexpr int64_t kCount = 1 << 14, kBytes = kCount * 4;
    const Tensor x = full({kCount}, 0.01).set_requires_grad();
    const int64_t before = bytes_in_use();
    Tensor y = x;
    for (int i = 0; i < kDepth; ++i) y = exp(y * 0.5);  // exp keeps its output; the product keeps nothing
    Tensor loss = sum(y);
    y = {};
    CHECK(bytes_in_use() - before <= (kDepth + 1) * kBytes);
    allocator(Device::cpu).reset_peak();
    loss.backward();
    // one gradient more than the activations at any moment: dy and dx of the link at work
    CHECK(allocator(Device::cpu).stats().peak_bytes - before <= (kDepth + 3) * kBytes);
    CHECK(bytes_in_use() - before <=
          kBytes + 512);  // x.grad and the loss, while the graph's root still lives
}

TEST_CASE("who requires a gradient is decided in the forward pass", "[autograd]") {
    Tensor x = leaf({1, 2}), frozen = leaf({3, 4});
    frozen.set_requires_grad(false);
    const Tensor y = sum(x * frozen + frozen);
    frozen.set_requires_grad(true);
    y.backward();
    CHECK(!frozen.grad().defined());
    CHECK(x.grad().to_vector() == std::vector<float>{3, 4});
}

TEST_CASE("gradients of another shape, dtype or device are refused", "[autograd][simt]") {
    const Tensor x = leaf({1, 2, 3});
    const Tensor y = record("broken", ones({}), {x}, [](const Backward&) { return Gradients{ones({2})}; });
    CHECK_THROWS_WITH(y.backward(), "[backward] a leaf (3) was given a gradient (2)");
    CHECK_THROWS_WITH(grad(square(x), {x}, {.dL_dy = ones({3}, {.dtype = DType::f64})}),
                      "[grad] dL_dy is f64, the tensor f32; convert it with to()");
    Tensor p = leaf({1, 2});
    CHECK_THROWS_WITH(p.set_grad(ones({2}, {.dtype = DType::f64})),
                      "[set_grad] the gradient is f64, the tensor f32; convert it with to()");
    if (!is_available(Device::simt)) return;
    CHECK_THROWS_WITH(p.set_grad(ones({2}).to(Device::simt)),
                      "[set_grad] expected tensors on one device, got CPU and SIMT; move one with to()");
    CHECK_THROWS_WITH(grad(square(x), {x}, {.dL_dy = ones({3}).to(Device::simt)}),
                      "[grad] expected tensors on one device, got CPU and SIMT; move one with to()");
}

TEST_CASE("moving a leaf between forward and backward makes backward throw", "[autograd][simt]") {
    if (!is_available(Device::simt)) return;
    const auto saved =
        "[backward] a tensor of shape (2) that the gradient needs was changed in place, or moved to another "
        "device, after the forward pass";
    for (const bool and_back : {false, true}) {  // other memory on the same device counts too
        Tensor weight = leaf({1, 2});
        const Tensor y = sum(square(weight));
        weight.to_(Device::simt);
        if (and_back) weight.to_(Device::cpu);
        CHECK_THROWS_WITH(y.backward(), saved);
        CHECK(!weight.grad().defined());
    }
    // the gradient of 3x does not look at x, but must not be left on the CPU beside a leaf on the GPU
    Tensor moved = leaf({1, 2}), stays = leaf({3, 4});
    const Tensor y = sum(moved * 3.0 + stays);
    moved.to_(Device::simt);
    CHECK_THROWS_WITH(
        y.backward({.retain_graph = true}),
        "[backward] a leaf (2) was moved to SIMT after the forward pass, its gradient is on CPU; "
        "move it before");
    CHECK((!moved.grad().defined() && !stays.grad().defined()));
    moved.to_(Device::cpu);
    y.backward();
    CHECK(moved.grad().to_vector() == std::vector<float>{3, 3});
    CHECK(stays.grad().to_vector() == std::vector<float>{1, 1});
    moved.to_(Device::simt);  // with its gradient
    CHECK(moved.grad().device() == Device::simt);
}

}  // namespace lily
