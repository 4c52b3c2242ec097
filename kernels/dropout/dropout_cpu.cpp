// SPDX-License-Identifier: MIT
#include "kernels/dropout/dropout.h"

#include "kernels/common/parallel.h"
#include "kernels/random/philox.h"

namespace lily::kernels {
namespace {

// Elements [4 begin, 4 begin + 4 kBlocks): kBlocks counters side by side, one word of each in a vector.
constexpr int kBlocks = 16;
template <class T>
inline void apply_blocks(RandomStream s, uint64_t threshold, T scale, int64_t begin, const T* x, T* y) {
    uint32_t word[4][kBlocks];
    for (int b = 0; b < kBlocks; ++b) {
        const uint64_t at = s.counter + static_cast<uint64_t>(begin + b);
        word[0][b] = static_cast<uint32_t>(at);
        word[1][b] = static_cast<uint32_t>(at >> 32);
        word[2][b] = static_cast<uint32_t>(s.stream);
        word[3][b] = static_cast<uint32_t>(s.stream >> 32);
    }
    uint32_t key0 = static_cast<uint32_t>(s.seed), key1 = static_cast<uint32_t>(s.seed >> 32);
    for (int round = 0; round < 10; ++round) {  // philox4x32
        for (int b = 0; b < kBlocks; ++b) {
            const uint64_t p = uint64_t{0xD2511F53} * word[0][b], q = uint64_t{0xCD9E8D57} * word[2][b];
            word[0][b] = static_cast<uint32_t>(q >> 32) ^ word[1][b] ^ key0;
            word[2][b] = static_cast<uint32_t>(p >> 32) ^ word[3][b] ^ key1;
            word[1][b] = static_cast<uint32_t>(q);
            word[3][b] = static_cast<uint32_t>(p);
        }
        key0 += 0x9E3779B9;
        key1 += 0xBB67AE85;
    }
    for (int b = 0; b < kBlocks; ++b)
        for (int k = 0; k < 4; ++k) {
            const int64_t i = 4 * (begin + b) + k;
            y[i] = word[k][b] >= threshold ? x[i] * scale : T(0);
        }
}

template <class T>
void apply(Queue&, RandomStream s, double p, int64_t n, const T* x, T* y) {
    const uint64_t threshold = dropout_threshold(p);
    const T scale = static_cast<T>(p < 1 ? 1 / (1 - p) : 0);
    const auto one_block = [=](int64_t b) {
        const PhiloxCounter w = philox_block(s, static_cast<uint64_t>(b));
        for (int64_t k = 0; k < 4 && 4 * b + k < n; ++k)
            y[4 * b + k] = w.word[k] >= threshold ? x[4 * b + k] * scale : T(0);
    };
    parallel_for((n + 3) / 4, kGrain / 4, [=](int64_t begin, int64_t end) {
        int64_t b = begin;
        if constexpr (std::is_same_v<T, float>)
            for (; b + kBlocks <= end && 4 * (b + kBlocks) <= n; b += kBlocks)
                apply_blocks(s, threshold, scale, b, x, y);
        for (; b < end; ++b) one_block(b);
    });
}

}  // namespace

template <class T>
const DropoutKernels<T>& dropout(Device device) {
    static const DropoutKernels<T> cpu{apply<T>};
    return choose(
        "dropout", device, cpu, [](auto gpu) -> const auto& { return dropout_on(gpu); });
}
template const DropoutKernels<float>& dropout(Device);
template const DropoutKernels<double>& dropout(Device);

}  // namespace lily::kernels
