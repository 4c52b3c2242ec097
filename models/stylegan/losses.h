// SPDX-License-Identifier: MIT
// What the two networks of StyleGAN minimise, as functions of D's logits: r of real pictures, f of generated
// ones; and the penalties on D's gradient by its pictures.
//
//                   D                                             G
//   non-saturating  mean softplus(f) + mean softplus(-r)          mean softplus(-f)
//                     + γ/2 mean Σ (∂r/∂x)²                       (R1: Mescheder et al. 2018)
//   wgan-gp         mean f - mean r + 10 mean (|∇D| - 1)²         -mean f
//                     + 0.001 mean r²                             (Gulrajani et al. 2017; Karras et al. 2018)
//   r3              mean softplus(f - r)                          mean softplus(r - f)
//                     + γ/2 (R1 + R2)                             (Huang et al. 2024; R2: R1 of generated
//                     ones)
#pragma once

#include "framework/tensor.h"

namespace lily::models {

enum class StyleGanLoss { nonsaturating, wgan_gp, r3 };

Tensor stylegan_d_loss(StyleGanLoss loss, const Tensor& real, const Tensor& fake);
// `real`: for r3 only, else undefined.
Tensor stylegan_g_loss(StyleGanLoss loss, const Tensor& real, const Tensor& fake);

// mean over the pictures of Σ (∂logit/∂pixel)²; pictures is a leaf that the logits (N) were computed from.
// Differentiable by D's parameters.
Tensor gradient_square(const Tensor& logits, const Tensor& pictures);

}  // namespace lily::models
