// SPDX-License-Identifier: MIT
#include "framework/optim/clip_grad.h"

#include <cmath>
#include <map>
#include <utility>

#include "framework/autograd.h"
#include "framework/ops/pointwise.h"
#include "kernels/vector/vector.h"

namespace lily::optim {
namespace {

// New tensors, because a gradient's memory may be shared with other gradients; all before any is replaced.
void replace_gradients(const std::vector<Tensor>& parameters, const std::vector<Tensor>& replaced) {
    for (size_t i = 0; i < replaced.size(); ++i)
        if (Tensor p = parameters[i]; replaced[i].defined()) p.set_grad(replaced[i]);
}

// The parameters that have a gradient, those of one device and dtype together.
using Groups = std::map<std::pair<Device, DType>, std::vector<Tensor>>;
Groups with_gradients(const std::vector<Tensor>& parameters) {
    Groups groups;
    for (const Tensor& p : parameters)
        if (const Tensor g = p.grad(); g.defined()) groups[{g.device(), g.dtype()}].push_back(p);
    return groups;
}

double sum_of_squares(const std::vector<Tensor>& parameters) {
    double sum = 0;
    const Tensor first = parameters[0].grad();
    visit_floating("clip_grad_norm_", first.dtype(), [&](auto zero) {
        using T = decltype(zero);
        std::vector<kernels::VectorPair<T>> pairs;
        for (const Tensor& p : parameters) pairs.push_back({p.grad().numel(), p.grad().data<T>(), nullptr});
        sum = kernels::vector<T>(first.device()).squares(first.queue(), pairs);
    });
    return sum;
}

std::vector<Tensor> scaled_gradients(const std::vector<Tensor>& parameters, double scale) {
    std::vector<Tensor> scaled;
    const Tensor first = parameters[0].grad();
    visit_floating("clip_grad_norm_", first.dtype(), [&](auto zero) {
        using T = decltype(zero);
        std::vector<kernels::VectorPair<T>> pairs;
        for (const Tensor& p : parameters) {
            const Tensor g = p.grad();
            scaled.push_back(empty_like(g));
            pairs.push_back({g.numel(), g.data<T>(), scaled.back().mutable_data<T>()});
        }
        kernels::vector<T>(first.device()).scale(first.queue(), scale, pairs);
    });
    return scaled;
}

}  // namespace

double clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm) {
    check(max_norm >= 0, "[clip_grad_norm_] expected max_norm >= 0, got {}", max_norm);
    const NoGrad no_grad;
    const Groups groups = with_gradients(parameters);
    double squares = 0;
    for (const auto& [kind, group] : groups) squares += sum_of_squares(group);
    const double norm = std::sqrt(squares);
    const double scale = max_norm / (norm + 1e-6);
    if (scale >= 1) return norm;
    std::vector<Tensor> owners, scaled;
    for (const auto& [kind, group] : groups) {
        const std::vector<Tensor> part = scaled_gradients(group, scale);
        owners.insert(owners.end(), group.begin(), group.end());
        scaled.insert(scaled.end(), part.begin(), part.end());
    }
    replace_gradients(owners, scaled);
    return norm;
}

void clip_grad_value_(const std::vector<Tensor>& parameters, double clip_value) {
    check(clip_value >= 0, "[clip_grad_value_] expected clip_value >= 0, got {}", clip_value);
    const NoGrad no_grad;
    std::vector<Tensor> clipped;
    for (const Tensor& p : parameters)
        clipped.push_back(p.grad().defined() ? clamp(p.grad(), -clip_value, clip_value) : Tensor{});
    replace_gradients(parameters, clipped);
}

}  // namespace lily::optim
