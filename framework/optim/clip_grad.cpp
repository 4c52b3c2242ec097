// SPDX-License-Identifier: MIT
#include "framework/optim/clip_grad.h"

#include <cmath>

#include "framework/autograd.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/pointwise.h"
#include "framework/optim/flat_vector.h"

namespace lily::optim {
namespace {

// New tensors, because a gradient's memory may be shared with other gradients; all before any is replaced.
template <class Function>
void replace_gradients(const std::vector<Tensor>& parameters, const Function& function) {
    const NoGrad no_grad;
    std::vector<Tensor> replaced;
    for (const Tensor& p : parameters) replaced.push_back(p.grad().defined() ? function(p.grad()) : Tensor{});
    for (size_t i = 0; i < replaced.size(); ++i)
        if (Tensor p = parameters[i]; replaced[i].defined()) p.set_grad(replaced[i]);
}

}  // namespace

double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm) {
    check(max_norm >= 0, "[clip_grad_norm_] expected max_norm >= 0, got {}", max_norm);
    double squares = 0;
    for (const Tensor& p : parameters)
        if (const Tensor g = p.grad(); g.defined()) squares += dot(g, g);
    const double norm = std::sqrt(squares);
    const double scale = max_norm / (norm + 1e-6);
    if (!(scale >= 1)) replace_gradients(parameters, [=](const Tensor& g) { return g * scale; });
    return norm;
}

void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value) {
    check(clip_value >= 0, "[clip_grad_value_] expected clip_value >= 0, got {}", clip_value);
    replace_gradients(parameters, [=](const Tensor& g) { return clamp(g, -clip_value, clip_value); });
}

}  // namespace lily::optim
