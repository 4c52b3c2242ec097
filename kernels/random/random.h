// SPDX-License-Identifier: MIT
// Random numbers by counter: elements 2b and 2b+1 come from Philox block `counter + b` alone, 64 bits each,
// so the values depend on neither threads nor vector width nor device. The seed is Philox's key, counter and
// stream are the two halves of its counter: what differs in one of the three shares no block. w is an
// element's 64-bit word:
//   uniform    u = ⌊w / 2^11⌋ / 2^53 in [0, 1); f32 is the same u, rounded down to 24 bits
//   normal     (r cos 2πv, r sin 2πv), r = √(-2 ln(1-u)), from the block's pair (u, v); f32 is rounded f64
//   integers   low + ⌊w · range / 2^64⌋
#pragma once

#include <cstdint>

#include "kernels/common/dispatch.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

struct RandomStream {
    uint64_t seed, counter, stream = 0;
    const RandomStream* replayed = nullptr;  // on a GPU: where the kernel finds the stream instead
};

// The blocks that n elements use up.
constexpr uint64_t random_blocks(int64_t n) { return (static_cast<uint64_t>(n) + 1) / 2; }

template <class T>
struct RandomKernels {
    void (*uniform)(Queue&, RandomStream, int64_t n, T* y);  // y (n)
    void (*normal)(Queue&, RandomStream, int64_t n, T* y);   // y (n), mean 0, variance 1
};
template <class T>
const RandomKernels<T>& random(Device device);
const RandomKernels<float>& random_on(simt::Gpu);  // random.cu
const RandomKernels<float>& random_on(cuda::Gpu);

struct RandomIntegerKernels {
    void (*words)(Queue&, RandomStream, int64_t n, uint64_t* y);  // y (n), 64 random bits each
    void (*integers)(Queue&, RandomStream, int64_t n, int64_t low, uint64_t range, int64_t* y);  // y (n)
};
const RandomIntegerKernels& random_integers(Device device);
const RandomIntegerKernels& random_integers_on(simt::Gpu);
const RandomIntegerKernels& random_integers_on(cuda::Gpu);

}  // namespace lily::kernels
