// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/tensor.h"

namespace lily::io {

// Writes a tensor of f32, f64 or i64 as NumPy's .npy (format 1.0, little-endian, C order), atomically.
void save_npy(const std::string& path, const Tensor& tensor);

}  // namespace lily::io
