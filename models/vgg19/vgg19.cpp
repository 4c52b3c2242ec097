// SPDX-License-Identifier: MIT
#include "models/vgg19/vgg19.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <optional>
#include <set>
#include <utility>

#include "framework/io/file.h"
#include "framework/io/tensors.h"
#include "framework/ops.h"
#include "kernels/vector/vector.h"

namespace lily::models {
namespace {

struct Layer {
    const char* place;  // block_number
    int64_t feature;    // index in torchvision's `features`
    int64_t in, out;
};

constexpr std::array<Layer, 16> kLayers = {{{"1_1", 0, 3, 64},
                                            {"1_2", 2, 64, 64},
                                            {"2_1", 5, 64, 128},
                                            {"2_2", 7, 128, 128},
                                            {"3_1", 10, 128, 256},
                                            {"3_2", 12, 256, 256},
                                            {"3_3", 14, 256, 256},
                                            {"3_4", 16, 256, 256},
                                            {"4_1", 19, 256, 512},
                                            {"4_2", 21, 512, 512},
                                            {"4_3", 23, 512, 512},
                                            {"4_4", 25, 512, 512},
                                            {"5_1", 28, 512, 512},
                                            {"5_2", 30, 512, 512},
                                            {"5_3", 32, 512, 512},
                                            {"5_4", 34, 512, 512}}};

// A new block begins with a pooling of the last one.
bool begins_block(const std::string& place) { return place.ends_with("_1") && place != "1_1"; }
int64_t block_of(const std::string& place) { return place[0] - '0'; }
std::string pool_before(const std::string& place) { return fmt::format("pool{}", block_of(place) - 1); }

// How many of the first `known` convolutions have to run to reach all of `layers`.
size_t convolutions_for(const std::vector<std::string>& layers, size_t known) {
    size_t count = 0;
    for (const std::string& wanted : layers) {
        size_t needed = 0;
        for (size_t i = 0; i < known && needed == 0; ++i) {
            const std::string place = kLayers[i].place;
            if (wanted == "conv" + place || wanted == "relu" + place) needed = i + 1;
            if (begins_block(place) && wanted == pool_before(place)) needed = i + 1;
        }
        const std::string last = kLayers[known - 1].place;
        check(needed > 0,
              "[vgg19] there is no layer '{}'; layers are conv1_1, relu1_1, … relu{} and pool1 … pool{}",
              wanted, last, block_of(last) - 1);
        count = std::max(count, needed);
    }
    return count;
}

void check_finite(const std::string& path, const std::string& name, const Tensor& values) {
    const double largest =
        kernels::vector<float>(values.device()).abs_max(values.queue(), values.numel(), values.data<float>());
    check(std::isfinite(largest),
          "[vgg19] '{}': {} holds a value that is not a number; convert the weights again", path, name);
}

// The command that makes weights for this program of a file in another form.
std::string conversion_of(const std::string& path) {
    const std::string base = std::filesystem::path(path).replace_extension().string();
    return fmt::format("build/venv/bin/python tools/convert_vgg19.py '{}' -o '{}-normalised.safetensors'",
                       path, base);
}

// A file of torch.save or of Keras, by its first bytes.
bool is_of_another_format(const std::string& path) {
    char start[4] = {};
    std::ifstream(path, std::ios::binary).read(start, sizeof start);
    const std::string_view bytes(start, sizeof start);
    return bytes.starts_with("PK\3\4") || bytes.starts_with("\x89HDF") || bytes.starts_with("\x80\2");
}

std::string listed(const std::set<std::string>& names) {
    constexpr size_t kListed = 6;
    std::string text;
    for (size_t i = 0; const std::string& name : names) {
        if (i == kListed) return fmt::format("{} and {} more", text, names.size() - kListed);
        text += (i++ ? ", " : "") + io::in_quotes(name);
    }
    return text.empty() ? "no tensors" : text;
}

Tensor statistics(const std::vector<float>& rgb, const Tensor& like) {
    return from_vector(rgb, {1, 3, 1, 1}).to(like.dtype());
}
const std::vector<float> kMean = {0.485f, 0.456f, 0.406f};
const std::vector<float> kStd = {0.229f, 0.224f, 0.225f};

}  // namespace

Vgg19::Convolution::Convolution(std::string at, const Tensor& w, const Tensor& b)
    : place(std::move(at)),
      weight(register_parameter("weight", w)),
      bias(register_parameter("bias", b)),
      pool_before(begins_block(place)) {}

Vgg19::Vgg19(const std::string& path, Pooling pooling, DType dtype) : pooling_(pooling) {
    register_module("features", features_);
    check(!is_of_another_format(path), "[vgg19] {} is a file of PyTorch or Keras; convert it: {}",
          io::in_quotes(path), conversion_of(path));
    std::set<std::string> names;
    const io::LoadedTensors loaded = io::load_tensors(path, [&](const std::string& name) {
        names.insert(name);
        return name.starts_with("features.");
    });
    const StateDict& file = loaded.tensors;
    if (!loaded.metadata.contains("normalised"))
        remark_ = fmt::format(
            "{} was not made by tools/convert_vgg19.py: its filters are not normalised, and few of them will "
            "decide the style; better: {}",
            io::in_quotes(path), conversion_of(path));
    const auto take = [&](const Layer& layer, const char* kind, const Shape& shape) {
        const std::string name = fmt::format("features.{}.{}", layer.feature, kind);
        const auto found = file.find(name);
        check(found != file.end(),
              "[vgg19] '{}' has no tensor {}, it holds {}; where these are VGG-19's by other names: {}", path,
              name, listed(names), conversion_of(path));
        const Tensor& values = found->second;
        check(is_floating(values.dtype()) && values.shape() == shape,
              "[vgg19] '{}': {} should be f32 {}, is {} {}", path, name, shape, lily::name(values.dtype()),
              values.shape());
        Tensor converted = values.to(DType::f32);
        check_finite(path, name, converted);
        return (dtype == DType::f32 ? converted : values).to(dtype);
    };
    for (const Layer& layer : kLayers) {
        const bool in_file = file.contains(fmt::format("features.{}.weight", layer.feature));
        if (!in_file && layer.feature > 28)
            break;  // files may end after conv5_1, the last layer that styles use
        convolutions_.push_back(&features_.register_module(
            std::to_string(layer.feature),
            std::make_unique<Convolution>(layer.place, take(layer, "weight", {layer.out, layer.in, 3, 3}),
                                          take(layer, "bias", {layer.out}))));
    }
    requires_grad_(false);
}

void Vgg19::check_layers(const std::vector<std::string>& layers) const {
    convolutions_for(layers, convolutions_.size());
}

// The convolution, its ReLU and the pooling behind it in one: where only the pooled map is wanted.
bool Vgg19::pools_at_once(size_t convolution, const std::set<std::string>& wanted) const {
    const std::string& place = convolutions_[convolution]->place;
    return pooling_ == Pooling::max && convolution + 1 < convolutions_.size() &&
           convolutions_[convolution + 1]->pool_before && !wanted.contains("relu" + place) &&
           !wanted.contains("conv" + place);
}

Activations Vgg19::forward(const Tensor& x, const std::vector<std::string>& layers) const {
    Activations found;
    forward(x, layers, [&](const std::string& name, const Tensor& h) { found[name] = h; });
    return found;
}

void Vgg19::forward(const Tensor& x, const std::vector<std::string>& layers, const Reader& read) const {
    check(x.rank() == 4 && x.size(1) == 3, "[vgg19] expected a picture (N,3,H,W), got {}", x.shape());
    const std::set<std::string> wanted(layers.begin(), layers.end());
    std::optional<std::pair<std::string, Tensor>> unread;
    const auto read_last = [&] {
        if (unread) read(unread->first, unread->second);
        unread.reset();
    };
    const auto made = [&](const std::string& name, const Tensor& h) {
        read_last();
        if (wanted.contains(name)) unread = {name, h};
    };
    Tensor h = x;
    const size_t count = convolutions_for(layers, convolutions_.size());
    const Conv2dOptions same_size{.padding = {1, 1}};
    for (size_t i = 0; i < count; ++i) {
        const Convolution& c = *convolutions_[i];
        if (c.pool_before) {
            check(h.size(2) >= 2 && h.size(3) >= 2,
                  "[vgg19] a picture of {}x{} is too small to reach conv{}: at least {} pixels a side",
                  x.size(3), x.size(2), c.place, 1 << (block_of(c.place) - 1));
            const Convolution& last = *convolutions_[i - 1];
            if (pools_at_once(i - 1, wanted))
                h = conv2d_relu_max_pool2d(h, last.weight, last.bias, same_size);
            else
                h = pooling_ == Pooling::max ? max_pool2d(h, 2) : avg_pool2d(h, 2);
            made(pool_before(c.place), h);
        }
        if (i + 1 < count && pools_at_once(i, wanted)) continue;  // in the next round, with its pooling
        if (wanted.contains("conv" + c.place)) {
            h = conv2d(h, c.weight, c.bias, same_size);
            made("conv" + c.place, h);
            h = relu(h);
        } else {
            h = conv2d_relu(h, c.weight, c.bias, same_size);
        }
        made("relu" + c.place, h);
    }
    read_last();
}

int64_t Vgg19::least_side(const std::vector<std::string>& layers) {
    const size_t count = convolutions_for(layers, kLayers.size());
    return count == 0 ? 1 : int64_t{1} << (block_of(kLayers[count - 1].place) - 1);
}

int64_t Vgg19::activation_bytes(int64_t height, int64_t width, const std::vector<std::string>& layers) {
    int64_t floats = 0;
    const size_t count = convolutions_for(layers, kLayers.size());
    for (size_t i = 0; i < count; ++i) {
        if (begins_block(kLayers[i].place)) {
            height /= 2, width /= 2;
            floats += kLayers[i].in * height * width;
        }
        floats += kLayers[i].out * height * width;
    }
    return floats * static_cast<int64_t>(sizeof(float));
}

Tensor to_network_input(const Tensor& rgb) { return (rgb - statistics(kMean, rgb)) / statistics(kStd, rgb); }
Tensor from_network_input(const Tensor& x) { return x * statistics(kStd, x) + statistics(kMean, x); }

}  // namespace lily::models
