// SPDX-License-Identifier: MIT
#pragma once

#include <exception>

namespace lily::kernels {

// Whether this is what C++ or oneDNN throws where the system gives no more memory.
bool is_out_of_memory(const std::exception& error);

}  // namespace lily::kernels
