// SPDX-License-Identifier: MIT
// Four elements at a time where memory allows it, one at a time where not: any size, any alignment.
#pragma once

#include "kernels/common/launch.h"

namespace lily::kernels::LILY_CUDA_DEVICE {

inline constexpr int kPack = 4;

template <class T>
struct alignas(kPack * sizeof(T)) Pack {
    T lane[kPack];
};

// Do packs begin at all of these addresses? (A null pointer, an input that is left out, does not matter.)
template <class... T>
bool packable(const T*... pointers) {
    return ((reinterpret_cast<uintptr_t>(pointers) % sizeof(Pack<T>) == 0) && ...);
}

// The pack at p + i of an array of n elements; lanes beyond its end are `other`.
template <class T>
__device__ Pack<T> load_pack(const T* p, int64_t i, int64_t n, bool packed, T other = T(0)) {
    if (packed && i + kPack <= n) return *reinterpret_cast<const Pack<T>*>(p + i);
    Pack<T> pack;
    for (int k = 0; k < kPack; ++k) pack.lane[k] = i + k < n ? p[i + k] : other;
    return pack;
}
template <class T>
__device__ void store_pack(T* p, int64_t i, int64_t n, bool packed, const Pack<T>& pack) {
    if (packed && i + kPack <= n) {
        *reinterpret_cast<Pack<T>*>(p + i) = pack;
        return;
    }
    for (int k = 0; k < kPack; ++k)
        if (i + k < n) p[i + k] = pack.lane[k];
}

// out[i] = f(in[0][i], in[1][i], …) over n elements; `out` may be one of the inputs.
inline constexpr int kMapThreads = 256;

template <class F, class Out, class... In>
__global__ void __launch_bounds__(kMapThreads)
    map_kernel(int64_t n, bool packed, F f, Out* out, const In*... in) {
    for (int64_t i = thread_index() * kPack; i < n; i += thread_count() * kPack) {
        Pack<Out> result;
        const auto apply = [&](const Pack<In>&... packs) {
            for (int k = 0; k < kPack; ++k) result.lane[k] = f(packs.lane[k]...);
        };
        apply(load_pack(in, i, n, packed)...);
        store_pack(out, i, n, packed, result);
    }
}

template <class F, class Out, class... In>
void map(const char* who, const Queue& queue, int64_t n, F f, Out* out, const In*... in) {
    constexpr int64_t kMostBlocks = 1 << 16;
    launch(who, queue, {blocks_for(n, kMapThreads * kPack, kMostBlocks), dim3(kMapThreads)},
           map_kernel<F, Out, In...>, n, packable(out, in...), f, out, in...);
}

}  // namespace lily::kernels::LILY_CUDA_DEVICE
