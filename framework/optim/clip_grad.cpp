// SPDX-License-Identifier: MIT
#include "framework/optim/clip_grad.h"

#include <cmath>
#include <map>
#include <utility>

#include "framework/autograd.h"
#include "framework/capture.h"
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

// f(kernels, queue, pairs) for the gradients of parameters of one device and dtype, and for where their new
// values go.
template <class F>
void visit_gradients(const std::vector<Tensor>& parameters, std::vector<Tensor>& to, const F& f) {
    const Tensor first = parameters[0].grad();
    visit_floating("clip_grad_norm_", first.dtype(), [&](auto zero) {
        using T = decltype(zero);
        std::vector<kernels::VectorPair<T>> pairs;
        for (size_t i = 0; i < parameters.size(); ++i) {
            const Tensor g = parameters[i].grad();
            pairs.push_back({g.numel(), g.data<T>(), i < to.size() ? to[i].mutable_data<T>() : nullptr});
        }
        f(kernels::vector<T>(first.device()), first.queue(), pairs);
    });
}

std::vector<Tensor> like_gradients(const std::vector<Tensor>& parameters) {
    std::vector<Tensor> result;
    for (const Tensor& p : parameters) result.push_back(empty_like(p.grad()));
    return result;
}

// The decision is the host's, which changes nothing where nothing is too long.
double clip_on_host(const Groups& groups, double max_norm) {
    double squares = 0;
    for (const auto& [kind, group] : groups) {
        if (kind.first != Device::cpu) refuse_in_capture("clip_grad_norm_", kReadsBack);
        std::vector<Tensor> none;
        visit_gradients(group, none, [&](const auto& kernels, Queue& queue, const auto& pairs) {
            squares += kernels.squares(queue, pairs);
        });
    }
    const double norm = std::sqrt(squares), scale = max_norm / (norm + 1e-6);
    if (scale >= 1) return norm;
    std::vector<Tensor> owners, all_scaled;
    for (const auto& [kind, group] : groups) {
        std::vector<Tensor> scaled = like_gradients(group);
        visit_gradients(group, scaled, [&](const auto& kernels, Queue& queue, const auto& pairs) {
            kernels.scale(queue, scale, pairs);
        });
        owners.insert(owners.end(), group.begin(), group.end());
        all_scaled.insert(all_scaled.end(), scaled.begin(), scaled.end());
    }
    replace_gradients(owners, all_scaled);
    return norm;
}

// The decision is the GPU's, and nobody waits for it.
Tensor clip_on_gpu(const std::vector<Tensor>& parameters, double max_norm) {
    Tensor norm = empty({}, {.dtype = DType::f64, .device = parameters[0].grad().device()});
    std::vector<Tensor> scaled = like_gradients(parameters);
    visit_gradients(parameters, scaled, [&](const auto& kernels, Queue& queue, const auto& pairs) {
        kernels.clip(queue, max_norm, pairs, norm.mutable_data<double>());
    });
    replace_gradients(parameters, scaled);
    return norm;
}

}  // namespace

Tensor clip_grad_norm_(const std::vector<Tensor>& parameters, double max_norm) {
    check(max_norm >= 0, "[clip_grad_norm_] expected max_norm >= 0, got {}", max_norm);
    const NoGrad no_grad;
    const Groups groups = with_gradients(parameters);
    if (groups.size() == 1 && groups.begin()->first.first != Device::cpu)
        return clip_on_gpu(groups.begin()->second, max_norm);
    return scalar(clip_on_host(groups, max_norm), {.dtype = DType::f64});
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
