// SPDX-License-Identifier: MIT
#include "framework/grad_bucket.h"

#include <cstring>

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/nn/layers.h"
#include "framework/nn/sequential.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/optim/clip_grad.h"
#include "framework/optim/ema.h"
#include "framework/optim/sgd.h"
#include "tests/catch.h"

namespace lily {
namespace {

using Floats = std::vector<float>;

Tensor leaf(const Floats& values, const Shape& shape, Device device = Device::cpu) {
    return from_vector(values, shape).to(device).set_requires_grad();
}

std::vector<Device> cpu_and_simt() {
    if (is_available(Device::simt)) return {Device::cpu, Device::simt};
    return {Device::cpu};
}

// Poisons fresh memory.
class Poison {
  public:
    Poison() { allocator(Device::cpu).poison(true); }
    ~Poison() { allocator(Device::cpu).poison(false); }
};

}  // namespace

TEST_CASE("a storage's piece has its memory and its version", "[grad_bucket]") {
    const Tensor flat = from_vector<float>({0, 1, 2, 3, 4, 5, 6, 7}, {8});
    Tensor piece = flat_piece(flat, 2, {2, 2});
    CHECK(piece.to_vector() == Floats{2, 3, 4, 5});
    CHECK(!piece.is_only_owner());
    const uint64_t before = flat.storage()->version();
    piece.fill_(9);
    CHECK(flat.to_vector() == Floats{0, 1, 9, 9, 9, 9, 6, 7});
    CHECK(flat.storage()->version() != before);
    CHECK(flat.storage()->version() == piece.storage()->version());
    // a piece outlives the handle of the whole
    Tensor last = flat_piece(from_vector<float>({1, 2, 3}, {3}), 2, {});
    CHECK(last.item() == 3);
    CHECK_THROWS_WITH(flat_piece(flat, 6, {3}), "[flat_piece] a tensor (3) at element 6 does not fit into 8");
    CHECK_THROWS_WITH(flat_piece(flat, -1, {3}),
                      "[flat_piece] a tensor (3) at element -1 does not fit into 8");
    CHECK_THROWS_WITH(flat_piece(piece, 0, {3}), "[flat_piece] expected a vector, got (2,2)");
}

TEST_CASE("gradients lie in the caller's flat vector", "[grad_bucket][simt]") {
    const Poison poison;
    for (const Device device : cpu_and_simt()) {
        INFO(name(device));
        Tensor a = leaf({1, 2, 3}, {3}, device), b = leaf({4, 5, 6, 7}, {2, 2}, device),
               c = leaf({8}, {}, device);
        CHECK(GradBucket::size({a, b, c}) == 48);  // three times 64 bytes
        Tensor flat = full({50}, 77, {.device = device});
        const auto loss = [&] { return sum(a * 2.0) + sum(square(b)); };
        {
            GradBucket bucket({a, b, c}, flat);
            CHECK(!a.grad().defined());
            loss().backward();
            Floats wanted(50, 0);
            for (size_t i = 0; i < 3; ++i) wanted[i] = 2;
            for (size_t i = 0; i < 4; ++i) wanted[16 + i] = static_cast<float>(2 * (4 + i));
            CHECK(bucket.flat().to_vector() == wanted);
            CHECK(bucket.flat().storage() == flat.storage());
            CHECK(!c.grad().defined());  // not reached

            loss().backward();  // adds
            CHECK(a.grad().to_vector() == Floats{4, 4, 4});
            CHECK(b.grad().to_vector() == Floats{16, 20, 24, 28});
            flat.fill_(0.5);  // what an all-reduce does
            CHECK(b.grad().to_vector() == Floats{0.5f, 0.5f, 0.5f, 0.5f});
            bucket.set_grads();
            CHECK(c.grad().item() == 0.5f);
            flat.fill_(0);
            for (const Tensor& t : {a, b, c}) t.grad().fill_(0.5);

            for (Tensor t : {a, b, c}) t.set_grad({});  // zero_grad
            CHECK(!a.grad().defined());
            sum(square(b)).backward();  // writes, and does not add to what lies there
            for (size_t i = 0; i < 3; ++i) wanted[i] = 0;
            CHECK(bucket.flat().to_vector() == wanted);
            CHECK(!a.grad().defined());

            a.set_grad(from_vector<float>({7, 8, 9}, {3}).to(device));  // copies
            CHECK(flat_piece(flat, 0, {3}).to_vector() == Floats{7, 8, 9});
            a.set_grad(a.grad());
            CHECK(a.grad().to_vector() == Floats{7, 8, 9});
        }
        flat.fill_(3);
        CHECK(a.grad().to_vector() == Floats{3, 3, 3});  // stays where it is
        Tensor(a).set_grad({});
        sum(a).backward();  // and the next is the leaf's own again
        flat.fill_(4);
        CHECK(a.grad().to_vector() == Floats{1, 1, 1});
    }
}

TEST_CASE("a bucket takes gradients that are there, and makes its vector itself", "[grad_bucket]") {
    const Tensor a = leaf({1, 2}, {2}), b = leaf({1}, {1});
    sum(a * 3.0).backward();
    GradBucket bucket({a, b});
    CHECK(bucket.flat().numel() == 32);
    CHECK(flat_piece(bucket.flat(), 0, {2}).to_vector() == Floats{3, 3});
    sum(a).backward();
    CHECK(flat_piece(bucket.flat(), 0, {2}).to_vector() == Floats{4, 4});

    GradBucket moved = std::move(bucket);
    sum(a).backward();
    CHECK(flat_piece(moved.flat(), 0, {2}).to_vector() == Floats{5, 5});

    // f64, in pieces of 8, and a leaf in blocked memory: its piece has its format, so that optimisers need
    // not convert
    const Tensor maps =
        ones({1, 8, 1, 2}, {.dtype = DType::f64}).to(MemoryFormat::blocked8).set_requires_grad();
    GradBucket wide({ones({9}, {.dtype = DType::f64}).set_requires_grad(), maps});
    CHECK(wide.flat().numel() == 32);
    sum(maps * arange(16, {.dtype = DType::f64}).reshape({1, 8, 1, 2})).backward();
    CHECK(maps.grad().format() == MemoryFormat::blocked8);
    CHECK(maps.grad().to_vector<double>()[3] == 3);
    CHECK(wide.flat().to_vector<double>()[16 + 1] == 2);  // channel 1, position 0
}

TEST_CASE("a bucket refuses leaves and vectors by name", "[grad_bucket][simt]") {
    const Tensor a = leaf({1, 2}, {2}), b = leaf({1}, {1});
    CHECK_THROWS_WITH(GradBucket({}), "[GradBucket] expected at least one leaf");
    CHECK_THROWS_WITH(GradBucket({a, Tensor{}}), "[GradBucket] leaf 1 is undefined");
    CHECK_THROWS_WITH(GradBucket({a, a}), "[GradBucket] leaves 0 and 1 are the same");
    CHECK_THROWS_WITH(GradBucket({a, square(b)}),
                      "[GradBucket] tensor 1 of shape (1) is no leaf that requires a gradient");
    CHECK_THROWS_WITH(GradBucket({ones({3})}),
                      "[GradBucket] tensor 0 of shape (3) is no leaf that requires a gradient");
    CHECK_THROWS_WITH(GradBucket({a, b.detach().to(DType::f64).set_requires_grad()}),
                      "[GradBucket] expected leaves of one dtype, got f32 and f64");
    CHECK_THROWS_WITH(GradBucket({a, b}, zeros({31})),
                      "[GradBucket] expected a vector of at least 32 elements, got (31)");
    CHECK_THROWS_WITH(GradBucket({a}, zeros({4, 8})),
                      "[GradBucket] expected a vector of at least 16 elements, got (4,8)");
    CHECK_THROWS_WITH(GradBucket({a}, zeros({32}, {.dtype = DType::f64})),
                      "[GradBucket] the leaves are f32, the flat vector f64");
    CHECK_THROWS_WITH(GradBucket({a}, zeros({32}).set_requires_grad()),
                      "[GradBucket] the flat vector requires a gradient; use detach()");
    {
        const GradBucket bucket({a});
        CHECK_THROWS_WITH(GradBucket({b, a}), "[GradBucket] leaf 1 of shape (2) is in a bucket already");
        CHECK_THROWS_WITH(sum(square(a)).backward({.create_graph = true}),
                          "[backward] the gradient of a leaf (2) lives in a GradBucket and cannot be "
                          "differentiated; use grad(), or backward without create_graph");
        CHECK(!a.grad().defined());
        CHECK(grad(sum(grad(sum(a * a * a), {a}, {.create_graph = true})[0]), {a})[0].to_vector() ==
              Floats{6, 12});
        CHECK(!a.grad().defined());  // grad() has nothing to do with it
        if (is_available(Device::simt)) {
            CHECK_THROWS_WITH(
                Tensor(a).to_(Device::simt),
                "[to_] the gradient of a tensor (2) lives in a GradBucket on CPU; move the tensor first");
            CHECK_THROWS_WITH(
                GradBucket({b}, zeros({16}).to(Device::simt)),
                "[GradBucket] expected tensors on one device, got CPU and SIMT; move one with to()");
        }
        CHECK(Tensor(a).to_(Device::cpu).device() == Device::cpu);
    }
    GradBucket({a, b}).flat();  // free again: those that threw left nothing behind
}

namespace {

// A perceptron of three sizes trained for some steps by `make_optimizer`'s product; all parameters and
// averages.
std::vector<Floats> trained(Device device, bool buckets,
                            const std::function<std::unique_ptr<optim::Optimizer>(const nn::Module&)>& make) {
    const auto build = [&] {
        Generator random(3);
        auto model = std::make_unique<nn::Sequential>();
        model->add<nn::Linear>(5, 33, random);
        model->add<nn::Linear>(33, 2, random);
        model->to(device);
        return model;
    };
    const auto model = build(), average = build();
    optim::Ema ema(*average, *model, optim::constant_decay(0.5));
    const auto optimizer = make(*model);
    std::vector<GradBucket> kept;
    if (buckets) {  // in two, and not in the order of the parameters
        const std::vector<Tensor> p = model->parameters();
        kept.emplace_back(std::vector<Tensor>{p[3], p[0]});
        kept.emplace_back(std::vector<Tensor>{p[2], p[1]});
    }
    for (int step = 0; step < 4; ++step) {
        optimizer->zero_grad();
        const Tensor x = (arange(15, {.dtype = DType::f32}) * (0.1 * (step + 1))).reshape({3, 5}).to(device);
        sum(square(model->forward(x))).backward();
        sum(model->forward(x)).backward();  // adds
        optim::clip_grad_norm_(model->parameters(), 2);
        optim::clip_grad_value_(model->parameters(), 0.5);
        for (GradBucket& bucket : kept)
            for (const Tensor& t : bucket.leaves()) {
                const auto* begin = static_cast<const char*>(bucket.flat().storage()->data());
                const auto* at = static_cast<const char*>(t.grad().storage()->data());
                CHECK((at >= begin && at < begin + bucket.flat().nbytes()));
            }
        optimizer->step();
        ema.update();
    }
    std::vector<Floats> result;
    for (const Tensor& p : model->parameters()) result.push_back(p.to_vector());
    for (const Tensor& p : average->parameters()) result.push_back(p.to_vector());
    return result;
}

}  // namespace

TEST_CASE("training with buckets has the same bits as without", "[grad_bucket][simt]") {
    const auto adam = [](const nn::Module& m) { return std::make_unique<optim::Adam>(m.parameters()); };
    const auto sgd = [](const nn::Module& m) {
        return std::make_unique<optim::SGD>(m.parameters(), optim::SGDOptions{.lr = 0.1, .momentum = 0.9});
    };
    for (const Device device : cpu_and_simt()) {
        INFO(name(device));
        CHECK(trained(device, true, adam) == trained(device, false, adam));
        CHECK(trained(device, true, sgd) == trained(device, false, sgd));
    }
}

TEST_CASE("a captured step writes into its buckets", "[grad_bucket][simt]") {
    if (!is_available(Device::simt)) return;
    Tensor x = leaf({1, 2}, {2}, Device::simt);
    const Tensor flat = zeros({16}, {.device = Device::simt});
    GradBucket bucket({x}, flat);
    auto step = capture(Device::simt, [&] {
        x.set_grad({});
        sum(square(x)).backward();
    });
    for (int i = 0; i < 6; ++i) {
        x.fill_(i);
        step.replay();
        CHECK(flat_piece(flat, 0, {2}).to_vector() == Floats(2, static_cast<float>(2 * i)));
        CHECK(x.grad().storage()->data() == flat.storage()->data());
    }
    CHECK(step.recorded());
}

}  // namespace lily
