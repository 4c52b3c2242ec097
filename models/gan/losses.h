// SPDX-License-Identifier: MIT
// What the two players minimise, as functions of D's logits: r of real pictures, f of generated ones.
//
//                  D                                          G
//   nonsaturating  -mean ln σ(r) - mean ln(1 - σ(f))          -mean ln σ(f)
//   minimax        the same                                   mean ln(1 - σ(f))
//   lsgan          ½ mean (r - 1)² + ½ mean f²                ½ mean (f - 1)²
//   wgan-gp        mean f - mean r + λ mean (|∇D| - 1)²       -mean f
//   hinge          mean max(0, 1 - r) + mean max(0, 1 + f)    -mean f
#pragma once

#include <functional>

#include "framework/tensor.h"

namespace lily::models {

enum class GanLoss { nonsaturating, minimax, lsgan, wgan_gp, hinge };

// Are logits of this loss log-odds, so that σ(logit) is D's belief?
constexpr bool has_beliefs(GanLoss loss) {
    return loss == GanLoss::nonsaturating || loss == GanLoss::minimax;
}

// `smoothing`: real pictures are to be believed with 1 - smoothing only; for losses with beliefs.
Tensor discriminator_loss(GanLoss loss, const Tensor& real, const Tensor& fake, double smoothing = 0);
Tensor generator_loss(GanLoss loss, const Tensor& fake);

// mean (|∇D(x)| - 1)² at x = mix · real + (1 - mix) · fake, mix (N,1) in [0,1] (Gulrajani et al. 2017).
// Differentiable by D's parameters: a gradient of a gradient.
using Critic = std::function<Tensor(const Tensor& pictures)>;
Tensor gradient_penalty(const Critic& critic, const Tensor& real, const Tensor& fake, const Tensor& mix);

}  // namespace lily::models
