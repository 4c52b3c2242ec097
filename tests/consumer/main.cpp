// SPDX-License-Identifier: MIT
// The README's example, as a project of its own builds it against the installed library.
#include "framework/ops.h"
#include "framework/optim/adam.h"
#include "framework/random.h"

int main() {  // find the 3x3 filter that turns x into y
    using namespace lily;
    Generator generator(42);
    const Tensor x = randn({1, 1, 32, 32}, generator), wanted = randn({1, 1, 3, 3}, generator);
    const Tensor y = conv2d(x, wanted, {});
    Tensor w = zeros({1, 1, 3, 3}).set_requires_grad();
    optim::Adam adam({w}, {.lr = 0.05});
    for (int step = 0; step < 300; ++step) {
        adam.zero_grad();
        mse_loss(conv2d(x, w, {}), y).backward();
        adam.step();
    }
    return sum(abs(w - wanted)).item() < 1e-3f ? 0 : 1;
}
