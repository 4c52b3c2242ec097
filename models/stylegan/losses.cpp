// SPDX-License-Identifier: MIT
#include "models/stylegan/losses.h"

#include "framework/autograd.h"
#include "framework/ops.h"

namespace lily::models {
namespace {

constexpr double kDrift = 1e-3;  // keeps wgan-gp's logits near 0

}  // namespace

Tensor stylegan_d_loss(StyleGanLoss loss, const Tensor& real, const Tensor& fake) {
    switch (loss) {
        case StyleGanLoss::nonsaturating:
            return mean(softplus(fake)) + mean(softplus(-real));
        case StyleGanLoss::wgan_gp:
            return mean(fake) - mean(real) + mean(real * real) * kDrift;
        case StyleGanLoss::r3:
            return mean(softplus(fake - real));
    }
    fail("[stylegan] unknown loss");
}

Tensor stylegan_g_loss(StyleGanLoss loss, const Tensor& real, const Tensor& fake) {
    switch (loss) {
        case StyleGanLoss::nonsaturating:
            return mean(softplus(-fake));
        case StyleGanLoss::wgan_gp:
            return -mean(fake);
        case StyleGanLoss::r3:
            return mean(softplus(real - fake));
    }
    fail("[stylegan] unknown loss");
}

Tensor gradient_square(const Tensor& logits, const Tensor& pictures) {
    const Tensor dx = grad(sum(logits), {pictures}, {.retain_graph = true, .create_graph = true})[0];
    return sum(dx * dx) * (1.0 / static_cast<double>(pictures.size(0)));
}

}  // namespace lily::models
