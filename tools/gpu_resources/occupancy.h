// SPDX-License-Identifier: MIT
// How many of a kernel's warps a multiprocessor holds at once.
#pragma once

#include <vector>

#include "tools/gpu_resources/cubin.h"

namespace lily::tools {

// What the CUDA programming guide's "Technical Specifications per Compute Capability" says of a
// multiprocessor. All have 65536 registers, and 1024 threads at most in a block.
struct Multiprocessor {
    int capability;        // 89 for 8.9
    int threads, blocks;   // at once
    unsigned shared_kb;    // shared memory
    unsigned block_kb;     // of it a block may have, after asking for more than 48
    unsigned reserved_kb;  // of it the driver takes from each block
};
const std::vector<Multiprocessor>& multiprocessors();

// In percent of the warps that there is room for. Throws where the table has no such capability.
int occupancy_percent(const CompiledKernel& kernel);

}  // namespace lily::tools
