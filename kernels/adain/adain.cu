// SPDX-License-Identifier: MIT
// One block per plane. What a pass reads more than once, first for the sums and then for the result, is kept
// in shared memory if it fits there, so that memory is read once; a larger plane is read again, mostly from
// the L2 cache.
#include "kernels/adain/adain.h"

#include "kernels/common/block_reduce.h"
#include "kernels/common/packs.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int64_t kKept = 24 << 10;  // floats in shared memory: every GPU since Ampere gives a block 96 KB

// The sum of a block's values; every thread gets it.
template <int kThreads>
__device__ double block_sum(double value) {
    return block_reduce<kThreads>(value, Add{});
}

// One plane's numbers; packs are kept as they are read.
struct Plane {
    const float* data;
    float* kept;  // null: read again
    bool packed;

    __device__ Pack<float> first(int64_t i, int64_t n) const {
        const Pack<float> pack = load_pack(data, i, n, packed);
        if (kept) *reinterpret_cast<Pack<float>*>(kept + i) = pack;
        return pack;
    }
    // by the thread that called first(i)
    __device__ Pack<float> again(int64_t i, int64_t n) const {
        return kept ? *reinterpret_cast<const Pack<float>*>(kept + i) : load_pack(data, i, n, packed);
    }
};

// f(i, lanes): for each of this thread's packs, from element i on, of which the first `lanes` are inside.
template <int kThreads, class F>
__device__ void for_packs(int64_t n, const F& f) {
    for (int64_t i = static_cast<int64_t>(threadIdx.x) * kPack; i < n; i += kThreads * kPack)
        f(i, n - i < kPack ? static_cast<int>(n - i) : kPack);
}

template <int kThreads>
__global__ void __launch_bounds__(kThreads)
    forward_kernel(AdainShape shape, bool packed, bool keep, const float* x, const float* s, const float* b,
                   float* y, float* statistics) {
    const int64_t n = shape.positions, plane = blockIdx.x;
    const Plane in{x + plane * n, keep ? dynamic_shared<float>() : nullptr, packed};
    const double count = static_cast<double>(n);
    double sum = 0, squares = 0;
    for_packs<kThreads>(n, [&](int64_t i, int lanes) {
        const Pack<float> pack = in.first(i, n);
        for (int k = 0; k < lanes; ++k) sum += pack.lane[k];
    });
    const double centre = block_sum<kThreads>(sum) / count;
    for_packs<kThreads>(n, [&](int64_t i, int lanes) {
        const Pack<float> pack = in.again(i, n);
        for (int k = 0; k < lanes; ++k) squares += (pack.lane[k] - centre) * (pack.lane[k] - centre);
    });
    const double spread = block_sum<kThreads>(squares) / count + shape.eps;
    const float near = static_cast<float>(centre), rest = static_cast<float>(centre - near);
    const float r = static_cast<float>(spread == 0 ? 0 : 1 / sqrt(spread));
    const float scale = s ? r * (1 + s[plane]) : r, shift = (b ? b[plane] : 0.0f) - rest * scale;
    for_packs<kThreads>(n, [&](int64_t i, int) {
        Pack<float> pack = in.again(i, n);
        for (int k = 0; k < kPack; ++k) pack.lane[k] = (pack.lane[k] - near) * scale + shift;
        store_pack(y + plane * n, i, n, packed, pack);
    });
    if (threadIdx.x == 0) {
        statistics[plane] = near;
        statistics[shape.planes + plane] = rest;
        statistics[2 * shape.planes + plane] = r;
    }
}

template <int kThreads>
__global__ void __launch_bounds__(kThreads)
    backward_kernel(AdainShape shape, bool packed, bool keep, const float* x, const float* s,
                    const float* statistics, const float* dy, float* dx, float* ds, float* db) {
    const int64_t n = shape.positions, plane = blockIdx.x, room = (n + kPack - 1) / kPack * kPack;
    float* const memory = keep ? dynamic_shared<float>() : nullptr;
    const Plane in{x + plane * n, memory, packed},
        slope{dy + plane * n, keep ? memory + room : nullptr, packed};
    const double count = static_cast<double>(n);
    const float near = statistics[plane], rest = statistics[shape.planes + plane],
                r = statistics[2 * shape.planes + plane];
    double sum = 0, along = 0;
    for_packs<kThreads>(n, [&](int64_t i, int lanes) {
        const Pack<float> a = in.first(i, n), g = slope.first(i, n);
        for (int k = 0; k < lanes; ++k) {
            sum += g.lane[k];
            along += static_cast<double>(g.lane[k]) * static_cast<double>((a.lane[k] - near) * r);
        }
    });
    const double all = block_sum<kThreads>(sum);
    const double all_along = block_sum<kThreads>(along) - static_cast<double>(rest * r) * all;
    const float scale = s ? r * (1 + s[plane]) : r;
    // scale (dy - even - (slight + (x - near) tilt)), with even + slight = Σ dy / M - rest tilt
    const double steep = r * all_along / count, offset = all / count - rest * steep;
    const float tilt = static_cast<float>(steep), even = static_cast<float>(offset);
    const float slight = static_cast<float>(offset - even);
    for_packs<kThreads>(n, [&](int64_t i, int) {
        const Pack<float> a = in.again(i, n), g = slope.again(i, n);
        Pack<float> result;
        for (int k = 0; k < kPack; ++k)
            result.lane[k] = scale * (g.lane[k] - even - (slight + (a.lane[k] - near) * tilt));
        store_pack(dx + plane * n, i, n, packed, result);
    });
    if (threadIdx.x == 0) {
        if (ds) ds[plane] = static_cast<float>(all_along);
        if (db) db[plane] = static_cast<float>(all);
    }
}

// Where planes begin at packs, and how many blocks of how much shared memory; `maps`: how many are kept.
struct Plan {
    bool packed, keep, small;
    Grid grid;

    Plan(const AdainShape& s, int maps, bool pointers_packed)
        : packed(pointers_packed && s.positions % kPack == 0),
          keep(maps * s.positions <= kKept),
          small(s.positions <= 32 * kPack) {
        const auto room = static_cast<size_t>((s.positions + kPack - 1) / kPack * kPack * maps);
        grid = {blocks_for(s.planes, 1), dim3(small ? 32 : 256), keep ? room * sizeof(float) : 0};
    }
};

void forward(Queue& queue, const AdainShape& s, const float* x, const float* scale, const float* shift,
             float* y, float* statistics) {
    const Plan plan(s, 1, packable(x, y));
    launch("adain", queue, plan.grid, plan.small ? forward_kernel<32> : forward_kernel<256>, s, plan.packed,
           plan.keep, x, scale, shift, y, statistics);
}

void backward(Queue& queue, const AdainShape& s, const float* x, const float* scale, const float* statistics,
              const float* dy, float* dx, float* ds, float* db) {
    const Plan plan(s, 2, packable(x, dy, dx));
    launch("adain", queue, plan.grid, plan.small ? backward_kernel<32> : backward_kernel<256>, s, plan.packed,
           plan.keep, x, scale, statistics, dy, dx, ds, db);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const AdainKernels<float>& adain_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const AdainKernels<float> table{forward, backward};
    return table;
}

}  // namespace lily::kernels
