// SPDX-License-Identifier: MIT
#include "kernels/random/random.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/parallel.h"
#include "kernels/random/philox.h"

// The bits of a normal must be the same everywhere: +, -, ·, / and √ are, as long as no compiler fuses a
// product and a sum on machines that can. For the same reason this file uses no log, sin or cos of the C
// library and no parallel_for, whose bodies are compiled with FMA.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#elif defined(__GNUC__)
#pragma GCC optimize("fp-contract=off")
#endif

namespace lily::kernels {
namespace {

struct Block {
    uint64_t first, second;
};

Block block(RandomStream s, uint64_t b) {
    const uint64_t at = s.counter + b;
    const PhiloxCounter c{static_cast<uint32_t>(at), static_cast<uint32_t>(at >> 32), 0, 0};
    const PhiloxCounter w =
        philox4x32(c, {static_cast<uint32_t>(s.seed), static_cast<uint32_t>(s.seed >> 32)});
    return {uint64_t{w[1]} << 32 | w[0], uint64_t{w[3]} << 32 | w[2]};
}

double unit(uint64_t word) { return static_cast<double>(static_cast<int64_t>(word >> 11)) * 0x1p-53; }
void store_unit(uint64_t word, double& y) { y = unit(word); }
void store_unit(uint64_t word, float& y) {
    y = static_cast<float>(static_cast<int32_t>(word >> 40)) * 0x1p-24f;
}

// ln x for normal x > 0: x = 2^e m with m in [√½, √2), ln m = 2 artanh f, f = (m-1)/(m+1), |f| < 0.1716.
double natural_log(double x) {
    int e;
    double m = std::frexp(x, &e);  // exact
    if (m < 0.70710678118654752440) {
        m *= 2;
        --e;
    }
    const double f = (m - 1) / (m + 1), s = f * f;
    double p = 0;  // s/3 + s²/5 + … + s^11/23
    for (int k = 23; k >= 3; k -= 2) p = (p + 1.0 / k) * s;
    return 2 * f * p + 2 * f + e * 0.69314718055994530942;
}

// cos and sin of 2πv: the nearest quarter turn, and Taylor series for the rest, at most π/4.
void turn(double v, double& cosine, double& sine) {
    const double quarters = v * 4;
    const int q = static_cast<int>(quarters + 0.5);
    const double x = (quarters - q) * 1.57079632679489661923, s = x * x;  // the difference is exact
    double c = 1, n = 1;
    for (int k = 16; k >= 2; k -= 2) c = 1 - s * (1.0 / (k * (k - 1))) * c;
    for (int k = 17; k >= 3; k -= 2) n = 1 - s * (1.0 / (k * (k - 1))) * n;
    n *= x;
    const double along = q % 2 ? n : c, across = q % 2 ? c : n;
    cosine = q == 1 || q == 2 ? -along : along;
    sine = q == 2 || q == 3 ? -across : across;
}

// body(b, last) for every block b of n elements; last: only the block's first element is asked for.
template <class Body>
void for_each_block(int64_t n, const Body& body) {
    const int64_t whole = n / 2;
#pragma omp parallel for schedule(static) num_threads(max_threads()) if (n > kGrain)
    for (int64_t b = 0; b < whole; ++b) body(b, false);
    if (n % 2) body(whole, true);
}

template <class T>
void uniform(Queue&, RandomStream s, int64_t n, T* y) {
    for_each_block(n, [=](int64_t b, bool last) {
        const Block w = block(s, static_cast<uint64_t>(b));
        store_unit(w.first, y[2 * b]);
        if (!last) store_unit(w.second, y[2 * b + 1]);
    });
}

template <class T>
void normal(Queue&, RandomStream s, int64_t n, T* y) {
    for_each_block(n, [=](int64_t b, bool last) {
        const Block w = block(s, static_cast<uint64_t>(b));
        const double radius = std::sqrt(-2 * natural_log(1 - unit(w.first)));  // 1-u is in (0, 1]
        double cosine, sine;
        turn(unit(w.second), cosine, sine);
        y[2 * b] = static_cast<T>(radius * cosine);
        if (!last) y[2 * b + 1] = static_cast<T>(radius * sine);
    });
}

void words(Queue&, RandomStream s, int64_t n, uint64_t* y) {
    for_each_block(n, [=](int64_t b, bool last) {
        const Block w = block(s, static_cast<uint64_t>(b));
        y[2 * b] = w.first;
        if (!last) y[2 * b + 1] = w.second;
    });
}

// ⌊w · range / 2^64⌋, from 32-bit halves. No value is more than range / 2^64 too likely.
uint64_t scaled(uint64_t w, uint64_t range) {
    const uint64_t low = (w & 0xffffffff) * (range & 0xffffffff) >> 32;
    const uint64_t middle = (w >> 32) * (range & 0xffffffff) + low;
    const uint64_t cross = (w & 0xffffffff) * (range >> 32) + (middle & 0xffffffff);
    return (w >> 32) * (range >> 32) + (middle >> 32) + (cross >> 32);
}

void integers(Queue&, RandomStream s, int64_t n, int64_t low, uint64_t range, int64_t* y) {
    const auto value = [=](uint64_t w) {
        return static_cast<int64_t>(static_cast<uint64_t>(low) + scaled(w, range));
    };
    for_each_block(n, [=](int64_t b, bool last) {
        const Block w = block(s, static_cast<uint64_t>(b));
        y[2 * b] = value(w.first);
        if (!last) y[2 * b + 1] = value(w.second);
    });
}

}  // namespace

template <class T>
const RandomKernels<T>& random(Device device) {
    static const RandomKernels<T> cpu{uniform<T>, normal<T>};
    return choose("random", device, Implementations<RandomKernels<T>>{.cpu = &cpu});
}
template const RandomKernels<float>& random(Device);
template const RandomKernels<double>& random(Device);

const RandomIntegerKernels& random_integers(Device device) {
    static const RandomIntegerKernels cpu{words, integers};
    return choose("random", device, Implementations<RandomIntegerKernels>{.cpu = &cpu});
}

}  // namespace lily::kernels
