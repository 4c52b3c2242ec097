// SPDX-License-Identifier: MIT
// What the tests of framework/optim share: PyTorch's trajectories, a toy problem, resuming.
#pragma once

#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "framework/autograd.h"
#include "framework/io/tensors.h"
#include "framework/ops.h"
#include "framework/optim/optimizer.h"
#include "tests/framework/io/io_test.h"

namespace lily::optim {

using MakeOptimizer = std::function<std::unique_ptr<Optimizer>(const std::vector<Tensor>&)>;

template <class Kind, class Options>
MakeOptimizer maker(Options options) {
    return [options](const std::vector<Tensor>& parameters) {
        return std::make_unique<Kind>(parameters, options);
    };
}

inline const StateDict& golden() {
    static const StateDict tensors =
        io::load_tensors(LILY_SOURCE_DIR "/tests/golden/ops.safetensors").tensors;
    return tensors;
}

inline Tensor parameter(const std::vector<double>& values, const Shape& shape, DType dtype = DType::f64) {
    return from_vector(values, shape).to(dtype).set_requires_grad();
}

// Σ c (x − t)²/2 + (x − t)⁴/4 over a vector p and a matrix m, as make_ops.py has it.
class Toy {
  public:
    explicit Toy(DType dtype) {
        for (const char* key : {"p", "m"}) {
            const auto at = [&](const std::string& name) {
                return golden().at("optim.toy/" + name).to(dtype);
            };
            parameters.push_back(at(key).clone().set_requires_grad());
            c_.push_back(at(key + std::string("_c")));
            t_.push_back(at(key + std::string("_t")));
        }
    }

    double backward() {
        Tensor loss = scalar(0, {.dtype = parameters[0].dtype()});
        for (size_t i = 0; i < parameters.size(); ++i) {
            const Tensor d = square(parameters[i] - t_[i]);
            loss = loss + (c_[i] * d * 0.5 + square(d) * 0.25).sum();
        }
        loss.backward();
        return loss.item<double>();
    }

    double step(Optimizer& optimizer) {
        return optimizer.step([&] {
            optimizer.zero_grad();
            return backward();
        });
    }

    std::vector<Tensor> parameters;

  private:
    std::vector<Tensor> c_, t_;
};

// The largest difference between row `step` of a golden trajectory (steps, shape...) and x; NaN counts as
// inf.
inline double distance(const Tensor& trajectory, int64_t step, const Tensor& x) {
    const std::vector<double> want = trajectory.to_vector<double>(), got = x.to_vector<double>();
    double worst = 0;
    for (size_t i = 0; i < got.size(); ++i) {
        const double d = std::fabs(got[i] - want[static_cast<size_t>(step) * got.size() + i]);
        worst = d <= worst ? worst : (d == d ? d : INFINITY);
    }
    return worst;
}

// The largest distance from PyTorch's trajectory "optim.NAME" over all its steps.
inline double distance_from_golden(const std::string& name, DType dtype, const MakeOptimizer& make) {
    Toy toy(dtype);
    const auto optimizer = make(toy.parameters);
    const Tensor p = golden().at("optim." + name + "/p"), m = golden().at("optim." + name + "/m");
    REQUIRE(p.size(0) == 21);
    double worst = std::max(distance(p, 0, toy.parameters[0]), distance(m, 0, toy.parameters[1]));
    for (int64_t step = 1; step < p.size(0); ++step) {
        toy.step(*optimizer);
        worst = std::max({worst, distance(p, step, toy.parameters[0]), distance(m, step, toy.parameters[1])});
    }
    REQUIRE(distance(p, 0, toy.parameters[0]) > 0.1);  // it did move
    return worst;
}

// Three steps, everything through a file into a fresh optimiser, four more: the same bits as seven in a row.
inline bool resumes_bit_exactly(DType dtype, const MakeOptimizer& make) {
    Toy whole(dtype), first(dtype), second(dtype);
    const auto uninterrupted = make(whole.parameters), before = make(first.parameters);
    for (int i = 0; i < 7; ++i) whole.step(*uninterrupted);
    for (int i = 0; i < 3; ++i) first.step(*before);

    const io::ScratchFolder dir;
    io::save_tensors(dir / "state", before->state_dict());
    for (size_t i = 0; i < 2; ++i) second.parameters[i].copy_(first.parameters[i]);
    const auto after = make(second.parameters);
    after->load_state_dict(io::load_tensors(dir / "state").tensors);
    for (int i = 0; i < 4; ++i) second.step(*after);
    for (size_t i = 0; i < 2; ++i)
        if (second.parameters[i].to_vector<double>() != whole.parameters[i].to_vector<double>()) return false;
    return second.parameters[0].to_vector<double>() != first.parameters[0].to_vector<double>();
}

}  // namespace lily::optim
