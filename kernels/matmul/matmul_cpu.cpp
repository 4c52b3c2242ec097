// SPDX-License-Identifier: MIT
#include "kernels/matmul/matmul.h"

#include <omp.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <string>

#include "kernels/common/error.h"
#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// oneDNN asks OpenMP how many threads to use.
class OneThread {
  public:
    OneThread() : before_(omp_get_max_threads()) { omp_set_num_threads(1); }
    ~OneThread() { omp_set_num_threads(before_); }
    OneThread(const OneThread&) = delete;
    OneThread& operator=(const OneThread&) = delete;

  private:
    int before_;
};

// C (m,n) = op(A) op(B) + beta C. oneDNN splits sums by the number of threads it may use; called with one
// thread, from tiles of our own choice, its bits do not depend on the number of cores.
void sgemm_one_thread(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, const float* a,
                      int64_t lda, const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
    if (k == 0) {  // an empty sum
        for (int64_t i = 0; i < m; ++i)
            for (int64_t j = 0; j < n; ++j) c[i * ldc + j] = beta == 0 ? 0 : beta * c[i * ldc + j];
        return;
    }
    const OneThread one_thread;
    const dnnl_status_t status = dnnl_sgemm(transpose_a ? 'T' : 'N', transpose_b ? 'T' : 'N', m, n, k, 1.0f,
                                            a, lda, b, ldb, beta, c, ldc);
    if (status != dnnl_success)
        throw Error("[matmul] oneDNN's sgemm failed with status " + std::to_string(status));
}

// Edge of the square tiles of C that threads work on: large ones pack their operands less often, but there
// should be 16 tiles to share out. Depends on the sizes only.
int64_t tile_edge(const MatmulShape& s) {
    constexpr double kTooSmallToSplit = 1e5;  // multiplications
    const int64_t whole = std::max(s.m, s.n);
    if (double(s.m) * double(s.n) * double(s.k) < kTooSmallToSplit) return whole;
    for (const int64_t edge : {512, 256, 128})
        if (s.batch * ((s.m + edge - 1) / edge) * ((s.n + edge - 1) / edge) >= 16) return edge;
    return 128;
}

void product_f32(Queue&, const MatmulShape& s, const float* a, const float* b, float beta, float* c) {
    if (s.batch == 0 || s.m == 0 || s.n == 0) return;
    const int64_t edge = tile_edge(s), rows = (s.m + edge - 1) / edge, columns = (s.n + edge - 1) / edge;
    const double work =
        double(s.m) * double(s.n) * double(std::max<int64_t>(1, s.k)) / double(rows * columns);
    const auto grain = std::max<int64_t>(1, static_cast<int64_t>(1e5 / work));  // tiles per piece
    parallel_for(s.batch * rows * columns, grain, [&](int64_t begin, int64_t end) {
        for (int64_t tile = begin; tile < end; ++tile) {
            const int64_t at = tile / (rows * columns);
            const int64_t i = tile / columns % rows * edge, j = tile % columns * edge;
            sgemm_one_thread(s.transpose_a, s.transpose_b, std::min(edge, s.m - i), std::min(edge, s.n - j),
                             s.k, a + at * s.a_stride + (s.transpose_a ? i : i * s.lda), s.lda,
                             b + at * s.b_stride + (s.transpose_b ? j * s.ldb : j), s.ldb, beta,
                             c + at * s.c_stride + i * s.ldc + j, s.ldc);
        }
    });
}

void product_f64(Queue&, const MatmulShape& s, const double* a, const double* b, double beta, double* c) {
    const int64_t a_row = s.transpose_a ? 1 : s.lda, a_column = s.transpose_a ? s.lda : 1;
    const int64_t b_row = s.transpose_b ? 1 : s.ldb, b_column = s.transpose_b ? s.ldb : 1;
    const int64_t grain = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.n * s.k));
    parallel_for(s.batch * s.m, grain, [&](int64_t begin, int64_t end) {
        for (int64_t row = begin; row < end; ++row) {
            const double* ai = a + row / s.m * s.a_stride + row % s.m * a_row;
            const double* bi = b + row / s.m * s.b_stride;
            double* ci = c + row / s.m * s.c_stride + row % s.m * s.ldc;
            for (int64_t j = 0; j < s.n; ++j) ci[j] = beta == 0 ? 0 : beta * ci[j];
            for (int64_t k = 0; k < s.k; ++k)
                for (int64_t j = 0; j < s.n; ++j) ci[j] += ai[k * a_column] * bi[k * b_row + j * b_column];
        }
    });
}

}  // namespace

template <class T>
const MatmulKernels<T>& matmul(Device device) {
    static const MatmulKernels<T> cpu = [] {
        if constexpr (std::is_same_v<T, float>)
            return MatmulKernels<float>{product_f32};
        else
            return MatmulKernels<double>{product_f64};
    }();
    return choose(
        "matmul", device, cpu, [](auto gpu) -> const auto& { return matmul_on(gpu); });
}
template const MatmulKernels<float>& matmul(Device);
template const MatmulKernels<double>& matmul(Device);

}  // namespace lily::kernels
