// SPDX-License-Identifier: MIT
// Who computes products and convolutions on a GPU, and how exactly.
#pragma once

#include <cstdint>

namespace lily::kernels {

// `library`: cuBLAS, cuBLASLt and cuDNN where they can; `own`: the kernels of kernels/*/*.cu; `rule`: by the
// shape alone, so that two runs of a program give the same bits. `measured`: as library, but cuDNN times its
// algorithms and takes the fastest, which may be another one in the next run.
enum class Engine : uint8_t { rule, library, own, measured };

// For work asked for from now on; at first the environment's LILY_GPU_ENGINE.
Engine gpu_engine();
void set_gpu_engine(Engine engine);

// The least work, in multiplications, that `rule` gives to a library: below it a product takes less time than
// its launch, and our own kernel comes without the library's look-ups. An estimate, not a measurement.
inline constexpr int64_t kLibraryWork = int64_t{1} << 18;

// How f32 factors may be rounded before tensor cores multiply them: not at all, to TF32's 10 bits of fraction
// or to bf16's 7. Sums are always in f32. The CPU's products are f32's at any setting.
enum class Precision : uint8_t { f32, tf32, bf16 };

// For work asked for from now on; f32 at first.
Precision product_precision();
void set_product_precision(Precision precision);

}  // namespace lily::kernels
