// SPDX-License-Identifier: MIT
#include <unistd.h>

#include <bit>
#include <cmath>
#include <filesystem>
#include <limits>
#include <span>

#include "framework/autograd.h"
#include "framework/io/safetensors.h"
#include "models/vgg19/vgg19.h"
#include "tests/catch.h"
#include "tests/framework/io/io_test.h"
#include "tests/models/golden_vgg19.h"

namespace lily::testing {
namespace {

using Catch::Matchers::ContainsSubstring;
using models::Vgg19;

const std::vector<std::string> kGoldenLayers = {"relu1_1", "relu2_1", "relu3_1",
                                                "relu4_1", "relu4_2", "relu5_1"};

// A file like weights/vgg19.safetensors, but with one tensor replaced or (undefined) left out.
std::string weights_with(const std::string& name, const Tensor& replacement) {
    io::LoadedTensors file = io::load_tensors(kWeights);
    file.tensors.erase(name);
    if (replacement.defined()) file.tensors[name] = replacement;
    const std::string path =
        (std::filesystem::temp_directory_path() / fmt::format("lily_vgg19_{}.safetensors", ::getpid()))
            .string();
    io::save_tensors(path, file.tensors);
    return path;
}

}  // namespace

TEST_CASE("VGG-19: activations and Gram matrices are PyTorch's", "[vgg19]") {
    if (!have_weights()) SKIP(kNoWeights);
    const Vgg19 network(kWeights);
    const NoGrad no_grad;
    const models::Activations of_content = network.forward(golden_picture("content"), kGoldenLayers);
    const models::Activations of_style = network.forward(golden_picture("style"), kGoldenLayers);
    for (const std::string& layer : kGoldenLayers) {
        INFO(layer);
        const Tensor& a = of_content.at(layer);
        const auto shape = golden().at("activation/" + layer + "/shape").to_vector<int64_t>();
        CHECK(a.shape() == Shape{1, shape[0], shape[1], shape[2]});
        CHECK(sampled_error(a, "activation/" + layer) <= 1e-5);  // PyTorch's own f32 is within 5e-7
        CHECK(mean(a).item<double>() ==
              Approx(golden().at("activation/" + layer + "/mean").item<double>()).epsilon(1e-5));
        CHECK(amax(a, {0, 1, 2, 3}).item<double>() ==
              Approx(golden().at("activation/" + layer + "/absmax").item<double>()).epsilon(1e-5));
        if (!golden().contains("gram/" + layer + "/value")) continue;
        const Tensor g = gram(of_style.at(layer));
        CHECK(sampled_error(g, "gram/" + layer) <= 1e-5);
        CHECK(std::sqrt(sum(square(g)).item<double>()) ==
              Approx(golden().at("gram/" + layer + "/frobenius").item<double>()).epsilon(1e-5));
    }
}

TEST_CASE("VGG-19: layers by name, pooling, sizes", "[vgg19]") {
    if (!have_weights()) SKIP(kNoWeights);
    const Vgg19 network(kWeights);
    const NoGrad no_grad;
    const Tensor x = golden_picture("content");
    const models::Activations found = network.forward(x, {"conv2_1", "relu2_1", "pool1", "relu1_2"});
    CHECK(found.size() == 4);
    CHECK(found.at("pool1").shape() == Shape{1, 64, 24, 32});
    CHECK(sum(abs(relu(found.at("conv2_1")) - found.at("relu2_1"))).item() <=
          1e-3f * sum(found.at("relu2_1")).item());
    CHECK(amax(found.at("pool1"), {0, 1, 2, 3}).item() == amax(found.at("relu1_2"), {0, 1, 2, 3}).item());

    const Vgg19 averaging(kWeights, models::Pooling::average);
    CHECK(mean(averaging.forward(x, {"pool1"}).at("pool1")).item() ==
          Approx(mean(found.at("relu1_2")).item()).epsilon(1e-4));

    CHECK_THROWS_WITH(network.check_layers({"relu6_1"}), ContainsSubstring("there is no layer 'relu6_1'"));
    // As they are made; the same maps, with pooling on its own and in the convolution.
    for (const std::vector<std::string>& layers :
         {std::vector<std::string>{"pool2", "relu2_1", "conv2_1", "relu1_2"}, {"pool1", "relu2_1"}}) {
        std::vector<std::string> order;
        network.forward(x, layers, [&](const std::string& name, const Tensor& h) {
            order.push_back(name);
            CHECK(h.to_vector() == network.forward(x, layers).at(name).to_vector());
        });
        CHECK(order == (layers.size() == 4
                            ? std::vector<std::string>{"relu1_2", "conv2_1", "relu2_1", "pool2"}
                            : layers));
    }
    CHECK_THROWS_WITH(network.forward(zeros({1, 3, 15, 40}), {"relu5_1"}),
                      "[vgg19] a picture of 40x15 is too small to reach conv5_1: at least 16 pixels a side");
    CHECK_THROWS_WITH(network.forward(zeros({1, 1, 32, 32}), {"relu1_1"}),
                      "[vgg19] expected a picture (N,3,H,W), got (1,1,32,32)");
    CHECK(network.forward(zeros({1, 3, 16, 16}), {"relu5_1"}).at("relu5_1").shape() == Shape{1, 512, 1, 1});
}

TEST_CASE("VGG-19: weights that are not VGG-19's are refused by name", "[vgg19]") {
    if (!have_weights()) SKIP(kNoWeights);
    std::string path = weights_with("features.5.bias", {});
    CHECK_THROWS_WITH(Vgg19(path), ContainsSubstring("has no tensor features.5.bias"));
    path = weights_with("features.0.weight", zeros({64, 3, 5, 5}));
    CHECK_THROWS_WITH(Vgg19(path),
                      ContainsSubstring("features.0.weight should be f32 (64,3,3,3), is f32 (64,3,5,5)"));
    path = weights_with("features.2.bias", full({64}, std::numeric_limits<double>::quiet_NaN()));
    CHECK_THROWS_WITH(Vgg19(path), ContainsSubstring("features.2.bias holds a value that is not a number"));
    path = weights_with("features.30.weight", {});  // beyond conv5_1 a file may end
    CHECK_THROWS_WITH(Vgg19(path).check_layers({"relu5_2"}),
                      ContainsSubstring("there is no layer 'relu5_2'"));
    std::filesystem::remove(path);
    CHECK_THROWS_WITH(Vgg19("/nowhere/w.safetensors"), ContainsSubstring("/nowhere/w.safetensors"));
}

TEST_CASE("VGG-19: weights of others in bf16 run, with the command that converts them", "[vgg19]") {
    if (!have_weights()) SKIP(kNoWeights);
    CHECK(Vgg19(kWeights).remark().empty());
    const StateDict weights = io::load_tensors(kWeights).tensors;
    std::map<std::string, std::vector<uint16_t>> halves;
    std::vector<io::SafetensorsEntry> entries;
    for (const auto& [name, tensor] : weights) {
        std::vector<uint16_t>& upper = halves[name];
        for (const float value : tensor.to_vector<float>())
            upper.push_back(static_cast<uint16_t>(std::bit_cast<uint32_t>(value) >> 16));
        entries.push_back({name, "BF16", tensor.shape().dims(), std::as_bytes(std::span(upper))});
    }
    const std::vector<int16_t> classes = {1, 2, 3};
    entries.push_back({"classifier.codes", "I16", {3}, std::as_bytes(std::span(classes))});  // not looked at
    const io::ScratchFolder folder;
    const std::string path = folder / "of others.safetensors";
    io::write_safetensors(path, entries, {{"format", "pt"}});
    const Vgg19 network(path);
    CHECK_THAT(network.remark(),
               ContainsSubstring("of others.safetensors' was not made by tools/convert_vgg19.py") &&
                   ContainsSubstring("build/venv/bin/python tools/convert_vgg19.py '" + path + "' -o '" +
                                     folder / "of others-normalised.safetensors'"));
    const StateDict read = network.state_dict();
    for (const auto& [name, tensor] : weights) {
        const std::vector<float> got = read.at(name).to_vector<float>();
        bool same = true;
        for (size_t i = 0; i < got.size(); ++i)
            same &= std::bit_cast<uint32_t>(got[i]) == uint32_t{halves[name][i]} << 16;
        CHECK(same);
    }
    entries.erase(entries.begin());
    for (io::SafetensorsEntry& entry : entries) entry.name = "module." + entry.name;
    io::write_safetensors(path, entries);
    CHECK_THROWS_WITH(
        Vgg19(path),
        ContainsSubstring("has no tensor features.0.bias, it holds 'module.classifier.codes', "
                          "'module.features.0.weight', ") &&
            ContainsSubstring(" and 26 more; where these are VGG-19's by other names: build/venv"));
    for (const char* start : {"PK\3\4", "\x89HDF\r\n", "\x80\2"}) {
        io::write_file_atomically(path, std::string_view(start));
        CHECK_THROWS_WITH(Vgg19(path),
                          ContainsSubstring("is a file of PyTorch or Keras; convert it: build/venv"));
    }
}

TEST_CASE("the network's input and back is the identity", "[vgg19]") {
    const Tensor rgb = reshape(arange(12).to(DType::f32) / 12.0, {1, 3, 2, 2});
    CHECK(sum(abs(models::from_network_input(models::to_network_input(rgb)) - rgb)).item() < 1e-5f);
    CHECK(models::to_network_input(full({1, 3, 1, 1}, 0.485)).to_vector()[0] == Approx(0).margin(1e-6));
}

}  // namespace lily::testing
