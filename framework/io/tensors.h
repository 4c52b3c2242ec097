// SPDX-License-Identifier: MIT
// Tensors to and from safetensors files.
#pragma once

#include <functional>
#include <map>
#include <string>

#include "framework/tensor.h"

namespace lily {

// Tensors by name, as modules and optimisers give and take them.
using StateDict = std::map<std::string, Tensor>;

namespace io {

struct LoadedTensors {
    StateDict tensors;
    std::map<std::string, std::string> metadata;
};

// Maps the file: nothing is read before it is used, and pages that are only read are shared with other
// processes. The tensors may be changed in place (copy on write): the file stays as it is. Data that is not
// aligned for its dtype is copied; F16 and BF16 become f32, which holds all their values. Other dtypes than
// these and F32, F64, I64 and U8 are an error. Only tensors whose name `wanted` says yes to are looked at.
LoadedTensors load_tensors(
    const std::string& path,
    const std::function<bool(const std::string&)>& wanted = [](auto&) { return true; });

// Row-major, whatever the memory format; atomically, so `path` may be the file that tensors were loaded from.
void save_tensors(const std::string& path, const StateDict& tensors,
                  const std::map<std::string, std::string>& metadata = {});

}  // namespace io
}  // namespace lily
