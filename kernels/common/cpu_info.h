// SPDX-License-Identifier: MIT
#pragma once

#include <string>

namespace lily::kernels {

std::string cpu_name();  // "AMD EPYC 9R14", or "an unknown CPU"
std::string onednn_version();

}  // namespace lily::kernels
