// SPDX-License-Identifier: MIT
// What PyTorch computes of StyleGAN in small (tests/golden/make_stylegan.py), with the same weights.
#pragma once

#include <cmath>
#include <string>

#include "framework/io/tensors.h"
#include "framework/nn/module.h"
#include "framework/ops.h"
#include "framework/random.h"
#include "models/stylegan/trainer.h"
#include "tests/catch.h"

namespace lily::testing {

inline const StateDict& golden_stylegan() {
    static const StateDict tensors =
        io::load_tensors(LILY_SOURCE_DIR "/tests/golden/stylegan.safetensors").tensors;
    return tensors;
}

// The golden tensors below `prefix`.
inline StateDict golden_part(const std::string& prefix, DType dtype) {
    StateDict part;
    for (const auto& [name, tensor] : golden_stylegan())
        if (name.starts_with(prefix)) part[name.substr(prefix.size())] = tensor.to(dtype);
    REQUIRE(!part.empty());
    return part;
}

inline models::StyleGanOptions golden_options(int64_t classes, DType dtype) {
    return {.resolution = 16,
            .channels = 3,
            .classes = classes,
            .latent = 6,
            .width = 5,
            .mapping_layers = 3,
            .feature_base = 16,
            .feature_max = 4,
            .dtype = dtype};
}

constexpr int64_t kGoldenBatch = 8;

inline Tensor golden_reals(Generator& random, const models::StyleGanOptions& o) {
    const Tensor numbers =
        rand({kGoldenBatch, o.channels, o.resolution, o.resolution}, random, {.dtype = DType::f64});
    return affine(numbers, 2, -1).to(o.dtype);
}

inline std::vector<int64_t> golden_labels(int64_t classes) {
    std::vector<int64_t> labels;
    for (int64_t i = 0; classes > 0 && i < kGoldenBatch; ++i) labels.push_back(i % classes);
    return labels;
}

// Largest |got - want|, relative to the largest |want|, at least 1e-4; NaN is an error.
inline double golden_error(const Tensor& got, const Tensor& want) {
    const auto a = got.to_vector<double>(), b = want.to_vector<double>();
    REQUIRE(got.shape() == want.shape());
    double error = 0, largest = 1e-4;
    for (size_t i = 0; i < a.size(); ++i) {
        if (const double e = std::fabs(a[i] - b[i]); !(e <= error)) error = e;
        largest = std::max(largest, std::fabs(b[i]));
    }
    return error / largest;
}

inline void check_golden(const Tensor& got, const std::string& key, double tolerance) {
    INFO(key);
    REQUIRE(golden_stylegan().contains(key));
    const double error = golden_error(got, golden_stylegan().at(key));
    CHECK(error <= tolerance);
}

// Of all parameters; none is 0 where PyTorch's is not.
inline void check_golden_gradients(const nn::Module& module, const std::string& prefix, double tolerance) {
    for (const auto& [name, parameter] : module.named_parameters()) {
        const Tensor gradient = parameter.grad();
        check_golden(gradient.defined() ? gradient : zeros_like(parameter), prefix + name, tolerance);
    }
}

}  // namespace lily::testing
