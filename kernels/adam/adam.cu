// SPDX-License-Identifier: MIT
// All parameters in one launch. The addresses of up to kMost travel as the kernel's argument, so that nothing
// is copied; those of more go into a table in the GPU's memory first.
#include "kernels/adam/adam.h"

#include <cmath>
#include <vector>

#include "kernels/common/packs.h"
#include "kernels/common/staging.h"

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
    float step_size, root2;  // lr / (1 - β₁ᵗ) and √(1 - β₂ᵗ)
    bool packed;
};

template <int kCount>
struct List {
    int count = 0;
    Parameter entry[kCount];
};

struct Settings {
    float beta1, rest1, beta2, rest2, keep, decay, eps;
};

// This block's piece of the parameter.
__device__ void update_piece(const Parameter& a, const Settings& s) {
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
            p.lane[k] = s.keep * p.lane[k] - a.step_size * (m.lane[k] / (sqrtf(v.lane[k]) / a.root2 + s.eps));
        }
        store_pack(a.p, i, a.n, a.packed, p);
        store_pack(a.m, i, a.n, a.packed, m);
        store_pack(a.v, i, a.n, a.packed, v);
    }
}

template <int kCount>
__global__ void __launch_bounds__(kThreads)
    update_kernel(const __grid_constant__ List<kCount> list, Settings s) {
    int which = list.count - 1;  // the last parameter that begins at or before this block
    while (list.entry[which].first_block > blockIdx.x) --which;
    update_piece(list.entry[which], s);
}

__global__ void __launch_bounds__(kThreads)
    update_table_kernel(int count, const Parameter* table, Settings s) {
    int first = 0, last = count;  // [first, last) has the last parameter that begins at or before this block
    while (last - first > 1) {
        const int middle = (first + last) / 2;
        (table[middle].first_block <= blockIdx.x ? first : last) = middle;
    }
    update_piece(table[first], s);
}

Settings for_kernels(const AdamSettings& s) {
    return {static_cast<float>(s.beta1),
            static_cast<float>(1 - s.beta1),
            static_cast<float>(s.beta2),
            static_cast<float>(1 - s.beta2),
            static_cast<float>(s.decoupled ? 1 - s.lr * s.weight_decay : 1),
            static_cast<float>(s.decoupled ? 0 : s.weight_decay),
            static_cast<float>(s.eps)};
}

Parameter for_kernels(const AdamSettings& s, const AdamParameter<float>& a, int64_t first_block) {
    const double correction1 = 1 - std::pow(s.beta1, static_cast<double>(a.step));
    const double correction2 = 1 - std::pow(s.beta2, static_cast<double>(a.step));
    return {a.n,
            a.p,
            a.m,
            a.v,
            a.g,
            static_cast<uint32_t>(first_block),
            static_cast<float>(s.lr / correction1),
            static_cast<float>(std::sqrt(correction2)),
            packable(a.p, a.m, a.v, a.g)};
}

template <int kCount>
void launch_list(Queue& queue, const std::vector<Parameter>& parameters, const Grid& grid, Settings s) {
    List<kCount> list;
    for (const Parameter& a : parameters) list.entry[list.count++] = a;
    launch("adam", queue, grid, update_kernel<kCount>, list, s);
}

void update(Queue& queue, const AdamSettings& settings, std::span<const AdamParameter<float>> given) {
    constexpr size_t kFew = 4, kMost = 56;  // a kernel may have 4 KB of arguments
    static_assert(sizeof(List<static_cast<int>(kMost)>) + sizeof(Settings) <= 4096);
    std::vector<Parameter> parameters;
    int64_t blocks = 0;
    for (const AdamParameter<float>& a : given) {
        if (a.n == 0) continue;
        parameters.push_back(for_kernels(settings, a, blocks));
        blocks += (a.n + kPiece - 1) / kPiece;
    }
    const Grid grid{blocks_for(blocks, 1), dim3(kThreads)};
    const Settings s = for_kernels(settings);
    if (parameters.size() <= kFew) return launch_list<kFew>(queue, parameters, grid, s);
    if (parameters.size() <= kMost) return launch_list<kMost>(queue, parameters, grid, s);
    const auto table = queue.scratch<Parameter>(static_cast<int64_t>(parameters.size()));
    upload("adam", stream(queue), table.data(), parameters.data(), parameters.size() * sizeof(Parameter));
    launch("adam", queue, grid, update_table_kernel, static_cast<int>(parameters.size()),
           static_cast<const Parameter*>(table.data()), s);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const AdamKernels<float>& adam_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const AdamKernels<float> table{update};
    return table;
}

}  // namespace lily::kernels
