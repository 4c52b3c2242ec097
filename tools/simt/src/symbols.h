// SPDX-License-Identifier: MIT
// From addresses to names: lines of the sources, kernels, and the shared arrays of kernels.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace simt {

struct Frame {
    std::string file, function;
    int line = 0;
};
// Where a call that returns to this address stands: the innermost inlined frame that is not in our own
// headers.
Frame locate(const void* return_address);

std::string mangled_name(const void* function);
std::string kernel_name(const void* function);  // readable, without the parameters

// The program's thread-local variables, by offset in its block; in the kernels' sources these are __shared__
// arrays.
struct ThreadLocal {
    size_t offset, size;
    std::string name;  // mangled
    bool gap;          // of the __shared__ macro
};
const std::vector<ThreadLocal>& thread_locals();
std::string readable(const std::string& mangled);
std::string without_types(std::string name);

// The thread-local blocks of the calling thread, the program's first.
struct Range {
    uintptr_t begin, size;
};
std::vector<Range> thread_local_blocks();
// What the loaded modules occupy: code, constants, globals.
bool in_a_module(uintptr_t address);
Range program_range();

size_t static_shared_bytes(const void* kernel);

}  // namespace simt
