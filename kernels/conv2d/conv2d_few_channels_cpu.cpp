// SPDX-License-Identifier: MIT
// The gradient with respect to a picture: backward data for C <= 4, where a library's blocking by 16 input
// channels leaves most of each vector idle. Here the vector runs over the output channels k instead:
//   dx[c,h,w] = Σ_lane  Σ_block,r,s  wt[block,r,s,c,lane] · dy[block, h+pad-r, w+pad-s, lane]
// A tile of kPositions × C sums stays in registers: each dy vector is used for C sums, each weight for
// kPositions.
#include <algorithm>
#include <array>

#include "kernels/common/parallel.h"
#include "kernels/common/vector_tiles.h"
#include "kernels/conv2d/conv2d_plans.h"

namespace lily::kernels {
namespace {

constexpr int64_t kMaxChannels = 4;

using Vector8 = VectorOf<8>::type;
using Vector16 = VectorOf<16>::type;

template <class Vector>
inline float sum_of_lanes(const Vector& v) {
    constexpr int lanes = sizeof(Vector) / sizeof(float);
    float part[lanes];
    for (int i = 0; i < lanes; ++i) part[i] = v[i];
    for (int width = lanes / 2; width > 0; width /= 2)
        for (int i = 0; i < width; ++i) part[i] += part[i + width];
    return part[0];
}

// dx[c, row, w .. w+Positions) for all c; taps of column s are used only if [w, w+Positions) all have one.
template <class Vector, int C, int Positions>
inline void tile(const Conv2dShape& s, const Vector* dy, const Vector* wt, int64_t row, int64_t w,
                 float* dx) {
    const int64_t blocks = s.k / static_cast<int64_t>(sizeof(Vector) / sizeof(float));
    const int64_t out_h = s.out_h(), out_w = s.out_w();
    const int64_t first_r = std::max<int64_t>(0, row + s.padding[0] - out_h + 1),
                  last_r = std::min(s.r - 1, row + s.padding[0]);
    const int64_t first_s = std::max<int64_t>(0, w + Positions - 1 + s.padding[1] - out_w + 1),
                  last_s = std::min(s.s - 1, w + s.padding[1]);
    Vector sums[Positions][C] = {};
    for (int64_t block = 0; block < blocks; ++block)
        for (int64_t r = first_r; r <= last_r; ++r)
            for (int64_t q = first_s; q <= last_s; ++q) {
                const Vector* from =
                    dy + (block * out_h + row + s.padding[0] - r) * out_w + w + s.padding[1] - q;
                const Vector* weight = wt + ((block * s.r + r) * s.s + q) * C;
#pragma GCC unroll 8
                for (int p = 0; p < Positions; ++p)
#pragma GCC unroll 4
                    for (int c = 0; c < C; ++c) sums[p][c] += from[p] * weight[c];
            }
#pragma GCC unroll 8
    for (int p = 0; p < Positions; ++p)
#pragma GCC unroll 4
        for (int c = 0; c < C; ++c) dx[(c * s.h + row) * s.w + w + p] = sum_of_lanes(sums[p][c]);
}

template <class Vector, int C>
void backward_data(const Conv2dShape& s, const float* dy, const float* wt, float* dx) {
    // C · kPositions sums, kPositions and C operands: what fits into 32 (AVX-512) or 16 (AVX2) registers
    constexpr int kPositions = sizeof(Vector) == 64 ? (C == 4 ? 6 : 8) : (C == 4 ? 2 : C == 3 ? 3 : 4);
    parallel_for(s.n * s.h, 4, [=, &s](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) {
            const int64_t n = i / s.h, row = i % s.h;
            const Vector* from = reinterpret_cast<const Vector*>(dy + n * s.k * s.out_h() * s.out_w());
            const Vector* weight = reinterpret_cast<const Vector*>(wt);
            float* to = dx + n * C * s.h * s.w;
            // Positions whose taps all lie inside of dy: w+pad-(S-1) >= 0 and w+pad < out_w.
            const int64_t inner_begin = std::clamp<int64_t>(s.s - 1 - s.padding[1], 0, s.w);
            const int64_t inner_end = std::clamp<int64_t>(s.out_w() - s.padding[1], inner_begin, s.w);
            int64_t w = 0;
            for (; w < inner_begin; ++w) tile<Vector, C, 1>(s, from, weight, row, w, to);
            for (; w + kPositions <= inner_end; w += kPositions)
                tile<Vector, C, kPositions>(s, from, weight, row, w, to);
            for (; w < s.w; ++w) tile<Vector, C, 1>(s, from, weight, row, w, to);
        }
    });
}

class FewChannelsConv2d final : public CpuConv2dPlan {
  public:
    explicit FewChannelsConv2d(const Conv2dShape& s) : CpuConv2dPlan(s, Conv2dPass::backward_data) {
        algorithm = "few channels";
        y_layout = conv2d_layout(s.k);
        packed_bytes = s.k * s.c * s.r * s.s * static_cast<int64_t>(sizeof(float));
        // no number of oneDNN's layouts, which count from 1
        packing = uint64_t{1} << 63 | static_cast<uint64_t>(s.c << 32 | s.r << 16 | s.s);
    }

    // (K,C,R,S) -> (K/block, R, S, C, block)
    void pack(Queue&, const float* w, void* packed) const override {
        const Conv2dShape& s = shape;
        float* to = static_cast<float*>(packed);
        for (int64_t k = 0; k < s.k; ++k)
            for (int64_t c = 0; c < s.c; ++c)
                for (int64_t tap = 0; tap < s.r * s.s; ++tap)
                    to[((k / y_layout * s.r * s.s + tap) * s.c + c) * y_layout + k % y_layout] =
                        w[(k * s.c + c) * s.r * s.s + tap];
    }

    void backward_data(Queue&, const float* dy, const float* w, float* dx) const override {
        using Run = void (*)(const Conv2dShape&, const float*, const float*, float*);
        static constexpr std::array<Run, kMaxChannels> by_8 = {
            kernels::backward_data<Vector8, 1>, kernels::backward_data<Vector8, 2>,
            kernels::backward_data<Vector8, 3>, kernels::backward_data<Vector8, 4>};
        static constexpr std::array<Run, kMaxChannels> by_16 = {
            kernels::backward_data<Vector16, 1>, kernels::backward_data<Vector16, 2>,
            kernels::backward_data<Vector16, 3>, kernels::backward_data<Vector16, 4>};
        (y_layout == 16 ? by_16 : by_8)[static_cast<size_t>(shape.c - 1)](shape, dy, w, dx);
    }
};

}  // namespace

bool few_channels_conv2d_fits(const Conv2dShape& s) {
    const std::array<int64_t, 2> ones{1, 1};
    return s.c <= kMaxChannels && conv2d_layout(s.k) > 1 && s.groups == 1 && s.stride == ones &&
           s.dilation == ones;
}

std::unique_ptr<CpuConv2dPlan> make_few_channels_conv2d(const Conv2dShape& s) {
    return std::make_unique<FewChannelsConv2d>(s);
}

}  // namespace lily::kernels
