// SPDX-License-Identifier: MIT
#include "kernels/compare/compare.h"

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

void run(Queue&, Comparison op, const BroadcastShape& shape, const int64_t* a, const int64_t* b, uint8_t* z) {
    const int inner = shape.rank - 1;
    const bool scalar = shape.rank == 0;
    const int64_t n = scalar ? 1 : shape.size[inner], a_step = scalar ? 0 : shape.a_stride[inner],
                  b_step = scalar ? 0 : shape.b_stride[inner];
    const int64_t pieces = ceil_div(n, kGrain);  // of a row
    parallel_for(product(inner, shape.size) * pieces, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, n)),
                 [=, &shape](int64_t begin, int64_t end) {
                     for (int64_t piece = begin; piece < end; ++piece) {
                         const int64_t row = piece / pieces, first = piece % pieces * kGrain,
                                       last = std::min(n, first + kGrain);
                         const int64_t* from_a = a + offset_of(row, inner, shape.size, shape.a_stride);
                         const int64_t* from_b = b + offset_of(row, inner, shape.size, shape.b_stride);
                         for (int64_t i = first; i < last; ++i)
                             z[row * n + i] = holds(op, from_a[i * a_step], from_b[i * b_step]);
                     }
                 });
}

}  // namespace

const CompareKernels& compare(Device device) {
    static const CompareKernels cpu{run};
    return choose(
        "compare", device, cpu, [](auto gpu) -> const auto& { return compare_on(gpu); });
}

}  // namespace lily::kernels
