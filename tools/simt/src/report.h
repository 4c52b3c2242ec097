// SPDX-License-Identifier: MIT
#pragma once

#include <string>

#include "simt/simt.h"

namespace simt {

// Completes the text of a fault, keeps it, and prints it or aborts, as the program chose.
void report_in_kernel(Fault fault, dim3 grid, dim3 block, const std::string& function);
void report_in_host(Fault fault, const void* site);
void report_in_host(FaultKind kind, cudaError_t error, const std::string& what, const std::string& kernel,
                    const void* site, const void* address = nullptr);
void notice(const std::string& what);  // nothing is wrong, but somebody should know
void forget_reports();

}  // namespace simt
