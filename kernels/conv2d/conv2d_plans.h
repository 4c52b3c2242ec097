// SPDX-License-Identifier: MIT
// The f32 plans of the CPU, one per way to convolve; included by kernels/conv2d/*.cpp only.
#pragma once

#include <memory>

#include "kernels/conv2d/conv2d.h"

namespace lily::kernels {

// What an f32 plan of the CPU does; each implements the pass that it was made for.
struct CpuConv2dPlan : Conv2dPlan {
    using Conv2dPlan::Conv2dPlan;
    virtual void pack(Queue&, const float*, void*) const {}
    virtual void forward(Queue&, const float*, const Conv2dWeights<float>&, const float*,
                         const Conv2dOutput<float>&) const {}
    virtual void backward_data(Queue&, const Conv2dGradient<float>&, const Conv2dWeights<float>&, bool,
                               float*) const {}
    virtual void backward_weights(Queue&, const float*, const float*, float*) const {}
};

// How oneDNN is asked to compute a plan.
enum class OneDnnAlgorithm : uint8_t { direct, winograd, onednn };
// Null if oneDNN has no such implementation of this shape (never for direct).
std::unique_ptr<CpuConv2dPlan> make_onednn_conv2d(const Conv2dShape&, Conv2dPass, OneDnnAlgorithm);

// oneDNN's Winograd form can do this shape, if this version and machine have it at all (2.x with AVX-512).
bool onednn_winograd_fits(const Conv2dShape&);

// packed = the transformed scale · w (out, in, 3, 3) of our own Winograd form, (36, in/block, out/block,
// block in, block out), its blocks of `in` apart by winograd::weight_group.
void pack_winograd_weights(int64_t block, int64_t out, int64_t in, float scale, const float* w,
                           float* packed);

// 3x3, stride 1, dense, whole blocks of channels: forward, and backward data as a forward convolution of dy.
bool winograd_conv2d_fits(const Conv2dShape&);
// How the work is cut: by tiles, with weights that are transformed once and kept, or by filters, which are
// transformed each time (winograd_cut in conv2d_cpu.cpp says when that is better).
enum class WinogradCut : uint8_t { by_tiles, by_filters };
std::unique_ptr<CpuConv2dPlan> make_winograd_conv2d(const Conv2dShape&, Conv2dPass, WinogradCut);

// Backward data for up to four input channels (a picture's): dx contiguous, dy blocked.
bool few_channels_conv2d_fits(const Conv2dShape&);
std::unique_ptr<CpuConv2dPlan> make_few_channels_conv2d(const Conv2dShape&, Conv2dPass);

// Channels that oneDNN keeps side by side on this machine.
int64_t onednn_channel_block();

// The layout that activations of this many channels have around a convolution: blocked where they divide.
inline int64_t conv2d_layout(int64_t channels) {
    return channels % onednn_channel_block() == 0 ? onednn_channel_block() : 1;
}

}  // namespace lily::kernels
