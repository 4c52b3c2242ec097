// SPDX-License-Identifier: MIT
// Convolution on dense NCHW floats, by patches and matrix products; for the stand-in of cuDNN.
#pragma once

#include <cstdint>
#include <vector>

#include "library.h"

namespace simt {

// A tensor or filter in device memory: sizes and strides in elements.
struct Layout {
    int64_t size[4], stride[4];
    cudaDataType type;

    int64_t elements() const { return size[0] * size[1] * size[2] * size[3]; }
    bool plain() const;    // NCHW without gaps
    size_t bytes() const;  // from the first element to the last
};
std::vector<float> dense(const Layout& layout, const void* data, Rounding rounding);
// data = alpha values + beta data
void scatter(const Layout& layout, const std::vector<float>& values, float alpha, float beta, void* data);

struct Convolution {
    int64_t pad[2], step[2], dilation[2], groups;
    bool flipped;  // a true convolution: the filter is mirrored
    Rounding rounding;
};
std::vector<float> convolve(const Convolution& c, const Layout& x, const void* x_data, const Layout& w,
                            const void* w_data, const Layout& y);
std::vector<float> convolve_data(const Convolution& c, const Layout& w, const void* w_data, const Layout& dy,
                                 const void* dy_data, const Layout& dx);
std::vector<float> convolve_filter(const Convolution& c, const Layout& x, const void* x_data,
                                   const Layout& dy, const void* dy_data, const Layout& dw);

}  // namespace simt
