// SPDX-License-Identifier: MIT
#include "kernels/matmul/matmul.h"

#include <algorithm>
#include <type_traits>

#include "kernels/common/parallel.h"
#include "kernels/matmul/matmul_fast.h"

namespace lily::kernels {
namespace {

template <class T>
void product(Queue& queue, const MatmulShape& s, const T* a, const T* b, T beta, T* c) {
    if constexpr (std::is_same_v<T, float>)
        if (has_wide_vectors()) return fast_matmul::product(queue, s, a, b, beta, c);
    const int64_t a_row = s.transpose_a ? 1 : s.lda, a_column = s.transpose_a ? s.lda : 1;
    const int64_t b_row = s.transpose_b ? 1 : s.ldb, b_column = s.transpose_b ? s.ldb : 1;
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.n * s.k));
    parallel_for(s.batch * s.m, grain, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const T* ai = a + row / s.m * s.a_stride + row % s.m * a_row;
            const T* bi = b + row / s.m * s.b_stride;
            T* ci = c + row / s.m * s.c_stride + row % s.m * s.ldc;
            for (int64_t j = 0; j < s.n; ++j) ci[j] = beta == 0 ? 0 : beta * ci[j];
            for (int64_t k = 0; k < s.k; ++k)
                for (int64_t j = 0; j < s.n; ++j) ci[j] += ai[k * a_column] * bi[k * b_row + j * b_column];
        }
    });
}

}  // namespace

template <class T>
const MatmulKernels<T>& matmul(Device device) {
    static const MatmulKernels<T> cpu{product<T>};
    return choose(
        "matmul", device, cpu, [](auto gpu) -> const auto& { return matmul_on(gpu); });
}
template const MatmulKernels<float>& matmul(Device);
template const MatmulKernels<double>& matmul(Device);

}  // namespace lily::kernels
