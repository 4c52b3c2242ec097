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
constexpr int64_t kRows = 8;  // of dx, in one task

// Rows of dy, (blocks, rows, out_w) vectors: the picture's own, or a copy of some of them.
template <int B>
struct Rows {
    const float* at;           // row `first` of block 0
    int64_t first, per_block;  // rows in memory for each block
    const float* row(int64_t block, int64_t i, int64_t out_w) const {
        return at + (block * per_block + i - first) * out_w * B;
    }
};

// dx[c, row, w .. w+Positions) for all c; taps of column s are used only if [w, w+Positions) all have one.
template <int B, int C, int Positions>
inline void tile(const Conv2dShape& s, const Rows<B>& dy, const float* wt, int64_t row, int64_t w,
                 float* dx) {
    const int64_t out_h = s.out_h(), out_w = s.out_w();
    const int64_t first_r = std::max<int64_t>(0, row + s.padding[0] - out_h + 1),
                  last_r = std::min(s.r - 1, row + s.padding[0]);
    const int64_t first_s = std::max<int64_t>(0, w + Positions - 1 + s.padding[1] - out_w + 1),
                  last_s = std::min(s.s - 1, w + s.padding[1]);
    constexpr int kSums = (C * Positions + B - 1) / B * B;  // [c·Positions + p], whole groups of B
    Vector<B> sums[kSums] = {};
    for (int64_t block = 0; block < s.k / B; ++block)
        for (int64_t r = first_r; r <= last_r; ++r)
            for (int64_t q = first_s; q <= last_s; ++q) {
                const float* from = dy.row(block, row + s.padding[0] - r, out_w) + (w + s.padding[1] - q) * B;
                const float* weight = wt + ((block * s.r + r) * s.s + q) * C * B;
#pragma GCC unroll 8
                for (int p = 0; p < Positions; ++p) {
                    const Vector<B> value = lanes<B>(from + p * B);
#pragma GCC unroll 4
                    for (int c = 0; c < C; ++c) sums[c * Positions + p] += value * lanes<B>(weight + c * B);
                }
            }
    alignas(64) float totals[kSums];
#pragma GCC unroll 4
    for (int group = 0; group < kSums; group += B) {
        Vector<B> rows[B];
        for (int i = 0; i < B; ++i) rows[i] = sums[group + i];
        sum_lanes<B>(rows);
        lanes<B>(totals + group) = rows[0];
    }
    for (int c = 0; c < C; ++c)
        for (int p = 0; p < Positions; ++p) dx[(c * s.h + row) * s.w + w + p] = totals[c * Positions + p];
}

// dz = dy · [not y <= 0] of the rows [first, last) of one picture.
template <int B>
inline void relu_gradient(const Conv2dShape& s, const float* dy, const float* y, int64_t first, int64_t last,
                          float* dz) {
    const int64_t row = s.out_w() * B;
    for (int64_t block = 0; block < s.k / B; ++block) {
        const int64_t from = (block * s.out_h() + first) * row, count = (last - first) * row;
        float* to = dz + block * count;
        for (int64_t i = 0; i < count; i += B) {
            const Vector<B> value = lanes<B>(y + from + i);
            lanes<B>(to + i) = value <= 0 ? Vector<B>{} : lanes<B>(dy + from + i);
        }
    }
}

// g.y: null, or a ReLU's output.
template <int B, int C>
void backward_data(Queue& queue, const Conv2dShape& s, const Conv2dGradient<float>& g, const float* wt,
                   float* dx) {
    // C · kPositions sums, a value and C weights: what fits into 32 (AVX-512) or 16 (AVX2) registers
    constexpr int kPositions = B == 16 ? (C == 4 ? 6 : 8) : (C == 4 ? 2 : C == 3 ? 3 : 4);
    const int64_t picture = s.k * s.out_h() * s.out_w(), tasks = (s.h + kRows - 1) / kRows;
    const int64_t copied = g.y ? s.k * (kRows + s.r - 1) * s.out_w() : 0;
    const auto scratch = queue.scratch<float>(copied * max_threads());
    parallel_tasks<B>(s.n * tasks, true, [&](int64_t task, int64_t thread) {
        const int64_t n = task / tasks, first = task % tasks * kRows, last = std::min(s.h, first + kRows);
        Rows<B> rows{g.dy + n * picture, 0, s.out_h()};
        if (g.y) {  // rows first+pad-(R-1) .. last-1+pad of dy
            const int64_t begin = std::clamp<int64_t>(first + s.padding[0] - s.r + 1, 0, s.out_h());
            const int64_t end = std::clamp<int64_t>(last + s.padding[0], begin, s.out_h());
            float* dz = scratch.data() + thread * copied;
            relu_gradient<B>(s, g.dy + n * picture, g.y + n * picture, begin, end, dz);
            rows = {dz, begin, end - begin};
        }
        float* to = dx + n * C * s.h * s.w;
        // Positions whose taps all lie inside of dy: w+pad-(S-1) >= 0 and w+pad < out_w.
        const int64_t inner_begin = std::clamp<int64_t>(s.s - 1 - s.padding[1], 0, s.w);
        const int64_t inner_end = std::clamp<int64_t>(s.out_w() - s.padding[1], inner_begin, s.w);
        for (int64_t row = first; row < last; ++row) {
            int64_t w = 0;
            for (; w < inner_begin; ++w) tile<B, C, 1>(s, rows, wt, row, w, to);
            for (; w + kPositions <= inner_end; w += kPositions)
                tile<B, C, kPositions>(s, rows, wt, row, w, to);
            for (; w < s.w; ++w) tile<B, C, 1>(s, rows, wt, row, w, to);
        }
    });
}

class FewChannelsConv2d final : public CpuConv2dPlan {
  public:
    FewChannelsConv2d(const Conv2dShape& s, Conv2dPass p) : CpuConv2dPlan(s, p) {
        algorithm = "few channels";
        y_layout = conv2d_layout(s.k);
        packed_bytes = s.k * s.c * s.r * s.s * static_cast<int64_t>(sizeof(float));
        // no number of oneDNN's layouts, which count from 1
        packing = uint64_t{1} << 63 | static_cast<uint64_t>(s.c << 32 | s.r << 16 | s.s);
    }

    // (K,C,R,S) -> (K/block, R, S, C, block)
    void pack(Queue&, const float* w, void* packed) const override {
        const Conv2dShape& s = shape;
        const float scale = static_cast<float>(s.weight_scale);
        float* to = static_cast<float*>(packed);
        for (int64_t k = 0; k < s.k; ++k)
            for (int64_t c = 0; c < s.c; ++c)
                for (int64_t tap = 0; tap < s.r * s.s; ++tap)
                    to[((k / y_layout * s.r * s.s + tap) * s.c + c) * y_layout + k % y_layout] =
                        scale * w[(k * s.c + c) * s.r * s.s + tap];
    }

    void backward_data(Queue& queue, const Conv2dGradient<float>& g, const Conv2dWeights<float>& w, bool,
                       float* dx) const override {
        using Run = void (*)(Queue&, const Conv2dShape&, const Conv2dGradient<float>&, const float*, float*);
        static constexpr std::array<Run, kMaxChannels> by_8 = {
            kernels::backward_data<8, 1>, kernels::backward_data<8, 2>, kernels::backward_data<8, 3>,
            kernels::backward_data<8, 4>};
        static constexpr std::array<Run, kMaxChannels> by_16 = {
            kernels::backward_data<16, 1>, kernels::backward_data<16, 2>, kernels::backward_data<16, 3>,
            kernels::backward_data<16, 4>};
        const Run run = (y_layout == 16 ? by_16 : by_8)[static_cast<size_t>(shape.c - 1)];
        run(queue, shape, {g.dy, pass == Conv2dPass::backward_data_relu ? g.y : nullptr},
            static_cast<const float*>(w.packed), dx);
    }
};

}  // namespace

bool few_channels_conv2d_fits(const Conv2dShape& s) {
    const std::array<int64_t, 2> ones{1, 1};
    return has_wide_vectors() && s.c <= kMaxChannels && conv2d_layout(s.k) > 1 && s.groups == 1 &&
           s.stride == ones && s.dilation == ones;
}

std::unique_ptr<CpuConv2dPlan> make_few_channels_conv2d(const Conv2dShape& s, Conv2dPass pass) {
    return std::make_unique<FewChannelsConv2d>(s, pass);
}

}  // namespace lily::kernels
