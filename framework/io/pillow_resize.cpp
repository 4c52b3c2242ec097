// SPDX-License-Identifier: MIT
#include "framework/io/pillow_resize.h"

#include <algorithm>
#include <climits>
#include <cmath>
#include <utility>

#include "framework/error.h"
#include "kernels/common/parallel.h"

namespace lily::io {
namespace {

constexpr int kBits = 22;  // of a weight behind the point: 32 less 8 of a sample and 2 for sums beyond it
constexpr double kSupport = 2;

// Keys' cubic, a = -1/2.
double bicubic(double x) {
    constexpr double a = -0.5;
    x = std::fabs(x);
    if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

// Sample i of the result is the sum of weights[i * most + k] times sample first[i] + k, k < count[i].
template <class W>
struct Weights {
    int most = 0;
    std::vector<int> first, count;
    std::vector<W> weights;
};

int32_t as_weight(double w, int32_t) {
    return static_cast<int32_t>(w * (1 << kBits) + (w < 0 ? -0.5 : 0.5));  // towards 0: rounded
}
double as_weight(double w, double) { return w; }

template <class W>
Weights<W> weights_for(int from, int to) {
    const double scale = static_cast<double>(from) / to;
    const double stretch = std::max(scale, 1.0);
    const double support = kSupport * stretch;
    Weights<W> all;
    all.most = static_cast<int>(std::ceil(support)) * 2 + 1;
    all.weights.resize(static_cast<size_t>(to) * static_cast<size_t>(all.most));
    std::vector<double> row(static_cast<size_t>(all.most));
    for (int i = 0; i < to; ++i) {
        const double centre = (i + 0.5) * scale;
        const int first = std::max(static_cast<int>(centre - support + 0.5), 0);
        const int count = std::min(static_cast<int>(centre + support + 0.5), from) - first;
        double sum = 0;
        for (int k = 0; k < count; ++k)
            sum += row[static_cast<size_t>(k)] = bicubic((k + first - centre + 0.5) * (1 / stretch));
        W* out = all.weights.data() + static_cast<size_t>(i) * static_cast<size_t>(all.most);
        for (int k = 0; k < count; ++k) {
            const double w = row[static_cast<size_t>(k)];
            out[k] = as_weight(sum != 0 ? w / sum : w, W{});
        }
        all.first.push_back(first);
        all.count.push_back(count);
    }
    return all;
}

// What sums of products start at, and how they become samples.
constexpr int32_t kStart8 = 1 << (kBits - 1);
uint8_t to_sample(int32_t sum, uint8_t) { return static_cast<uint8_t>(std::clamp(sum >> kBits, 0, 255)); }
// Each byte is clamped apart there: beyond the largest value the lower one goes round.
uint16_t to_sample(double sum, uint16_t) {
    const int whole = static_cast<int>(sum >= 0 ? std::floor(sum + 0.5) : -std::floor(-sum + 0.5));
    const int low = std::clamp(whole % 256, 0, 255), high = std::clamp(whole >> 8, 0, 255);
    return static_cast<uint16_t>(high << 8 | low);
}

template <class T>
using Weight = std::conditional_t<std::is_same_v<T, uint8_t>, int32_t, double>;

template <class T, int kChannels>
void resize_row(const T* from, T* to, const Weights<Weight<T>>& by) {
    using W = Weight<T>;
    constexpr W kStart = std::is_same_v<T, uint8_t> ? static_cast<W>(kStart8) : W{0};
    const size_t width = by.first.size();
    for (size_t x = 0; x < width; ++x) {
        const T* in = from + static_cast<ptrdiff_t>(by.first[x]) * kChannels;
        const W* weights = by.weights.data() + x * static_cast<size_t>(by.most);
        W sums[kChannels];
        std::fill_n(sums, kChannels, kStart);
        for (int k = 0; k < by.count[x]; ++k)
            for (int c = 0; c < kChannels; ++c) sums[c] += weights[k] * static_cast<W>(*in++);
        for (int c = 0; c < kChannels; ++c) *to++ = to_sample(sums[c], T{});
    }
}

template <class T>
Samples<T> resize_rows(const Samples<T>& picture, int width) {
    if (width == picture.width) return picture;
    const auto by = weights_for<Weight<T>>(picture.width, width);
    Samples<T> out{width, picture.height, picture.channels, {}};
    const int64_t from_row = int64_t{picture.width} * picture.channels,
                  to_row = int64_t{width} * picture.channels;
    out.values.resize(static_cast<size_t>(to_row * picture.height));
    const auto rows = [&]<int kChannels>(std::integral_constant<int, kChannels>) {
        kernels::parallel_for(picture.height, 8, [&](int64_t begin, int64_t end) {
            for (int64_t y = begin; y < end; ++y)
                resize_row<T, kChannels>(picture.values.data() + y * from_row, out.values.data() + y * to_row,
                                         by);
        });
    };
    switch (picture.channels) {
        case 1:
            rows(std::integral_constant<int, 1>());
            break;
        case 2:
            rows(std::integral_constant<int, 2>());
            break;
        case 3:
            rows(std::integral_constant<int, 3>());
            break;
        default:
            rows(std::integral_constant<int, 4>());
    }
    return out;
}

template <class T>
Samples<T> resize_columns(const Samples<T>& picture, int height) {
    if (height == picture.height) return picture;
    using W = Weight<T>;
    constexpr W kStart = std::is_same_v<T, uint8_t> ? static_cast<W>(kStart8) : W{0};
    const auto by = weights_for<W>(picture.height, height);
    Samples<T> out{picture.width, height, picture.channels, {}};
    const int64_t row = int64_t{picture.width} * picture.channels;
    out.values.resize(static_cast<size_t>(row * height));
    kernels::parallel_for(height, 4, [&](int64_t begin, int64_t end) {
        std::vector<W> sums(static_cast<size_t>(row));
        for (int64_t y = begin; y < end; ++y) {
            const auto i = static_cast<size_t>(y);
            std::fill(sums.begin(), sums.end(), kStart);
            for (int k = 0; k < by.count[i]; ++k) {
                const T* in = picture.values.data() + (by.first[i] + k) * row;
                const W weight = by.weights[i * static_cast<size_t>(by.most) + static_cast<size_t>(k)];
                for (int64_t x = 0; x < row; ++x)
                    sums[static_cast<size_t>(x)] += weight * static_cast<W>(in[x]);
            }
            for (int64_t x = 0; x < row; ++x)
                out.values[static_cast<size_t>(y * row + x)] = to_sample(sums[static_cast<size_t>(x)], T{});
        }
    });
    return out;
}

template <class T>
void check_sizes(const Samples<T>& picture, int width, int height) {
    check(width > 0 && height > 0 && int64_t{width} * height <= INT_MAX / 4,
          "[pillow_resize] cannot resize to {} x {} pixels", width, height);
    check(picture.width > 0 && picture.height > 0 && picture.channels >= 1 && picture.channels <= 4 &&
              picture.values.size() == static_cast<size_t>(picture.width) *
                                           static_cast<size_t>(picture.height) *
                                           static_cast<size_t>(picture.channels),
          "[pillow_resize] expected {} x {} pixels of 1 to 4 channels, got {} samples of {} channels",
          picture.width, picture.height, picture.values.size(), picture.channels);
}

// The nearest sample of each place; the places are sums of steps, as they are there.
std::vector<int> nearest_places(int from, int to) {
    const double step = static_cast<double>(from) / to;
    std::vector<int> places;
    double at = step * 0.5;
    for (int i = 0; i < to; ++i, at += step) places.push_back(std::min(static_cast<int>(at), from - 1));
    return places;
}

}  // namespace

Samples<uint8_t> pillow_bicubic(const Samples<uint8_t>& picture, int width, int height) {
    check_sizes(picture, width, height);
    return resize_columns(resize_rows(picture, width), height);
}

Samples<uint16_t> pillow_bicubic(const Samples<uint16_t>& picture, int width, int height) {
    check_sizes(picture, width, height);
    return resize_columns(resize_rows(picture, width), height);
}

Samples<uint8_t> pillow_nearest(const Samples<uint8_t>& picture, int width, int height) {
    check_sizes(picture, width, height);
    const std::vector<int> columns = nearest_places(picture.width, width),
                           rows = nearest_places(picture.height, height);
    Samples<uint8_t> out{width, height, picture.channels, {}};
    out.values.reserve(static_cast<size_t>(width) * static_cast<size_t>(height) *
                       static_cast<size_t>(picture.channels));
    for (const int y : rows)
        for (const int x : columns) {
            const uint8_t* pixel =
                picture.values.data() + (int64_t{y} * picture.width + x) * picture.channels;
            out.values.insert(out.values.end(), pixel, pixel + picture.channels);
        }
    return out;
}

}  // namespace lily::io
