// SPDX-License-Identifier: MIT
#include "kernels/random/random.h"

#include "kernels/common/parallel.h"

// kernels/random/values.h: no product and sum may be fused. For the same reason this file uses no
// parallel_for, whose bodies are compiled with FMA.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif
#include "kernels/random/values.h"

namespace lily::kernels {
namespace {

constexpr int64_t kWorthAFork = 2048;  // numbers; of a normal distribution they take some 35 ns each
constexpr int64_t kBlocks = 256;       // of a task

// body(b, last) for every block b of n elements; last: only the block's first element is asked for.
template <class Body>
void for_each_block(int64_t n, const Body& body) {
    const int64_t whole = n / 2;
    spread_tasks(ceil_div(whole, kBlocks), n >= kWorthAFork ? max_threads() : 1, [=](int64_t task) {
        for (int64_t b = task * kBlocks; b < std::min(whole, (task + 1) * kBlocks); ++b) body(b, false);
    });
    if (n % 2) body(whole, true);
}

template <class T>
void uniform(Queue&, RandomStream s, int64_t n, T* y) {
    for_each_block(n, [=](int64_t b, bool last) {
        const RandomBlock w = random_block(s, static_cast<uint64_t>(b));
        store_unit(w.first, y[2 * b]);
        if (!last) store_unit(w.second, y[2 * b + 1]);
    });
}

template <class T>
void normal(Queue&, RandomStream s, int64_t n, T* y) {
    for_each_block(n, [=](int64_t b, bool last) {
        const RandomBlock w = random_block(s, static_cast<uint64_t>(b));
        const NormalPair pair = normal_pair(w);
        y[2 * b] = static_cast<T>(pair.first);
        if (!last) y[2 * b + 1] = static_cast<T>(pair.second);
    });
}

void words(Queue&, RandomStream s, int64_t n, uint64_t* y) {
    for_each_block(n, [=](int64_t b, bool last) {
        const RandomBlock w = random_block(s, static_cast<uint64_t>(b));
        y[2 * b] = w.first;
        if (!last) y[2 * b + 1] = w.second;
    });
}

void integers(Queue&, RandomStream s, int64_t n, int64_t low, uint64_t range, int64_t* y) {
    const auto value = [=](uint64_t w) {
        return static_cast<int64_t>(static_cast<uint64_t>(low) + scaled(w, range));
    };
    for_each_block(n, [=](int64_t b, bool last) {
        const RandomBlock w = random_block(s, static_cast<uint64_t>(b));
        y[2 * b] = value(w.first);
        if (!last) y[2 * b + 1] = value(w.second);
    });
}

}  // namespace

template <class T>
const RandomKernels<T>& random(Device device) {
    static const RandomKernels<T> cpu{uniform<T>, normal<T>};
    return choose(
        "random", device, cpu, [](auto gpu) -> const auto& { return random_on(gpu); });
}
template const RandomKernels<float>& random(Device);
template const RandomKernels<double>& random(Device);

const RandomIntegerKernels& random_integers(Device device) {
    static const RandomIntegerKernels cpu{words, integers};
    return choose(
        "random", device, cpu, [](auto gpu) -> const auto& { return random_integers_on(gpu); });
}

}  // namespace lily::kernels
