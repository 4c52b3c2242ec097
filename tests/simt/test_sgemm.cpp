// SPDX-License-Identifier: MIT
// Matrix products on the software GPU: right and clean, and what each level of checking costs.
//   LILY_SIMT_THREADS=1 build/release/tests/test_simt "simt: the time of*"
#include <algorithm>
#include <cstdio>
#include <ctime>

#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

using Sgemm = cudaError_t (*)(const Shape&, const float*, const float*, float*, int);

// CPU time of one product of n x n matrices at that level, in ms.
double run_sgemm(Sgemm sgemm, int n, dim3 block, simt::Xray level) {
    const FreshDevice device(level);
    const auto count = static_cast<size_t>(n) * static_cast<size_t>(n);
    std::vector<float> a(count), b(count);
    for (size_t i = 0; i < count; ++i) {
        a[i] = static_cast<float>(i * 7 % 5) - 2;
        b[i] = static_cast<float>(i * 11 % 3) - 1;
    }
    const Array<float> da(a), db(b), dc(count);
    const auto un = static_cast<unsigned>(n);
    const dim3 grid((un + block.x - 1) / block.x, (un + block.y - 1) / block.y);
    const auto begin = std::clock();
    REQUIRE(sgemm({.grid = grid, .block = block}, da, db, dc, n) == cudaSuccess);
    REQUIRE(cudaDeviceSynchronize() == cudaSuccess);
    const double ms = 1e3 * static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    CHECK(simt::last_report() == "");
    const auto c = dc.values();
    const auto wide = static_cast<size_t>(n);
    for (size_t at = 0; at < count; at += 37) {
        float wanted = 0;
        for (size_t k = 0; k < wide; ++k) wanted += a[at / wide * wide + k] * b[k * wide + at % wide];
        REQUIRE(c[at] == wanted);
    }
    return ms;
}

constexpr simt::Xray kLevels[] = {simt::Xray::off, simt::Xray::faults, simt::Xray::full};

void print_times(const char* name, Sgemm sgemm, dim3 block) {
    double best[3] = {1e9, 1e9, 1e9};
    for (int round = 0; round < 5; ++round)
        for (int level = 0; level < 3; ++level)
            best[level] = std::min(best[level], run_sgemm(sgemm, 256, block, kLevels[level]));
    std::printf("%-14s off %6.1f ms  faults %6.1f ms  full %6.1f ms\n", name, best[0], best[1], best[2]);
}

}  // namespace

TEST_CASE("simt: matrix products are right and clean at every level", "[simt]") {
    for (const simt::Xray level : kLevels) {
        run_sgemm(naive_sgemm, 64, dim3(32, 8), level);
        run_sgemm(naive_sgemm, 50, dim3(16, 16), level);
        run_sgemm(tiled_sgemm, 64, dim3(16, 16), level);
    }
}

TEST_CASE("simt: the time of a naive matrix product", "[.][simt][time]") {
    print_times("naive (16,16)", naive_sgemm, dim3(16, 16));
    print_times("naive (32,8)", naive_sgemm, dim3(32, 8));
}

TEST_CASE("simt: the time of a tiled matrix product", "[.][simt][time]") {
    print_times("tiled (16,16)", tiled_sgemm, dim3(16, 16));
}

}  // namespace lily::testing
