// SPDX-License-Identifier: MIT
// Comparison with tests/golden/ops.safetensors: inputs, results and gradients computed by PyTorch in f64.
#pragma once

#include <string>
#include <vector>

#include "tests/framework/check_op.h"

namespace lily::testing {

// The tensor `name` of the file, f64.
Tensor golden(const std::string& name);

// CHECKs op(inputs) and every gradient for case `name`: NAME/INPUT, NAME/y, NAME/dy, NAME/dINPUT. In f64 and
// f32.
void check_golden(const std::string& name, const std::vector<std::string>& inputs,
                  const std::function<Tensor(const Tensors&)>& op);

}  // namespace lily::testing
