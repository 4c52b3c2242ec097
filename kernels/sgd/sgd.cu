// SPDX-License-Identifier: MIT
// All parameters in one launch.
#include "kernels/sgd/sgd.h"

#include <vector>

#include "kernels/common/many.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

struct Parameter {
    int64_t n;
    float *p, *b;
    const float* g;
    uint32_t first_block;
    bool is_first, packed;
};

struct Update {
    float given_lr, momentum, add, decay;
    bool nesterov;
    const float* replayed_lr;
    __device__ void operator()(const Parameter& a, int64_t begin, int64_t end) const {
        const float lr = replayed_lr ? *replayed_lr : given_lr;
        for (int64_t i = begin + threadIdx.x * kPack; i < end; i += kManyThreads * kPack) {
            Pack<float> g = load_pack(a.g, i, a.n, a.packed);
            Pack<float> p = load_pack<float>(a.p, i, a.n, a.packed);
            if (decay != 0)  // not 0 · inf
                for (int k = 0; k < kPack; ++k) g.lane[k] += decay * p.lane[k];
            if (a.b) {
                Pack<float> b = g;
                if (!a.is_first) {
                    const Pack<float> before = load_pack<float>(a.b, i, a.n, a.packed);
                    for (int k = 0; k < kPack; ++k) b.lane[k] = momentum * before.lane[k] + add * g.lane[k];
                }
                store_pack(a.b, i, a.n, a.packed, b);
                for (int k = 0; k < kPack; ++k)
                    g.lane[k] = nesterov ? g.lane[k] + momentum * b.lane[k] : b.lane[k];
            }
            for (int k = 0; k < kPack; ++k) p.lane[k] -= lr * g.lane[k];
            store_pack(a.p, i, a.n, a.packed, p);
        }
    }
};

void update(Queue& queue, const SgdSettings& s, std::span<const SgdParameter<float>> given) {
    std::vector<Parameter> parameters;
    for (const SgdParameter<float>& a : given)
        parameters.push_back({a.n, a.p, a.b, a.g, 0, a.is_first, packable(a.p, a.b, a.g)});
    const int64_t blocks = place_pieces(parameters);
    for_each_piece(
        "sgd", queue, parameters, blocks,
        Update{static_cast<float>(s.lr), static_cast<float>(s.momentum), static_cast<float>(1 - s.dampening),
               static_cast<float>(s.weight_decay), s.nesterov, s.replayed_lr});
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const SgdKernels<float>& sgd_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const SgdKernels<float> table{update};
    return table;
}

}  // namespace lily::kernels
