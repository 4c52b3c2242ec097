// SPDX-License-Identifier: MIT
// cuBLAS, cuBLASLt and cuDNN are loaded when a program first asks for the CUDA device, not when it starts: a
// binary built with CUDA runs where they are not installed. Kernels call them as usual; each function is a
// jump (written by cmake/library_calls.cmake) to an address that load_libraries() fills in.
#pragma once

#include <span>
#include <string>

namespace lily::kernels::cuda {

enum class Library { cublas, cublasLt, cudnn };

struct LibraryCall {
    Library library;
    const char* name;
};

// What the build knows of them.
struct LibraryCalls {
    const char *cublas, *cublas_lt, *cudnn;  // file names: "libcublas.so.13"
    const char* build_dir;                   // where the toolkit had them; asked after the system's places
    std::span<const LibraryCall> calls;
    void** targets;  // of each call
};
LibraryCalls library_calls();

// Loads them, once. "", or which is missing: "libcudnn.so.9: cannot open shared object file: …".
const std::string& libraries_problem();

}  // namespace lily::kernels::cuda

// What a function does whose library is not there: its status is an error, and its text says so.
extern "C" int lily_no_library_status();
extern "C" const char* lily_no_library_text();
