// SPDX-License-Identifier: MIT
// VGG-19's convolutions (Simonyan & Zisserman 2015, configuration E) as a fixed feature extractor.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "framework/nn/module.h"

namespace lily::models {

enum class Pooling { max, average };

// What the network says about a picture at named places: conv1_1, relu1_1, …, relu5_4 and pool1 … pool4.
using Activations = std::map<std::string, Tensor>;

class Vgg19 : public nn::Module {
  public:
    // Reads the safetensors file that tools/convert_vgg19.py writes, or torchvision's and timm's tensors in
    // f32, f16, bf16 or f64; parameters are named as there (features.0.weight, …) and do not require
    // gradients. Throws on missing layers, wrong shapes, NaN, and says how to convert files in another form.
    // dtype: of the parameters and so of everything computed; f64 is slow, and exact enough to be an oracle.
    explicit Vgg19(const std::string& path, Pooling pooling = Pooling::max, DType dtype = DType::f32);

    // One line for the user where the converter has not seen these weights; else empty.
    const std::string& remark() const { return remark_; }

    // x (1,3,H,W): a picture normalised by to_network_input. Runs no further than the last of `layers`; keeps
    // only those.
    using Module::forward;
    Activations forward(const Tensor& x, const std::vector<std::string>& layers) const;

    // The same for those who need not keep them: read(name, activation) of each layer in the network's order,
    // when the layer after it has been computed. The backward pass, which goes from the newest to the oldest,
    // then has the gradients of what was read shortly before the network's own, one map at a time.
    using Reader = std::function<void(const std::string&, const Tensor&)>;
    void forward(const Tensor& x, const std::vector<std::string>& layers, const Reader& read) const;

    // Throws unless all names are layers that the weights reach.
    void check_layers(const std::vector<std::string>& layers) const;

    // Of any VGG-19, before its weights are read: the least side of a picture that reaches `layers`, and the
    // bytes of the activations that one forward and backward pass through them keeps at the same time.
    static int64_t least_side(const std::vector<std::string>& layers);
    static int64_t activation_bytes(int64_t height, int64_t width, const std::vector<std::string>& layers);

  private:
    struct Convolution : nn::Module {
        Convolution(std::string place, const Tensor& weight, const Tensor& bias);
        std::string place;  // "1_1": conv1_1 and relu1_1
        Tensor weight, bias;
        bool pool_before;
    };
    struct Features : nn::Module {
        using Module::register_module;
    };

    bool pools_at_once(size_t convolution, const std::set<std::string>& wanted) const;

    Pooling pooling_;
    std::string remark_;
    Features features_;
    std::vector<const Convolution*> convolutions_;  // owned by features_
};

// A picture (1,3,H,W) in 0…1 to the network's input and back: (rgb - mean) / std with ImageNet's statistics.
Tensor to_network_input(const Tensor& rgb);
Tensor from_network_input(const Tensor& x);

}  // namespace lily::models
