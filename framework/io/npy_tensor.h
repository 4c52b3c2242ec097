// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "framework/tensor.h"

namespace lily::io {

// The array of a NumPy file (framework/io/npy.h), of f32, f64, i64 or u8, and the reverse, atomically.
Tensor load_npy(const std::string& path);
void save_npy(const std::string& path, const Tensor& tensor);

}  // namespace lily::io
