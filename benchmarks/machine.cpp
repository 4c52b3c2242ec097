// SPDX-License-Identifier: MIT
// What this machine can do at most: fused multiply-adds in f32, and reading and writing memory.
//   machine [--threads N] [--json]
// The arithmetic stays in registers and uses the widest instructions that the kernels would use
// (LILY_CPU_ISA asks for less). The memory is streamed through three arrays of 256 MiB, larger than caches
// are; what is counted is what the loop reads and writes, not the lines that a store may fetch first. The
// best round counts.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <memory>
#include <string>

#include "framework/error.h"
#include "kernels/common/parallel.h"

namespace {

using namespace lily::kernels;
using lily::check;

constexpr int kRounds = 5;
constexpr int kChains = 12;             // sums that do not wait for each other: latency 4, two units
constexpr int64_t kSteps = 30'000'000;  // a tenth of a second or so
constexpr int64_t kFloats = 1 << 26;    // of an array
constexpr int64_t kPieceFloats = 1 << 18;

typedef float Float4 __attribute__((vector_size(16)));
typedef float Float8 __attribute__((vector_size(32)));
typedef float Float16 __attribute__((vector_size(64)));

volatile float sink;  // what is computed is used

// The least seconds of `work` on all threads, of some rounds.
double least_seconds(const std::function<void()>& work) {
    double least = 1e300;
    for (int round = 0; round < kRounds; ++round) {
        const auto start = std::chrono::steady_clock::now();
        work();
        least =
            std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
    }
    return least;
}

// kSteps x kChains vectors of s ← s a + b, which a machine with FMA does in one instruction each.
template <class Vector>
void multiply_add(float a_value, float b_value) {
    vectorised(0, kSteps, [=](int64_t begin, int64_t end) {
        const Vector a = Vector{} + a_value, b = Vector{} + b_value;
        Vector sums[kChains];
#pragma GCC unroll 16
        for (int i = 0; i < kChains; ++i) sums[i] = b * static_cast<float>(i);
        for (int64_t step = begin; step < end; ++step) {
#pragma GCC unroll 16
            for (int i = 0; i < kChains; ++i) sums[i] = sums[i] * a + b;
        }
#pragma GCC unroll 16
        for (int i = 0; i < kChains; ++i) sink = sums[i][0];
    });
}

template <class Vector>
double fma_gflops() {
    const int threads = max_threads();
    const double seconds = least_seconds([&] {
#pragma omp parallel for schedule(static, 1) num_threads(threads)
        for (int t = 0; t < threads; ++t) multiply_add<Vector>(0.999f, 0.001f);
    });
    return 2e-9 * sizeof(Vector) / sizeof(float) * kChains * static_cast<double>(kSteps) * threads / seconds;
}

// y[i] ← f(x[i], z[i]) through whole arrays; in GB/s, each touched float counted once per array.
template <class Body>
double stream_gbytes(int arrays, const Body& body) {
    const double seconds = least_seconds([&] { parallel_for(kFloats, kPieceFloats, body); });
    return 1e-9 * arrays * static_cast<double>(kFloats * sizeof(float)) / seconds;
}

struct Machine {
    std::string isa;
    int threads;
    double fma_gflops, copy_gbytes, triad_gbytes;
};

Machine measure() {
    Machine m{
        .isa = "baseline", .threads = max_threads(), .fma_gflops = 0, .copy_gbytes = 0, .triad_gbytes = 0};
    if (cpu_isa() == Isa::avx512) m.isa = "avx512", m.fma_gflops = fma_gflops<Float16>();
    if (cpu_isa() == Isa::avx2) m.isa = "avx2", m.fma_gflops = fma_gflops<Float8>();
    if (cpu_isa() == Isa::baseline) m.fma_gflops = fma_gflops<Float4>();

    const auto array = [] {
        std::unique_ptr<float[]> floats(
            new float[kFloats]);  // uninitialised: each thread touches its pages first
        parallel_for(kFloats, kPieceFloats,
                     [p = floats.get()](int64_t begin, int64_t end) { std::fill(p + begin, p + end, 1.0f); });
        return floats;
    };
    const auto x = array(), y = array(), z = array();
    float* const to = y.get();
    const float *const one = x.get(), *const two = z.get();
    m.copy_gbytes = stream_gbytes(2, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] = one[i];
    });
    m.triad_gbytes = stream_gbytes(3, [=](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) to[i] = one[i] + 3.0f * two[i];
    });
    sink = y[kFloats / 2];
    return m;
}

void print(const Machine& m, bool json) {
    if (!json) {
        fmt::print(
            "{}, {} threads: {:.1f} GFLOP/s of f32 multiply-adds, copy {:.2f} GB/s, triad {:.2f} GB/s\n",
            m.isa, m.threads, m.fma_gflops, m.copy_gbytes, m.triad_gbytes);
        return;
    }
    fmt::print(R"({{"isa": "{}", "threads": {}, "fma_gflops": {:.2f}, )", m.isa, m.threads, m.fma_gflops);
    fmt::print("\"copy_gbytes\": {:.3f}, \"triad_gbytes\": {:.3f}}}\n", m.copy_gbytes, m.triad_gbytes);
}

}  // namespace

int main(int argc, char** argv) {
    try {
        bool json = false;
        for (int i = 1; i < argc; ++i) {
            const std::string word = argv[i];
            if (word == "--json") {
                json = true;
            } else {
                const int threads = word == "--threads" && i + 1 < argc ? std::atoi(argv[++i]) : 0;
                check(threads > 0, "usage: machine [--threads N] [--json]");
                set_max_threads(threads);
            }
        }
        print(measure(), json);
        return 0;
    } catch (const std::exception& error) {
        fmt::print(stderr, "machine: {}\n", error.what());
        return 1;
    }
}
