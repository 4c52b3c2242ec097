// SPDX-License-Identifier: MIT
// Matrix fragments against plain loops; asynchronous copies that arrive when they are waited for.
#include <cmath>

#include "tests/simt/gpu.h"
#include "tests/simt/tensor_cores.h"

namespace lily::testing {
namespace {

constexpr int kDepth = 48;

float small_number(size_t i) { return static_cast<float>(static_cast<int>(i * 7919 % 33) - 16) / 8; }

// Numbers that 16 bits hold exactly, so that the products are exact.
template <class T>
void check_product(cudaError_t (*multiply)(const Shape&, const T*, const T*, float*, int)) {
    std::vector<T> a(16 * kDepth), b(16 * kDepth);
    for (size_t i = 0; i < a.size(); ++i) a[i] = T(small_number(i)), b[i] = T(small_number(3 * i + 1));
    const Array<T> A(a), B(b);
    const Array<float> C(256);
    REQUIRE(multiply({.block = 32}, A, B, C, kDepth) == cudaSuccess);
    const auto c = C.values();
    for (size_t i = 0; i < 16; ++i)
        for (size_t j = 0; j < 16; ++j) {
            float sum = 0;
            for (size_t k = 0; k < kDepth; ++k) sum += float(a[i * kDepth + k]) * float(b[j * kDepth + k]);
            REQUIRE(c[i * 16 + j] == 2 * sum);
        }
}

}  // namespace

TEST_CASE("simt: products of half and bfloat16 fragments", "[simt][wmma]") {
    for (const simt::Xray level : {simt::Xray::off, simt::Xray::faults, simt::Xray::full}) {
        const FreshDevice device(level);
        check_product<__half>(multiply_half);
        check_product<__nv_bfloat16>(multiply_bf16);
        CHECK(simt::last_report() == "");
    }
}

TEST_CASE("simt: products of tf32 fragments", "[simt][wmma]") {
    const FreshDevice device;
    std::vector<float> a(16 * 8), b(16 * 8);
    for (size_t i = 0; i < a.size(); ++i) a[i] = small_number(i), b[i] = small_number(5 * i + 2);
    a[0] += 0x1p-14f;  // rounded away
    const Array<float> A(a), B(b), C(256);
    REQUIRE(multiply_tf32({.block = 32}, A, B, C, 8) == cudaSuccess);
    const auto c = C.values();
    a[0] -= 0x1p-14f;
    for (size_t i = 0; i < 16; ++i)
        for (size_t j = 0; j < 16; ++j) {
            float sum = 0;
            for (size_t k = 0; k < 8; ++k) sum += a[i * 8 + k] * b[k * 16 + j];
            REQUIRE(c[j * 16 + i] == sum);
        }
    CHECK(simt::last_report() == "");
}

TEST_CASE("simt faults: a fragment in half a warp, a misaligned matrix", "[simt][wmma][faults]") {
    const FreshDevice device;
    const Array<float> x(std::vector<float>(512, 1)), c(256);
    REQUIRE(multiply_tf32({.block = 16}, x, x, c, 8) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    CHECK_THAT(simt::last_report(), Catch::Matchers::ContainsSubstring("a whole warp in a part of one"));
    simt::reset();
    const Array<float> y(std::vector<float>(512, 1)), d(256);
    REQUIRE(multiply_tf32({.block = 32}, y + 4, y, d, 8) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    CHECK_THAT(simt::last_report(), Catch::Matchers::ContainsSubstring("not aligned to 32 bytes"));
    CHECK_THAT(simt::last_report(), Catch::Matchers::ContainsSubstring("tensor_cores.cu:"));
}

TEST_CASE("simt: asynchronous copies, two tiles in flight", "[simt][pipeline]") {
    for (const simt::Xray level : {simt::Xray::off, simt::Xray::faults, simt::Xray::full}) {
        const FreshDevice device(level);
        const Array<float> x(counting(512)), y(512);
        REQUIRE(pipeline({.block = 32}, x, y, 4, true) == cudaSuccess);
        const auto values = y.values();
        for (size_t i = 0; i < 512; ++i)
            REQUIRE(values[i] == static_cast<float>(i / 128 * 128 + 127 - i % 128));
        CHECK(simt::last_report() == "");
    }
}

TEST_CASE("simt faults: an asynchronous copy that nobody waits for", "[simt][pipeline][faults]") {
    if (!simt::instrumented()) SKIP("the kernels of this build are not instrumented");
    const FreshDevice device;
    const Array<float> x(counting(512)), y(512);
    REQUIRE(pipeline({.block = 32}, x, y, 4, false) == cudaSuccess);
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    REQUIRE(simt::faults().size() == 1);
    CHECK(simt::faults()[0].kind == simt::FaultKind::uninitialised);
    CHECK_THAT(simt::last_report(), Catch::Matchers::ContainsSubstring("pipeline_kernel"));
}

}  // namespace lily::testing
