// SPDX-License-Identifier: MIT
// What the compiler says about the kernels in an object file that nvcc made: the machine code of each
// architecture is an ELF file of its own inside of it (a cubin).
#pragma once

#include <cstddef>
#include <string>
#include <vector>

namespace lily::tools {

struct CompiledKernel {
    std::string name;    // mangled
    int capability = 0;  // 90: sm_90
    int registers = 0;   // per thread
    int threads = 0;     // per block, from __launch_bounds__; 0 without them
    size_t shared = 0;   // bytes per block that the source asks for, without the dynamic ones
    size_t stack = 0;    // bytes per thread, for arrays that are not in registers, and for spilled registers
    bool dynamic = false;  // all of its shared memory is what the launch asks for
    int barriers = 0;      // __syncthreads and their like
};

// Empty for an object without kernels. Throws if the file cannot be read.
std::vector<CompiledKernel> kernels_in(const std::string& object);

}  // namespace lily::tools
