// SPDX-License-Identifier: MIT
// For the length of a test: who computes on a GPU, and how exactly.
#pragma once

#include "kernels/common/engine.h"

namespace lily::testing {

class WithEngine {
  public:
    explicit WithEngine(kernels::Engine engine, kernels::Precision precision = kernels::Precision::f32) {
        kernels::set_gpu_engine(engine);
        kernels::set_product_precision(precision);
    }
    ~WithEngine() {
        kernels::set_gpu_engine(engine_);
        kernels::set_product_precision(precision_);
    }
    WithEngine(const WithEngine&) = delete;
    WithEngine& operator=(const WithEngine&) = delete;

  private:
    kernels::Engine engine_ = kernels::gpu_engine();
    kernels::Precision precision_ = kernels::product_precision();
};

inline const char* name(kernels::Engine engine) {
    constexpr const char* names[] = {"rule", "library", "own", "measured"};
    return names[static_cast<int>(engine)];
}

}  // namespace lily::testing
