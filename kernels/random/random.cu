// SPDX-License-Identifier: MIT
// One thread per Philox block of two elements: the same bits as on the CPU.
#include "kernels/random/random.h"

#include "kernels/common/index.h"
#include "kernels/random/values.h"

namespace lily::kernels {
namespace LILY_CUDA_DEVICE {
namespace {

template <class T>
struct alignas(2 * sizeof(T)) Pair {
    T first, second;
};

// y[2b], y[2b+1] = make(block b); paired: pairs begin at y
template <class T, class Make>
__global__ void __launch_bounds__(kElementThreads)
    fill_kernel(RandomStream given, int64_t n, bool paired, Make make, T* y) {
    const RandomStream s = found(given);
    for (int64_t b = thread_index(); 2 * b < n; b += thread_count()) {
        Pair<T> pair;
        make(random_block(s, static_cast<uint64_t>(b)), pair.first, pair.second);
        if (paired && 2 * b + 1 < n) {
            *reinterpret_cast<Pair<T>*>(y + 2 * b) = pair;
            continue;
        }
        y[2 * b] = pair.first;
        if (2 * b + 1 < n) y[2 * b + 1] = pair.second;
    }
}

struct Uniform {
    __device__ void operator()(RandomBlock w, float& first, float& second) const {
        store_unit(w.first, first);
        store_unit(w.second, second);
    }
};
struct Normal {
    __device__ void operator()(RandomBlock w, float& first, float& second) const {
        const NormalPair pair = normal_pair(w);
        first = static_cast<float>(pair.first);
        second = static_cast<float>(pair.second);
    }
};
struct Words {
    __device__ void operator()(RandomBlock w, uint64_t& first, uint64_t& second) const {
        first = w.first;
        second = w.second;
    }
};
struct Integers {
    int64_t low;
    uint64_t range;
    __device__ int64_t value(uint64_t w) const {
        return static_cast<int64_t>(static_cast<uint64_t>(low) + scaled(w, range));
    }
    __device__ void operator()(RandomBlock w, int64_t& first, int64_t& second) const {
        first = value(w.first);
        second = value(w.second);
    }
};

template <class T, class Make>
void fill(Queue& queue, RandomStream s, int64_t n, Make make, T* y) {
    launch("random", queue, one_thread_each((n + 1) / 2), fill_kernel<T, Make>, s, n,
           reinterpret_cast<uintptr_t>(y) % sizeof(Pair<T>) == 0, make, y);
}

void uniform(Queue& queue, RandomStream s, int64_t n, float* y) { fill(queue, s, n, Uniform{}, y); }
void normal(Queue& queue, RandomStream s, int64_t n, float* y) { fill(queue, s, n, Normal{}, y); }
void words(Queue& queue, RandomStream s, int64_t n, uint64_t* y) { fill(queue, s, n, Words{}, y); }
void integers(Queue& queue, RandomStream s, int64_t n, int64_t low, uint64_t range, int64_t* y) {
    fill(queue, s, n, Integers{low, range}, y);
}

}  // namespace
}  // namespace LILY_CUDA_DEVICE

const RandomKernels<float>& random_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const RandomKernels<float> table{uniform, normal};
    return table;
}

const RandomIntegerKernels& random_integers_on(LILY_CUDA_DEVICE::Gpu) {
    using namespace LILY_CUDA_DEVICE;
    static const RandomIntegerKernels table{words, integers};
    return table;
}

}  // namespace lily::kernels
