// SPDX-License-Identifier: MIT
// A step that throws has changed neither parameters nor state.
#include "framework/optim/adam.h"
#include "framework/optim/lbfgs.h"
#include "framework/optim/sgd.h"
#include "tests/framework/optim/optim_test.h"

namespace lily::optim {
namespace {

using Values = std::map<std::string, std::vector<double>>;

Values everything(const Optimizer& optimizer) {
    Values all;
    for (const auto& [name, tensor] : optimizer.state_dict()) all[name] = tensor.to_vector<double>();
    for (size_t i = 0; i < optimizer.parameters().size(); ++i)
        all[fmt::format("parameter {}", i)] = optimizer.parameters()[i].to_vector<double>();
    return all;
}

}  // namespace

TEST_CASE("Adam and SGD check every parameter before they change one", "[optim][simt]") {
    if (!is_available(Device::simt)) return;
    for (const MakeOptimizer& make :
         {maker<Adam>(AdamOptions{.lr = 0.1}), maker<AdamW>(AdamWOptions{.lr = 0.1}),
          maker<SGD>(SGDOptions{.lr = 0.1, .momentum = 0.9})}) {
        Tensor a = parameter({1, 2}, {2}, DType::f32), b = parameter({3}, {1}, DType::f32);
        const std::unique_ptr<Optimizer> optimizer = make({a, b});
        const auto set_gradients = [&] {
            a.set_grad(full({2}, 0.5));
            b.set_grad(full({1}, -1));
        };
        set_gradients();
        optimizer->step();
        const Values before = everything(*optimizer);
        b.to_(Device::simt);  // its state stays behind
        CHECK_THROWS(optimizer->step());
        CHECK(everything(*optimizer) == before);
        b.to_(Device::cpu);
        optimizer->step();
        const Values after = everything(*optimizer);

        Tensor c = parameter({1, 2}, {2}, DType::f32), d = parameter({3}, {1}, DType::f32);
        const std::unique_ptr<Optimizer> undisturbed = make({c, d});
        for (int i = 0; i < 2; ++i) {
            c.set_grad(full({2}, 0.5));
            d.set_grad(full({1}, -1));
            undisturbed->step();
        }
        CHECK(everything(*undisturbed) == after);
    }
}

TEST_CASE("L-BFGS takes a step back whose closure throws", "[optim][lbfgs]") {
    for (const int failing : {1, 2, 4}) {
        Tensor x = parameter({-1.2, 1}, {2});
        LBFGS lbfgs({x}, {.max_iter = 3});
        int calls = 0, throw_at = 0;
        const auto closure = [&] {
            if (++calls == throw_at) throw std::runtime_error("the loss cannot be computed");
            lbfgs.zero_grad();
            const Tensor loss = sum(square(x) * square(x) + x);
            loss.backward();
            return loss.item<double>();
        };
        lbfgs.step(closure);
        const Values before = everything(lbfgs);
        throw_at = calls + failing;
        CHECK_THROWS_WITH(lbfgs.step(closure), "the loss cannot be computed");
        CHECK(everything(lbfgs) == before);
    }
}

}  // namespace lily::optim
