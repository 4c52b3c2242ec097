// SPDX-License-Identifier: MIT
// One thread per Philox block of four elements: the same mask as on the CPU.
#include "kernels/dropout/dropout.h"

#include "kernels/common/packs.h"
#include "kernels/random/philox.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int kThreads = 256;

__global__ void __launch_bounds__(kThreads) apply_kernel(RandomStream given, uint64_t threshold, float scale,
                                                         int64_t n, bool packed, const float* x, float* y) {
    static_assert(kPack == 4);
    const RandomStream s = found(given);
    for (int64_t b = thread_index(); kPack * b < n; b += thread_count()) {
        const PhiloxCounter w = philox_block(s, static_cast<uint64_t>(b));
        Pack<float> pack = load_pack(x, kPack * b, n, packed);
        for (int k = 0; k < kPack; ++k) pack.lane[k] = w.word[k] >= threshold ? pack.lane[k] * scale : 0.0f;
        store_pack(y, kPack * b, n, packed, pack);
    }
}

void apply(Queue& queue, RandomStream s, double p, int64_t n, const float* x, float* y) {
    constexpr int64_t kMostBlocks = 1 << 16;
    launch("dropout", queue, {blocks_for(n, kThreads * kPack, kMostBlocks), dim3(kThreads)}, apply_kernel, s,
           dropout_threshold(p), static_cast<float>(p < 1 ? 1 / (1 - p) : 0), n, packable(x, y), x, y);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const DropoutKernels<float>& dropout_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const DropoutKernels<float> table{apply};
    return table;
}

}  // namespace lily::kernels
