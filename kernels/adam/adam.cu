// SPDX-License-Identifier: MIT
// All parameters in one launch.
#include "kernels/adam/adam.h"

#include <vector>

#include "kernels/common/many.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

struct Parameter {
    int64_t n;
    float *p, *m, *v;
    const float* g;
    const AdamNumbers* replayed;
    AdamNumbers given;
    uint32_t first_block;
    bool packed;
};

struct Settings {
    float beta1, rest1, beta2, rest2, decay;
};

struct Update {
    Settings s;
    __device__ void operator()(const Parameter& a, int64_t begin, int64_t end) const {
        const AdamNumbers now = a.replayed ? *a.replayed : a.given;
        for (int64_t i = begin + threadIdx.x * kPack; i < end; i += kManyThreads * kPack) {
            const Pack<float> grad = load_pack(a.g, i, a.n, a.packed);
            Pack<float> p = load_pack<float>(a.p, i, a.n, a.packed),
                        m = load_pack<float>(a.m, i, a.n, a.packed),
                        v = load_pack<float>(a.v, i, a.n, a.packed);
            for (int k = 0; k < kPack; ++k) {
                const float g =
                    s.decay != 0 ? grad.lane[k] + s.decay * p.lane[k] : grad.lane[k];  // not 0 · inf
                m.lane[k] = s.beta1 * m.lane[k] + s.rest1 * g;
                v.lane[k] = s.beta2 * v.lane[k] + s.rest2 * g * g;
                p.lane[k] = now.keep * p.lane[k] - now.step_size * (m.lane[k] / (sqrtf(v.lane[k]) + now.eps));
            }
            store_pack(a.p, i, a.n, a.packed, p);
            store_pack(a.m, i, a.n, a.packed, m);
            store_pack(a.v, i, a.n, a.packed, v);
        }
    }
};

Settings for_kernels(const AdamSettings& s) {
    return {static_cast<float>(s.beta1), static_cast<float>(1 - s.beta1), static_cast<float>(s.beta2),
            static_cast<float>(1 - s.beta2), static_cast<float>(s.decoupled ? 0 : s.weight_decay)};
}

Parameter for_kernels(const AdamSettings& s, const AdamParameter<float>& a) {
    return {a.n, a.p, a.m, a.v, a.g, a.replayed, adam_numbers(s, a.step), 0, packable(a.p, a.m, a.v, a.g)};
}

void update(Queue& queue, const AdamSettings& settings, std::span<const AdamParameter<float>> given) {
    std::vector<Parameter> parameters;
    for (const AdamParameter<float>& a : given) parameters.push_back(for_kernels(settings, a));
    const int64_t blocks = place_pieces(parameters);
    for_each_piece("adam", queue, parameters, blocks, Update{for_kernels(settings)});
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const AdamKernels<float>& adam_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const AdamKernels<float> table{update};
    return table;
}

}  // namespace lily::kernels
