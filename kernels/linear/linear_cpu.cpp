// SPDX-License-Identifier: MIT
#include "kernels/linear/linear.h"

#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/matmul/matmul.h"

namespace lily::kernels {
namespace {

template <class T>
void forward(Queue& queue, const LinearShape& s, const T* x, const T* weight, const T* bias, T* y) {
    if (bias)  // the product then adds to it
        parallel_for(s.rows, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.out)),
                     [=](int64_t begin, int64_t end) {
                         for (int64_t r = begin; r < end; ++r) std::copy(bias, bias + s.out, y + r * s.out);
                     });
    matmul<T>(queue.device())
        .product(queue, matmul_shape(s.rows, s.out, s.in, false, true), x, weight, bias ? T(1) : T(0), y);
    if (!s.relu) return;
    const T slope = static_cast<T>(s.slope);
    parallel_for(s.rows * s.out, kGrain, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) y[i] = y[i] < 0 ? slope * y[i] : y[i];
    });
}

}  // namespace

template <class T>
const LinearKernels<T>& linear(Device device) {
    static const LinearKernels<T> cpu{forward<T>};
    return choose(
        "linear", device, cpu, [](auto gpu) -> const auto& { return linear_on(gpu); });
}
template const LinearKernels<float>& linear(Device);
template const LinearKernels<double>& linear(Device);

}  // namespace lily::kernels
