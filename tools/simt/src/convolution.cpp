// SPDX-License-Identifier: MIT
#include "convolution.h"

#include <oneapi/dnnl/dnnl.h>

#include <algorithm>

namespace simt {
namespace {

template <class F>
void each(const Layout& layout, F visit) {
    const auto &size = layout.size, &stride = layout.stride;
    size_t index = 0;
    for (int64_t n = 0; n < size[0]; ++n)
        for (int64_t c = 0; c < size[1]; ++c)
            for (int64_t h = 0; h < size[2]; ++h)
                for (int64_t w = 0; w < size[3]; ++w)
                    visit(index++,
                          static_cast<size_t>(n * stride[0] + c * stride[1] + h * stride[2] + w * stride[3]));
}

// The patches of one group of an image: row (c, r, s), column (p, q). `visit(patch element, image element)`.
struct Patches {
    int64_t channels, height, width, r, s, p, q;
    int64_t rows() const { return channels * r * s; }
    int64_t columns() const { return p * q; }

    template <class F>
    void each(const Convolution& conv, F visit) const {
        for (int64_t row = 0; row < rows(); ++row) {
            const int64_t c = row / (r * s), i = row / s % r, j = row % s;
            for (int64_t y = 0; y < p; ++y)
                for (int64_t x = 0; x < q; ++x) {
                    const int64_t h = y * conv.step[0] - conv.pad[0] + i * conv.dilation[0];
                    const int64_t w = x * conv.step[1] - conv.pad[1] + j * conv.dilation[1];
                    const bool inside = h >= 0 && h < height && w >= 0 && w < width;
                    visit(row * columns() + y * q + x, inside ? (c * height + h) * width + w : -1);
                }
        }
    }
};

Patches patches(const Convolution& conv, const Layout& x, const Layout& w, const Layout& y) {
    return {x.size[1] / conv.groups, x.size[2], x.size[3], w.size[2], w.size[3], y.size[2], y.size[3]};
}

std::vector<float> gather_patches(const Convolution& conv, const Patches& patch, const float* image) {
    std::vector<float> result(static_cast<size_t>(patch.rows() * patch.columns()));
    patch.each(conv, [&](int64_t to, int64_t from) {
        result[static_cast<size_t>(to)] = from < 0 ? 0 : image[from];
    });
    return result;
}

void mirror(const Layout& w, std::vector<float>& values) {
    const auto area = static_cast<ptrdiff_t>(w.size[2] * w.size[3]);
    for (auto filter = values.begin(); filter != values.end(); filter += area)
        std::reverse(filter, filter + area);
}

}  // namespace

bool Layout::plain() const {
    return stride[3] == 1 && stride[2] == size[3] && stride[1] == size[2] * size[3] &&
           stride[0] == size[1] * stride[1];
}

size_t Layout::bytes() const {
    if (elements() == 0) return 0;
    int64_t last = 0;
    for (int i = 0; i < 4; ++i) last += (size[i] - 1) * stride[i];
    return static_cast<size_t>(last + 1) * size_of(type);
}

std::vector<float> dense(const Layout& layout, const void* data, Rounding rounding) {
    std::vector<float> result(static_cast<size_t>(layout.elements()));
    const size_t size = size_of(layout.type);
    if (layout.plain()) {
        load(data, layout.type, layout.elements(), result.data(), rounding);
        return result;
    }
    each(layout, [&](size_t to, size_t from) {
        load(static_cast<const char*>(data) + from * size, layout.type, 1, &result[to], rounding);
    });
    return result;
}

void scatter(const Layout& layout, const std::vector<float>& values, float alpha, float beta, void* data) {
    const size_t size = size_of(layout.type);
    each(layout, [&](size_t from, size_t to) {
        char* place = static_cast<char*>(data) + to * size;
        float old = 0;
        if (beta != 0) load(place, layout.type, 1, &old, Rounding::none);
        const float value = alpha * values[from] + (beta != 0 ? beta * old : 0);
        store(&value, layout.type, 1, place);
    });
}

// y = W patches(x), image by image and group by group
std::vector<float> convolve(const Convolution& conv, const Layout& x, const void* x_data, const Layout& w,
                            const void* w_data, const Layout& y) {
    const auto images = dense(x, x_data, conv.rounding);
    auto filters = dense(w, w_data, conv.rounding);
    if (conv.flipped) mirror(w, filters);
    std::vector<float> result(static_cast<size_t>(y.elements()));
    const Patches patch = patches(conv, x, w, y);
    const int64_t k = w.size[0] / conv.groups, rows = patch.rows(), columns = patch.columns();
    for (int64_t n = 0; n < x.size[0]; ++n)
        for (int64_t g = 0; g < conv.groups; ++g) {
            const auto gathered = gather_patches(
                conv, patch,
                images.data() + (n * x.size[1] + g * patch.channels) * patch.height * patch.width);
            dnnl_sgemm('N', 'N', k, columns, rows, 1, filters.data() + g * k * rows, rows, gathered.data(),
                       columns, 0, result.data() + (n * y.size[1] + g * k) * columns, columns);
        }
    return result;
}

// patches(dx) = Wᵀ dy, added up where they overlap
std::vector<float> convolve_data(const Convolution& conv, const Layout& w, const void* w_data,
                                 const Layout& dy, const void* dy_data, const Layout& dx) {
    const auto slopes = dense(dy, dy_data, conv.rounding);
    auto filters = dense(w, w_data, conv.rounding);
    if (conv.flipped) mirror(w, filters);
    std::vector<float> result(static_cast<size_t>(dx.elements()));
    const Patches patch = patches(conv, dx, w, dy);
    const int64_t k = w.size[0] / conv.groups, rows = patch.rows(), columns = patch.columns();
    std::vector<float> spread(static_cast<size_t>(rows * columns));
    for (int64_t n = 0; n < dx.size[0]; ++n)
        for (int64_t g = 0; g < conv.groups; ++g) {
            dnnl_sgemm('T', 'N', rows, columns, k, 1, filters.data() + g * k * rows, rows,
                       slopes.data() + (n * dy.size[1] + g * k) * columns, columns, 0, spread.data(),
                       columns);
            float* image = result.data() + (n * dx.size[1] + g * patch.channels) * patch.height * patch.width;
            patch.each(conv, [&](int64_t from, int64_t to) {
                if (to >= 0) image[to] += spread[static_cast<size_t>(from)];
            });
        }
    return result;
}

// dW = Σ dy patches(x)ᵀ over the images
std::vector<float> convolve_filter(const Convolution& conv, const Layout& x, const void* x_data,
                                   const Layout& dy, const void* dy_data, const Layout& dw) {
    const auto images = dense(x, x_data, conv.rounding), slopes = dense(dy, dy_data, conv.rounding);
    std::vector<float> result(static_cast<size_t>(dw.elements()));
    const Patches patch = patches(conv, x, dw, dy);
    const int64_t k = dw.size[0] / conv.groups, rows = patch.rows(), columns = patch.columns();
    for (int64_t n = 0; n < x.size[0]; ++n)
        for (int64_t g = 0; g < conv.groups; ++g) {
            const auto gathered = gather_patches(
                conv, patch,
                images.data() + (n * x.size[1] + g * patch.channels) * patch.height * patch.width);
            dnnl_sgemm('N', 'T', k, rows, columns, 1, slopes.data() + (n * dy.size[1] + g * k) * columns,
                       columns, gathered.data(), columns, 1, result.data() + g * k * rows, rows);
        }
    if (conv.flipped) mirror(dw, result);
    return result;
}

}  // namespace simt
