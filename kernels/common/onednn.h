// SPDX-License-Identifier: MIT
// oneDNN's engine and stream for the CPU; included by *_cpu.cpp files only.
#pragma once

#include <oneapi/dnnl/dnnl.hpp>

namespace lily::kernels {

dnnl::engine& onednn_engine();
dnnl::stream& onednn_stream();

}  // namespace lily::kernels
