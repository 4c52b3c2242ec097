// SPDX-License-Identifier: MIT
// A program outside of lily that uses the installed library: y = sum(x * x), dy/dx = 2 x.
#include <cstdio>

#include "framework/ops.h"
#include "framework/tensor.h"

int main() {
    lily::Tensor x = lily::full({2, 3}, 1.5);
    x.set_requires_grad();
    const lily::Tensor y = (x * x).sum();
    y.backward();
    std::printf("y = %g, dy/dx = %g\n", y.item(), x.grad().to_vector()[0]);
    return y.item() == 13.5f && x.grad().to_vector()[0] == 3.0f ? 0 : 1;
}
