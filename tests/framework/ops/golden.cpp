// SPDX-License-Identifier: MIT
#include "tests/framework/ops/golden.h"

#include "framework/autograd.h"
#include "framework/io/safetensors.h"
#include "tests/catch.h"

namespace lily::testing {

Tensor golden(const std::string& name) {
    static const auto file = io::SafetensorsFile::open(LILY_SOURCE_DIR "/tests/golden/ops.safetensors");
    const auto& entry = file.at(name);
    return from_vector(file.values<double>(entry), Shape(entry.shape));
}

void check_golden(const std::string& name, const std::vector<std::string>& inputs,
                  const std::function<Tensor(const Tensors&)>& op) {
    for (const DType dtype : {DType::f64, DType::f32}) {
        const double tolerance = dtype == DType::f64 ? 1e-12 : 2e-6;
        Tensors xs;
        for (const std::string& input : inputs)
            xs.push_back(golden(name + "/" + input).to(dtype).set_requires_grad());
        const Tensor y = op(xs);
        INFO(name << " in " << lily::name(dtype));
        CHECK(difference(y, golden(name + "/y"), tolerance) == "");
        const Tensors gradients = grad(y, xs, {.dL_dy = golden(name + "/dy").to(dtype)});
        for (size_t i = 0; i < xs.size(); ++i)
            CHECK(difference(gradients[i], golden(name + "/d" + inputs[i]), tolerance) == "");
    }
}

}  // namespace lily::testing
