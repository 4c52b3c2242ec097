// SPDX-License-Identifier: MIT
// What PyTorch computes with the same weights (tests/golden/make_vgg19.py), and the weights themselves.
#pragma once

#include <filesystem>
#include <string>

#include "framework/io/tensors.h"
#include "framework/ops.h"

namespace lily::testing {

inline const std::string kWeights = LILY_SOURCE_DIR "/weights/vgg19.safetensors";
inline bool have_weights() { return std::filesystem::exists(kWeights); }
inline const char* const kNoWeights = "weights/vgg19.safetensors is not there: run tools/convert_vgg19.py";

inline const StateDict& golden() {
    static const StateDict tensors =
        io::load_tensors(LILY_SOURCE_DIR "/tests/golden/vgg19.safetensors").tensors;
    return tensors;
}

inline Tensor golden_picture(const std::string& name) { return unsqueeze(golden().at(name), 0); }
// Where the golden optimisations start: the content picture with some grain.
inline Tensor golden_start() {
    return golden_picture("content") +
           (unsqueeze(golden().at("perturbation").to(DType::f32), 0) - 128.0) / 1024.0;
}

// Largest |got - want|, relative to the largest |want|, at the golden sample places.
inline double sampled_error(const Tensor& got, const std::string& key) {
    const auto values = got.to_vector<double>();
    const auto index = golden().at(key + "/index").to_vector<int64_t>();
    const auto want = golden().at(key + "/value").to_vector<double>();
    double error = 0, largest = 0;
    for (size_t i = 0; i < want.size(); ++i) {
        const double difference = std::fabs(values.at(static_cast<size_t>(index[i])) - want[i]);
        if (!(difference <= error)) error = difference;  // NaN is an error
        largest = std::max(largest, std::fabs(want[i]));
    }
    return error / largest;
}

}  // namespace lily::testing
