// SPDX-License-Identifier: MIT
// Kernels without a mistake: the results are right, at every level of checking, and nothing is reported.
#include <algorithm>
#include <numeric>

#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

const auto kLevels = {simt::Xray::off, simt::Xray::faults, simt::Xray::full};

// Runs the case at every level; a clean kernel is never reported.
template <class Case>
void at_every_level(Case run) {
    for (const simt::Xray level : kLevels) {
        const FreshDevice device(level);
        INFO("level " << static_cast<int>(level));
        run();
        CHECK(cudaDeviceSynchronize() == cudaSuccess);
        CHECK(cudaGetLastError() == cudaSuccess);
        CHECK(simt::last_report() == "");
    }
}

}  // namespace

TEST_CASE("simt: a grid-stride loop covers every element once", "[simt]") {
    at_every_level([] {
        for (const int n : {1, 31, 32, 33, 1023, 5000}) {
            const Array<float> x(counting(static_cast<size_t>(n))), y(static_cast<size_t>(n));
            REQUIRE(scale({.grid = 3, .block = 128}, y, x, 2, n) == cudaSuccess);
            const auto values = y.values();
            for (int i = 0; i < n; ++i)
                REQUIRE(values[static_cast<size_t>(i)] == 2 * static_cast<float>(i % 1000));
        }
    });
}

TEST_CASE("simt: every thread knows its coordinates", "[simt]") {
    at_every_level([] {
        const dim3 grid(3, 2, 2), block(5, 3, 2);
        const size_t threads = 12 * 30;
        const Array<int> out(9 * threads);
        REQUIRE(coordinates({.grid = grid, .block = block}, out) == cudaSuccess);
        const auto values = out.values();
        for (unsigned i = 0; i < threads; ++i) {
            const unsigned b = i / 30, t = i % 30;
            const std::vector<unsigned> wanted = {t % 5, t / 5 % 3, t / 15, b % 3, b / 3 % 2,
                                                  b / 6, 5,         3,      32};
            for (unsigned k = 0; k < 9; ++k) REQUIRE(values[9 * i + k] == static_cast<int>(wanted[k]));
        }
    });
}

TEST_CASE("simt: a block reduction by shuffles and shared memory", "[simt]") {
    at_every_level([] {
        for (const unsigned block : {32u, 64u, 256u, 1024u}) {
            const int n = 3000;
            const Array<float> x(counting(n)), y(4);
            REQUIRE(block_sum({.grid = 4, .block = block}, x, y, n) == cudaSuccess);
            const auto sums = y.values(), all = counting(n);
            CHECK(std::accumulate(sums.begin(), sums.end(), 0.0) ==
                  std::accumulate(all.begin(), all.end(), 0.0));
        }
    });
}

TEST_CASE("simt: dynamic shared memory, and more than 48 KB after opting in", "[simt]") {
    at_every_level([] {
        for (const size_t shared : {size_t{256} * 4, size_t{100} << 10}) {
            std::vector<int> numbers(512);
            std::iota(numbers.begin(), numbers.end(), 0);
            const Array<int> x(numbers), y(512);
            REQUIRE(reverse_dynamic({.grid = 2, .block = 256, .shared = shared}, x, y) == cudaSuccess);
            const auto values = y.values();
            for (int i = 0; i < 512; ++i)
                REQUIRE(values[static_cast<size_t>(i)] == i / 256 * 256 + 255 - i % 256);
        }
    });
}

TEST_CASE("simt: barriers that count and vote", "[simt]") {
    at_every_level([] {
        const Array<int> out(5);
        REQUIRE(predicates({.block = 70}, out) == cudaSuccess);
        CHECK(out.values() == std::vector<int>{35, 0, 1, 1, 0});
    });
}

TEST_CASE("simt: shuffles of every kind, width and type", "[simt]") {
    at_every_level([] {
        const Array<int> out(6 * 32);
        REQUIRE(shuffles({.block = 32}, out) == cudaSuccess);
        const auto values = out.values();
        for (int lane = 0; lane < 32; ++lane) {
            const int wanted[6] = {70,
                                   10 * (lane < 2 ? lane : lane - 2),
                                   10 * (lane > 28 ? lane : lane + 3),
                                   10 * (lane ^ 5),
                                   10 * (lane / 8 * 8 + 2),
                                   10 * (lane % 8 > 5 ? lane : lane + 2)};
            for (int k = 0; k < 6; ++k) REQUIRE(values[static_cast<size_t>(32 * k + lane)] == wanted[k]);
        }
        const Array<double> d(32);
        const Array<long long> l(32);
        const Array<float> f(32);
        REQUIRE(wide_shuffles({.block = 32}, d, l, f) == cudaSuccess);
        CHECK(d.values()[6] == 7.25);
        CHECK(l.values()[6] == (1LL << 40) + 7);
        CHECK(f.values()[6] == 5.5f);
    });
}

TEST_CASE("simt: votes, matches and reductions of a warp", "[simt]") {
    at_every_level([] {
        const Array<unsigned> out(4);
        REQUIRE(votes({.block = 32}, out) == cudaSuccess);
        CHECK(out.values() == std::vector<unsigned>{0x49249249u, 0b0101u, 0x0000ff00u, 1u});
        const Array<int> sums(6);
        REQUIRE(reductions({.block = 32}, sums) == cudaSuccess);
        CHECK(sums.values() == std::vector<int>{496, -5, -9, 31, 64, 31});
    });
}

TEST_CASE("simt: two groups of lanes take part in operations of their own", "[simt]") {
    at_every_level([] {
        const Array<int> out(32);
        REQUIRE(half_warps({.block = 32}, out) == cudaSuccess);
        const auto values = out.values();
        for (size_t lane = 0; lane < 32; ++lane) REQUIRE(values[lane] == (lane < 16 ? 120 : 31));
    });
}

TEST_CASE("simt: atomics from many blocks", "[simt]") {
    at_every_level([] {
        const Array<int> i(std::vector<int>(6, 0));
        const Array<float> f(std::vector<float>(1, 0));
        const Array<double> d(std::vector<double>(1, 0));
        const Array<unsigned> u(std::vector<unsigned>{0, 0, ~0u, 0});
        REQUIRE(atomics({.grid = 16, .block = 64}, i, f, d, u) == cudaSuccess);
        const auto ints = i.values();
        CHECK(ints[0] == 2048);
        CHECK(ints[1] == 1023);
        CHECK(ints[2] == -1023);
        CHECK(ints[3] == -1024);
        CHECK(ints[4] == 77);
        CHECK((ints[5] >= 1 && ints[5] <= 1024));
        CHECK(f.values()[0] == 512);
        CHECK(d.values()[0] == 256);
        CHECK(u.values() == std::vector<unsigned>{1024 % 10, ~0u, 0, 0});
    });
}

TEST_CASE("simt: transpose through a tile, at any size", "[simt]") {
    at_every_level([] {
        for (const int width : {1, 32, 45})
            for (const int height : {1, 31, 70}) {
                const auto n = static_cast<size_t>(width * height);
                const Array<float> x(counting(n)), y(n);
                const dim3 grid(unsigned(width + 31) / 32, unsigned(height + 31) / 32);
                REQUIRE(transpose({.grid = grid, .block = dim3(32, 8), .shared = 33 * 32 * 4}, x, y, width,
                                  height, true) == cudaSuccess);
                const auto values = y.values();
                for (int r = 0; r < height; ++r)
                    for (int c = 0; c < width; ++c)
                        REQUIRE(values[static_cast<size_t>(c * height + r)] ==
                                static_cast<float>((r * width + c) % 1000));
            }
    });
}

TEST_CASE("simt: vectors, bytes side by side, bits and numbers", "[simt]") {
    at_every_level([] {
        const Array<float> x(counting(1000)), y(1000);
        REQUIRE(copy_vectors({.grid = 2, .block = 128}, x, y, 250) == cudaSuccess);
        CHECK(y.values() == counting(1000));
        const Array<uint8_t> a(std::vector<uint8_t>(77, 5)), b(77);
        REQUIRE(copy_bytes({.grid = 3, .block = 32}, a, b, 77) == cudaSuccess);
        REQUIRE(copy_bytes({.grid = 3, .block = 32}, b, b, 77) == cudaSuccess);
        CHECK(b.values() == std::vector<uint8_t>(77, 7));
        const Array<unsigned> u(4);
        const Array<float> f(6);
        REQUIRE(bits_and_numbers({}, u, f) == cudaSuccess);
        CHECK(u.values() == std::vector<unsigned>{3, 8 + 31 + 4, 0x80000000u, 0x3f800000u});
        const auto numbers = f.values();
        CHECK(numbers[0] == 0.5f);
        CHECK(numbers[1] == 10);
        CHECK(numbers[2] == 1.25f);
        CHECK(numbers[3] == Approx(3.14159265));
        CHECK(numbers[4] == 7);
        CHECK(numbers[5] == 3);
    });
}

TEST_CASE("simt: the last block sums up the others' results", "[simt]") {
    at_every_level([] {
        const Array<float> x(std::vector<float>(32 * 50, 1)), partial(50), y(1);
        const Array<unsigned> ticket(std::vector<unsigned>(1, 0));
        REQUIRE(last_block_sum({.grid = 50, .block = 32}, x, partial, ticket, y) == cudaSuccess);
        CHECK(y.values()[0] == 1600);
    });
}

TEST_CASE("simt: lanes exchange through shared memory with __syncwarp only", "[simt]") {
    at_every_level([] {
        const Array<int> out(64);
        REQUIRE(warp_exchange({.block = 64}, out) == cudaSuccess);
        CHECK(out.values()[0] == 3);
        CHECK(out.values()[63] == 34);
    });
}

TEST_CASE("simt: races that are none: barriers, atomics", "[simt]") {
    at_every_level([] {
        const Array<float> y(std::vector<float>(64, 0));
        REQUIRE(shared_race({.block = 64}, y, true) == cudaSuccess);
        REQUIRE(global_race({.grid = 8, .block = 64}, y, true) == cudaSuccess);
        REQUIRE(neighbours_in_place({.block = 64}, y, true) == cudaSuccess);
    });
}

}  // namespace lily::testing
