// SPDX-License-Identifier: MIT
#include "kernels/upsample_nearest2d/upsample_nearest2d.h"

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// Rows of w positions with their lanes side by side. kLanes and kFactor are those of the call where they are
// known to the compiler, else 0.
template <int kLanes, int kFactor, class T>
void widen(int64_t w, int64_t any_lanes, int64_t any_factor, const T* x, T* __restrict y) {
    const int64_t lanes = kLanes ? kLanes : any_lanes, factor = kFactor ? kFactor : any_factor;
    for (int64_t j = 0; j < w; ++j)
        for (int64_t s = 0; s < factor; ++s)
            for (int64_t l = 0; l < lanes; ++l) y[(j * factor + s) * lanes + l] = x[j * lanes + l];
}

// dx[j] = Σ_r,s dy[r][j·fw + s]; the rows of dy lie one after the other.
template <int kLanes, int kFactor, class T>
void add_up(int64_t w, int64_t any_lanes, UpsampleFactor any, const T* dy, T* __restrict dx) {
    const int64_t lanes = kLanes ? kLanes : any_lanes, fh = kFactor ? kFactor : any[0],
                  fw = kFactor ? kFactor : any[1];
    const int64_t row = w * fw * lanes;
    for (int64_t j = 0; j < w; ++j)
        for (int64_t l = 0; l < lanes; ++l) {
            T sum = 0;
            for (int64_t r = 0; r < fh; ++r)
                for (int64_t s = 0; s < fw; ++s) sum += dy[r * row + (j * fw + s) * lanes + l];
            dx[j * lanes + l] = sum;
        }
}

// body(lanes, factor) with what the compiler may know of them, as integral constants.
template <class Body>
void visit(const Planes& s, UpsampleFactor f, const Body& body) {
    const auto with_factor = [&](auto lanes) {
        if (f == UpsampleFactor{2, 2}) return body(lanes, std::integral_constant<int, 2>{});
        body(lanes, std::integral_constant<int, 0>{});
    };
    if (s.lanes == 1) return with_factor(std::integral_constant<int, 1>{});
    if (s.lanes == 8) return with_factor(std::integral_constant<int, 8>{});
    if (s.lanes == 16) return with_factor(std::integral_constant<int, 16>{});
    with_factor(std::integral_constant<int, 0>{});
}

int64_t rows_per_piece(const Planes& s, UpsampleFactor f) {
    return std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.row() * f[0] * f[1]));
}

template <class T>
void forward(Queue&, const Planes& s, UpsampleFactor f, const T* x, T* y) {
    visit(s, f, [&](auto lanes, auto factor) {
        parallel_for(s.planes * s.h, rows_per_piece(s, f), [=](int64_t begin, int64_t end) {
            const int64_t wide = s.row() * f[1];
            for (int64_t i = begin; i < end; ++i)
                for (int64_t r = 0; r < f[0]; ++r)
                    widen<lanes(), factor()>(s.w, s.lanes, f[1], x + i * s.row(), y + (i * f[0] + r) * wide);
        });
    });
}

template <class T>
void backward(Queue&, const Planes& s, UpsampleFactor f, const T* dy, T* dx) {
    visit(s, f, [&](auto lanes, auto factor) {
        parallel_for(s.planes * s.h, rows_per_piece(s, f), [=](int64_t begin, int64_t end) {
            for (int64_t i = begin; i < end; ++i)
                add_up<lanes(), factor()>(s.w, s.lanes, f, dy + i * f[0] * f[1] * s.row(), dx + i * s.row());
        });
    });
}

}  // namespace

template <class T>
const UpsampleNearest2dKernels<T>& upsample_nearest2d(Device device) {
    static const UpsampleNearest2dKernels<T> cpu{forward<T>, backward<T>};
    return choose(
        "upsample_nearest2d", device, cpu,
        [](auto gpu) -> const auto& { return upsample_nearest2d_on(gpu); });
}
template const UpsampleNearest2dKernels<float>& upsample_nearest2d(Device);
template const UpsampleNearest2dKernels<double>& upsample_nearest2d(Device);

}  // namespace lily::kernels
