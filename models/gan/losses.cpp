// SPDX-License-Identifier: MIT
#include "models/gan/losses.h"

#include "framework/autograd.h"
#include "framework/ops.h"

namespace lily::models {

Tensor discriminator_loss(GanLoss loss, const Tensor& real, const Tensor& fake, double smoothing) {
    switch (loss) {
        case GanLoss::nonsaturating:
        case GanLoss::minimax:
            return binary_cross_entropy_with_logits(real, 1 - smoothing) +
                   binary_cross_entropy_with_logits(fake, 0);
        case GanLoss::lsgan:
            return 0.5 * (mean(square(real - 1)) + mean(square(fake)));
        case GanLoss::wgan_gp:
            return mean(fake) - mean(real);
        case GanLoss::hinge:
            return mean(relu(1 - real)) + mean(relu(1 + fake));
    }
    fail("[discriminator_loss] unknown loss");
}

Tensor generator_loss(GanLoss loss, const Tensor& fake) {
    switch (loss) {
        case GanLoss::nonsaturating:
            return binary_cross_entropy_with_logits(fake, 1);
        case GanLoss::minimax:
            return -binary_cross_entropy_with_logits(fake, 0);
        case GanLoss::lsgan:
            return 0.5 * mean(square(fake - 1));
        case GanLoss::wgan_gp:
        case GanLoss::hinge:
            return -mean(fake);
    }
    fail("[generator_loss] unknown loss");
}

Tensor gradient_penalty(const Critic& critic, const Tensor& real, const Tensor& fake, const Tensor& mix) {
    Tensor x;
    {
        const NoGrad no_grad;
        x = (mix * real + (1 - mix) * fake).set_requires_grad();
    }
    const Tensor slope = grad(sum(critic(x)), {x}, {.create_graph = true})[0];
    const Tensor norm = sqrt(sum(square(slope), {1}) + 1e-12);  // 1e-12: √ has no gradient at 0
    return mean(square(norm - 1));
}

}  // namespace lily::models
