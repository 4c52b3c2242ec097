// SPDX-License-Identifier: MIT
// What every call of the API has in common: the lock, the sticky error, the last error, the launch nobody
// checked.
#pragma once

#include <mutex>
#include <string>

#include "cuda_runtime_api.h"
#include "simt/simt.h"

namespace simt {

std::recursive_mutex& api_mutex();

// The error of a fault in a kernel stays: every later call returns it, until the device is reset.
cudaError_t sticky_error();
void set_sticky_error(cudaError_t error);

void count_call(const char* name);

class Call {
  public:
    Call(const char* name, const void* site, bool reads_error = false);
    const void* site() const { return site_; }
    const char* name() const { return name_; }

    // Runs the body unless the device is broken; what it returns becomes the last error.
    template <class Body>
    cudaError_t operator()(Body body) const {
        if (sticky_error() != cudaSuccess) return keep(sticky_error());
        return keep(body());
    }
    cudaError_t keep(cudaError_t error) const;
    // A mistake of the caller: a report, and the error to return.
    cudaError_t mistake(FaultKind kind, cudaError_t error, const std::string& what,
                        const std::string& kernel = "") const;

  private:
    const std::lock_guard<std::recursive_mutex> lock_;
    const char* name_;
    const void* site_;
};

// With LILY_SIMT_COUNTS=folder in the environment, the end of the program writes there which kernels and
// which functions of the API it contained and ran; tools/run_tests.py adds them up.
void write_counts_at_exit();

// A launch has failed: somebody has to ask for the error before the next call.
void launch_failed(const std::string& kernel, const void* site, cudaError_t error);

}  // namespace simt
