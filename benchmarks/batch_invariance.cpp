// SPDX-License-Identifier: MIT
// How many rows have other bits in a batch than alone: a line "name<tab>differ<tab>rows" per op, for the
// table of docs/batch_invariance.md, which benchmarks/rivals/batch_invariance.py writes beside PyTorch's.
#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <random>

#include "framework/autograd.h"
#include "framework/ops.h"
#include "kernels/common/parallel.h"
#include "models/clip/clip.h"

namespace {

using namespace lily;

Tensor random(const Shape& shape, uint32_t seed) {
    std::mt19937 engine(seed);
    std::normal_distribution<float> normal;
    std::vector<float> values(static_cast<size_t>(shape.numel()));
    for (float& v : values) v = normal(engine);
    return from_vector(values, shape);
}

// The rows of x in this order.
Tensor rows_of(const Tensor& x, const std::vector<int64_t>& chosen) {
    std::vector<Tensor> rows;
    for (const int64_t row : chosen) rows.push_back(slice(x, 0, row, row + 1));
    return cat(rows, 0);
}

void compare(const char* name, const Shape& row, const std::function<Tensor(const Tensor&)>& op) {
    constexpr int64_t kRows = 8;
    Shape shape{kRows};
    for (const int64_t size : row) shape.push_back(size);
    const Tensor x = random(shape, 1);
    std::vector<std::vector<float>> alone;
    for (int64_t i = 0; i < kRows; ++i) alone.push_back(op(slice(x, 0, i, i + 1)).to_vector());
    std::mt19937 engine(2);
    int64_t differ = 0, count = 0;
    for (const int threads : {1, 2})
        for (const int64_t batch : {2, 3, 7, 16, 33, 64}) {
            kernels::set_max_threads(threads);
            std::vector<int64_t> chosen(static_cast<size_t>(batch));
            for (int64_t& i : chosen) i = static_cast<int64_t>(engine() % kRows);
            const std::vector<float> y = op(rows_of(x, chosen)).to_vector();
            for (int64_t i = 0; i < batch; ++i, ++count) {
                const auto& want = alone[static_cast<size_t>(chosen[static_cast<size_t>(i)])];
                differ += std::memcmp(y.data() + i * std::ssize(want), want.data(),
                                      want.size() * sizeof(float)) != 0;
            }
        }
    fmt::print("{}\t{}\t{}\n", name, differ, count);
}

}  // namespace

int main() {
    using T = const Tensor&;
    const NoGrad no_grad;
    const auto convolution = [](const char* name, const Shape& x, const Shape& weight,
                                Conv2dOptions options) {
        const Tensor w = random(weight, 3);
        compare(name, x, [=](T t) { return conv2d(t, w, {}, options); });
    };
    const Tensor w784 = random({256, 784}, 3), w5000 = random({64, 5000}, 3),
                 square256 = random({256, 256}, 3);
    compare("linear, 784 to 256", {784}, [=](T x) { return linear(x, w784, {}); });
    compare("linear, 5,000 to 64", {5000}, [=](T x) { return linear(x, w5000, {}); });
    compare("matmul, shared 256x256", {256}, [=](T x) { return matmul(x, square256); });
    compare("matmul of pairs, 50x64", {50, 64}, [](T x) { return matmul(x, transpose(x, 1, 2)); });
    const Conv2dOptions padded{.padding = {1, 1}};
    convolution("conv2d 3x3, 128 channels, 4x4", {128, 4, 4}, {128, 128, 3, 3}, padded);
    convolution("conv2d 3x3, 128 channels, 8x8", {128, 8, 8}, {128, 128, 3, 3}, padded);
    convolution("conv2d 3x3, 3 to 64 channels, 16x16", {3, 16, 16}, {64, 3, 3, 3}, padded);
    convolution("conv2d 1x1, 256 to 64 channels, 7x7", {256, 7, 7}, {64, 256, 1, 1}, {});
    const Tensor turned = random({64, 32, 4, 4}, 3);
    compare("conv_transpose2d 4x4 stride 2, 64 to 32 channels, 8x8", {64, 8, 8}, [=](T x) {
        return conv_transpose2d(x, turned, {}, {.stride = {2, 2}, .padding = {1, 1}});
    });
    const Tensor mean64 = random({64}, 4), var64 = exp(mean64);
    compare("batch_norm, eval", {64, 7, 7},
            [=](T x) { return batch_norm(x, mean64, var64, var64, mean64, {.training = false}); });
    compare("instance_norm", {64, 7, 7}, [](T x) { return instance_norm(x); });
    compare("softmax", {1001}, [](T x) { return softmax(x, 1); });
    compare("mean", {1001}, [](T x) { return mean(x, {1}); });
    compare("exp", {1001}, [](T x) { return exp(x); });
    compare("log", {1001}, [](T x) { return log(abs(x)); });
    compare("tanh", {1001}, [](T x) { return tanh(x); });
    compare("sigmoid", {1001}, [](T x) { return sigmoid(x); });
    compare("silu", {1001}, [](T x) { return x * sigmoid(x); });
    compare("softplus", {1001}, [](T x) { return softplus(x); });
    compare("mish", {1001}, [](T x) { return x * tanh(softplus(x)); });
    compare("gelu", {1001}, [](T x) { return gelu(x); });
    compare("gelu, by tanh", {1001}, [](T x) { return gelu(x, GeluApproximation::tanh); });
    compare("quick_gelu", {1001}, [](T x) { return quick_gelu(x); });
    compare("pow", {1001}, [](T x) { return pow(abs(x), 1.7); });
    compare("layer_norm", {768}, [](T x) { return layer_norm(x, {768}); });
    compare("attention, 12 heads of 50x64", {50, 2304}, [](T x) { return self_attention(x, 12); });
    compare("attention, causal, 8 heads of 77x64", {77, 1536},
            [](T x) { return self_attention(x, 8, {.causal = true}); });
    Generator generator(1);
    models::Clip clip({}, generator);
    compare("CLIP ViT-B/32, a picture", {3, 224, 224}, [&](T x) { return clip.encode_image(x); });
    compare("CLIP ViT-B/32, a text of 77 tokens", {77}, [&](T x) {
        std::vector<int64_t> ids;
        for (const float value : x.to_vector()) ids.push_back(static_cast<int64_t>(std::abs(value) * 10000));
        for (int64_t i = 76; i < std::ssize(ids); i += 77) ids[static_cast<size_t>(i)] = 49407;
        return clip.encode_text(from_vector(ids, x.shape()));
    });
}
