// SPDX-License-Identifier: MIT
// All parameters in one launch: their addresses travel as the kernel's argument, so nothing is copied and a
// captured graph can repeat it. More than kMost parameters take one launch per kMost.
#include "kernels/adam/adam.h"

#include <cmath>

#include "kernels/common/packs.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

constexpr int kThreads = 256;
constexpr int64_t kPiece = 4 * kThreads * kPack;  // elements per block

struct Parameter {
    int64_t n;
    float *p, *m, *v;
    const float* g;
    uint32_t first_block;
    float step_size, eps;  // lr √(1 - β₂ᵗ) / (1 - β₁ᵗ) and ε √(1 - β₂ᵗ): one division is enough
    bool packed;
};

template <int kCount>
struct List {
    int count = 0;
    Parameter entry[kCount];
};

struct Settings {
    float beta1, rest1, beta2, rest2, keep, decay;
};

template <int kCount>
__global__ void __launch_bounds__(kThreads)
    update_kernel(const __grid_constant__ List<kCount> list, Settings s) {
    int which = list.count - 1;  // the last parameter that begins at or before this block
    while (list.entry[which].first_block > blockIdx.x) --which;
    const Parameter& a = list.entry[which];
    const int64_t begin = static_cast<int64_t>(blockIdx.x - a.first_block) * kPiece;
    const int64_t end = begin + kPiece < a.n ? begin + kPiece : a.n;
    for (int64_t i = begin + threadIdx.x * kPack; i < end; i += kThreads * kPack) {
        const Pack<float> grad = load_pack(a.g, i, a.n, a.packed);
        Pack<float> p = load_pack<float>(a.p, i, a.n, a.packed), m = load_pack<float>(a.m, i, a.n, a.packed),
                    v = load_pack<float>(a.v, i, a.n, a.packed);
        for (int k = 0; k < kPack; ++k) {
            const float g = grad.lane[k] + s.decay * p.lane[k];
            m.lane[k] = s.beta1 * m.lane[k] + s.rest1 * g;
            v.lane[k] = s.beta2 * v.lane[k] + s.rest2 * g * g;
            p.lane[k] = s.keep * p.lane[k] - a.step_size * (m.lane[k] / (sqrtf(v.lane[k]) + a.eps));
        }
        store_pack(a.p, i, a.n, a.packed, p);
        store_pack(a.m, i, a.n, a.packed, m);
        store_pack(a.v, i, a.n, a.packed, v);
    }
}

template <int kCount>
void update_some(Queue& queue, const AdamSettings& s, std::span<const AdamParameter<float>> parameters) {
    List<kCount> list;
    int64_t blocks = 0;
    for (const AdamParameter<float>& a : parameters) {
        if (a.n == 0) continue;
        const double correction1 = 1 - std::pow(s.beta1, static_cast<double>(a.step));
        const double root2 = std::sqrt(1 - std::pow(s.beta2, static_cast<double>(a.step)));
        list.entry[list.count++] = {a.n,
                                    a.p,
                                    a.m,
                                    a.v,
                                    a.g,
                                    static_cast<uint32_t>(blocks),
                                    static_cast<float>(s.lr / correction1 * root2),
                                    static_cast<float>(s.eps * root2),
                                    packable(a.p, a.m, a.v, a.g)};
        blocks += (a.n + kPiece - 1) / kPiece;
    }
    const Settings settings{static_cast<float>(s.beta1),
                            static_cast<float>(1 - s.beta1),
                            static_cast<float>(s.beta2),
                            static_cast<float>(1 - s.beta2),
                            static_cast<float>(s.decoupled ? 1 - s.lr * s.weight_decay : 1),
                            static_cast<float>(s.decoupled ? 0 : s.weight_decay)};
    launch("adam", queue, {blocks_for(blocks, 1), dim3(kThreads)}, update_kernel<kCount>, list, settings);
}

void update(Queue& queue, const AdamSettings& settings, std::span<const AdamParameter<float>> parameters) {
    constexpr size_t kFew = 4, kMost = 56;  // a kernel may have 4 KB of arguments
    static_assert(sizeof(List<static_cast<int>(kMost)>) + sizeof(Settings) <= 4096);
    if (parameters.size() <= kFew) return update_some<kFew>(queue, settings, parameters);
    for (size_t first = 0; first < parameters.size(); first += kMost)
        update_some<kMost>(queue, settings,
                           parameters.subspan(first, std::min(kMost, parameters.size() - first)));
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const AdamKernels<float>& adam_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const AdamKernels<float> table{update};
    return table;
}

}  // namespace lily::kernels
