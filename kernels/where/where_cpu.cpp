// SPDX-License-Identifier: MIT
#include "kernels/where/where.h"

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// Elements [first, last) of a row; the steps are constants where they are 0 or 1.
template <class C, class T, class CStep, class AStep, class BStep>
void row(int64_t first, int64_t last, CStep c_step, AStep a_step, BStep b_step, const C* c, const T* a,
         const T* b, T* __restrict y) {
    for (int64_t i = first; i < last; ++i) {
        const T from_a = a[i * a_step], from_b = b[i * b_step];  // both, so that there is no branch
        y[i] = c[i * c_step] != 0 ? from_a : from_b;
    }
}

template <class C, class T>
void run(Queue&, const WhereShape& s, const C* c, const T* a, const T* b, T* y) {
    const int inner = s.rank - 1;
    const bool scalar = s.rank == 0;
    const int64_t n = scalar ? 1 : s.size[inner], c_step = scalar ? 0 : s.c_stride[inner],
                  a_step = scalar ? 0 : s.a_stride[inner], b_step = scalar ? 0 : s.b_stride[inner];
    const int64_t pieces = ceil_div(n, kGrain);  // of a row
    const auto run_rows = [&](auto cs, auto as, auto bs) {
        parallel_for(product(inner, s.size) * pieces, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, n)),
                     [=, &s](int64_t begin, int64_t end) {
                         for (int64_t piece = begin; piece < end; ++piece) {
                             const int64_t at = piece / pieces, first = piece % pieces * kGrain;
                             row(first, std::min(n, first + kGrain), cs, as, bs,
                                 c + offset_of(at, inner, s.size, s.c_stride),
                                 a + offset_of(at, inner, s.size, s.a_stride),
                                 b + offset_of(at, inner, s.size, s.b_stride), y + at * n);
                         }
                     });
    };
    const std::integral_constant<int64_t, 1> one;
    const std::integral_constant<int64_t, 0> zero;
    if (c_step == 1 && a_step == 1 && b_step == 1) return run_rows(one, one, one);
    if (c_step == 1 && a_step == 1 && b_step == 0) return run_rows(one, one, zero);
    if (c_step == 1 && a_step == 0 && b_step == 1) return run_rows(one, zero, one);
    run_rows(c_step, a_step, b_step);
}

}  // namespace

template <class T>
const WhereKernels<T>& where(Device device) {
    static const WhereKernels<T> cpu{run<uint8_t, T>, run<T, T>};
    return choose(
        "where", device, cpu, [](auto gpu) -> const auto& { return where_on(gpu); });
}
template const WhereKernels<float>& where(Device);
template const WhereKernels<double>& where(Device);

}  // namespace lily::kernels
