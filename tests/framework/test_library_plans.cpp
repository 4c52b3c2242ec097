// SPDX-License-Identifier: MIT
// What is made once per shape for CUDA's libraries, and how much of it is kept.
#include <map>

#include "framework/ops.h"
#include "tests/catch.h"

#if __has_include("simt/xray.h")  // not without the software GPU
#include "simt/xray.h"

namespace lily::testing {

TEST_CASE("linear: the plans of cuBLASLt are kept up to a number, the last ones asked for",
          "[linear][simt]") {
    if (!is_available(Device::simt)) SKIP("this build has no software GPU");
    constexpr int64_t kShapes = 300, kKept = 256;
    const auto calls = [](const char* wanted) {
        for (const auto& [name, count] : simt::api_calls())
            if (name == wanted) return static_cast<int64_t>(count);
        return int64_t{0};
    };
    const kernels::Engine before = kernels::gpu_engine();
    kernels::set_gpu_engine(kernels::Engine::library);
    const Tensor weight = ones({2, 4}, {.device = Device::simt});
    const auto ask = [&](int64_t rows) { linear(ones({rows, 4}, {.device = Device::simt}), weight); };
    const int64_t made = calls("cublasLtMatmulDescCreate"), freed = calls("cublasLtMatmulDescDestroy");
    for (int64_t rows = 1; rows <= kShapes; ++rows) ask(rows);
    CHECK(calls("cublasLtMatmulDescCreate") - made == kShapes);
    CHECK(calls("cublasLtMatmulDescDestroy") - freed >= kShapes - kKept);
    CHECK(calls("cublasLtMatrixLayoutDestroy") >= 3 * (kShapes - kKept));
    ask(kShapes);
    ask(kShapes - kKept + 1);
    CHECK(calls("cublasLtMatmulDescCreate") - made == kShapes);  // both are still there
    ask(1);
    CHECK(calls("cublasLtMatmulDescCreate") - made == kShapes + 1);
    kernels::set_gpu_engine(before);
}

}  // namespace lily::testing
#endif
