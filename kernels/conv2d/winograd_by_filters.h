// SPDX-License-Identifier: MIT
// A Winograd convolution for many channels, cut by filters instead of by tiles: a task is two blocks of the
// output's channels for 64 tiles, and transforms the weights that it needs where it needs them, in its cache.
// 512 to 512 channels are 38 MB of transformed weights, four times what the filters take: to read those costs
// more than to transform these, and they need not be kept. Included by conv2d_winograd_*cpu.cpp only.
#pragma once

#include "kernels/common/queue.h"
#include "kernels/conv2d/winograd_problem.h"

namespace lily::kernels::winograd {

// w: the filters themselves, (out, in, 3, 3) of the forward pass. Input and Output are those of
// winograd_patches.h and winograd_tiles.h. block: channels side by side.
template <bool kBackward, class Input, class Output>
void convolve_by_filters(int64_t block, Queue& queue, const Problem& p, const Input& in, const float* w,
                         const Output& out);

}  // namespace lily::kernels::winograd
