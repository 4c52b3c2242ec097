// SPDX-License-Identifier: MIT
// Two-dimensional convolution (cross-correlation, as everywhere in deep learning).
//   forward            y[n,k,i,j] = b[k] + Σ_c,r,s  w[k,c,r,s] · x[n,c, i·stride + r·dilation - padding, …]
//   backward data     dx = the transpose of that map, applied to dy
//   backward weights  dw[k,c,r,s] = Σ_n,i,j  dy[n,k,i,j] · x[n,c, i·stride + r·dilation - padding, …]
// with c running over the C/groups channels of k's group. A ReLU that follows, and a 2x2 maximum pooling
// after it, can be part of the convolution, forward and in backward data.
//
// Every pass takes w as weight_scale · w, and dw is the gradient of that w: no copy of the weights is made.
//
// A convolution is prepared once as a plan, which knows the algorithm, the layout it wants each tensor in,
// and how the weights must be packed; the plan is then run any number of times.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct Conv2dShape {
    int64_t n, c, h, w;  // x (N, C, H, W)
    int64_t k, r, s;     // w (K, C/groups, R, S)
    std::array<int64_t, 2> stride{1, 1}, padding{0, 0}, dilation{1, 1};
    int64_t groups = 1;
    // Whatever n is, pictures of one size are convolved alike: a picture's bits do not depend on its batch.
    bool by_map = false;
    double weight_scale = 1;  // of w

    // y (N, K, out_h, out_w); 0 or less: the kernel does not fit into the padded picture.
    int64_t out_h() const { return extent(h, r, 0); }
    int64_t out_w() const { return extent(w, s, 1); }
    auto operator<=>(const Conv2dShape&) const = default;

  private:
    int64_t extent(int64_t size, int64_t taps, size_t axis) const {
        const int64_t room = size + 2 * padding[axis] - dilation[axis] * (taps - 1) - 1;
        return room < 0 ? 0 : room / stride[axis] + 1;
    }
};

enum class Conv2dPass : uint8_t {
    forward,
    forward_relu,       // y = max(0, conv)
    forward_relu_pool,  // y = the largest of each 2x2 window of that, (N, K, out_h/2, out_w/2)
    backward_data,
    backward_data_relu,       // of forward_relu, from dy and y
    backward_data_relu_pool,  // of forward_relu_pool, from dy, y and index
    backward_weights
};
constexpr bool is_forward(Conv2dPass pass) { return pass <= Conv2dPass::forward_relu_pool; }
constexpr bool is_backward_data(Conv2dPass pass) {
    return !is_forward(pass) && pass != Conv2dPass::backward_weights;
}
constexpr bool has_pool(Conv2dPass pass) {
    return pass == Conv2dPass::forward_relu_pool || pass == Conv2dPass::backward_data_relu_pool;
}

// `rule` is the fixed table of kernels/conv2d/conv2d_cpu.cpp: the algorithm depends on the shape and the
// machine alone, so that two runs of a program give the same bits. The others are for tests and benchmarks:
// oneDNN's direct form, our Winograd form cut by tiles or by filters, oneDNN's own guess and its Winograd
// form; direct where the shape has no other.
enum class Conv2dAlgorithm : uint8_t { rule, direct, winograd, winograd_by_filters, onednn, onednn_winograd };

// For plans made from now on; at first the environment's LILY_CONV.
Conv2dAlgorithm conv2d_algorithm();
void set_conv2d_algorithm(Conv2dAlgorithm algorithm);

struct Conv2dPlan {
    Conv2dPlan(const Conv2dShape& s, Conv2dPass p) : shape(s), pass(p) {}
    virtual ~Conv2dPlan() = default;
    Conv2dPlan(const Conv2dPlan&) = delete;
    Conv2dPlan& operator=(const Conv2dPlan&) = delete;

    const Conv2dShape shape;
    const Conv2dPass pass;
    std::string algorithm = "loops";     // for people: "direct (jit:avx512_core)"
    int64_t x_layout = 1, y_layout = 1;  // of x and dx, of y and dy: 1 or a channel block, as in kernels/copy
    bool can_add = false;                // backward data can add to dx
    int64_t packed_bytes = 0;            // of the packed weights; 0: the weights are used as they are
    uint64_t packing = 0;                // names the packed layout; plans with the same one can share it
};

// The filters w (K, C/groups, R, S), and what pack() made of them where plan.packed_bytes > 0.
template <class T>
struct Conv2dWeights {
    const T* w;
    const void* packed = nullptr;
};
// What forward writes. index, of forward_relu_pool only, and null if not wanted: 2·row + column of each y in
// its window, the first maximum or a NaN, in y's order.
template <class T>
struct Conv2dOutput {
    T* y;
    uint8_t* index = nullptr;
};
// dL/dy, and what forward wrote where the pass asks for it.
template <class T>
struct Conv2dGradient {
    const T* dy;
    const T* y = nullptr;
    const uint8_t* index = nullptr;
};

// VGG-19 takes some 60 for pictures of one size, all passes of a training.
inline constexpr size_t kMostConv2dPlans = 256;

template <class T>
struct Conv2dKernels {
    // Is there a plan with pooling for this shape? The other passes have one for every shape.
    bool (*fuses_pool)(const Conv2dShape&);
    // The last kMostConv2dPlans are kept: asking again for one of them costs a look-up.
    std::shared_ptr<const Conv2dPlan> (*plan)(const Conv2dShape&, Conv2dPass);
    // packed (plan.packed_bytes) = weight_scale · w (K, C/groups, R, S), for forward and backward data
    void (*pack)(Queue&, const Conv2dPlan&, const T* w, void* packed);
    void (*forward)(Queue&, const Conv2dPlan&, const T* x, const Conv2dWeights<T>&, const T* bias,
                    const Conv2dOutput<T>&);  // bias or null
    // dx =, or with add (only if plan.can_add) dx +=
    void (*backward_data)(Queue&, const Conv2dPlan&, const Conv2dGradient<T>&, const Conv2dWeights<T>&,
                          bool add, T* dx);
    void (*backward_weights)(Queue&, const Conv2dPlan&, const T* x, const T* dy, T* dw);
    // db[k] = Σ_n,m dy[n,k,m] of dy (N, K, M) in the layout 1 or b
    void (*backward_bias)(Queue&, int64_t n, int64_t k, int64_t m, int64_t layout, const T* dy, T* db);
};
template <class T>
const Conv2dKernels<T>& conv2d(Device device);
const Conv2dKernels<float>& conv2d_on(simt::Gpu);  // conv2d.cu
const Conv2dKernels<float>& conv2d_on(cuda::Gpu);

}  // namespace lily::kernels
