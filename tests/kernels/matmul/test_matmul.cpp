// SPDX-License-Identifier: MIT
#include "kernels/matmul/matmul.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"
#include "tests/kernels/settings.h"

namespace lily::testing {
namespace {

// A product of matrices that lie inside of larger ones, by the definition.
void by_definition(const kernels::MatmulShape& s, const double* a, const double* b, double beta, double* c) {
    for (int64_t at = 0; at < s.batch; ++at)
        for (int64_t i = 0; i < s.m; ++i)
            for (int64_t j = 0; j < s.n; ++j) {
                double total = 0;
                for (int64_t k = 0; k < s.k; ++k)
                    total += a[at * s.a_stride + (s.transpose_a ? k * s.lda + i : i * s.lda + k)] *
                             b[at * s.b_stride + (s.transpose_b ? j * s.ldb + k : k * s.ldb + j)];
                double& out = c[at * s.c_stride + i * s.ldc + j];
                out = total + (beta == 0 ? 0 : beta * out);
            }
}

template <class T>
void check_product(Device device, const kernels::MatmulShape& s, T beta, double tolerance) {
    const int64_t edge = std::max({s.m, s.n, s.k}) + 3, size = 3 * edge * edge;
    Buffer<T> a(size, 1, device), b(size, 2, device), c(size, 3, device);
    Buffer<double> a_64(size), b_64(size), want(size);
    a.randomise(1), a_64.randomise(1), b.randomise(2), b_64.randomise(2), c.randomise(3), want.randomise(3);
    if (beta == 0)  // whatever was there is not read
        for (int64_t at = 0; at < s.batch; ++at)
            for (int64_t i = 0; i < s.m; ++i) c[at * s.c_stride + i * s.ldc] = std::nan("");
    kernels::matmul<T>(device).product(default_queue(device), s, a.on_device(), b.on_device(), beta,
                                       c.on_device());
    c.fetch();
    by_definition(s, a_64.data(), b_64.data(), static_cast<double>(beta), want.data());
    INFO("m " << s.m << " n " << s.n << " k " << s.k << " transposed " << s.transpose_a << s.transpose_b
              << " batch " << s.batch << " beta " << beta);
    CHECK(worst_error(c, want, size) <= tolerance);  // also: what lies between the rows is as it was
    CHECK(c.fences_stand());
}

}  // namespace

TEST_CASE("matmul kernels: submatrices, transposed, batched, added to", "[kernels][matmul]") {
    const auto floats = [](const kernels::MatmulShape& s, float beta, double tolerance) {
        for (const Device device : devices())
            for (const auto engine : {kernels::Engine::own, kernels::Engine::library}) {
                if (device == Device::cpu && engine == kernels::Engine::library) continue;
                const WithEngine with(engine);
                check_product<float>(device, s, beta, tolerance);
            }
    };
    for (const bool transpose_a : {false, true})
        for (const bool transpose_b : {false, true})
            for (const auto& [m, n, k] : std::vector<std::tuple<int64_t, int64_t, int64_t>>{
                     {1, 1, 1}, {3, 5, 7}, {1, 90, 33}, {90, 1, 33}, {64, 64, 0}, {140, 130, 90}}) {
                kernels::MatmulShape s = kernels::matmul_shape(m, n, k, transpose_a, transpose_b);
                s.lda += 3, s.ldb += 1, s.ldc += 2;
                floats(s, 0, 1e-6);
                floats(s, 0.5f, 1e-6);
                check_product<double>(Device::cpu, s, 0, 1e-14);
                check_product<double>(Device::cpu, s, 1, 1e-14);
                s.batch = 3;
                s.a_stride = 0;  // shared by the batch
                s.b_stride = (transpose_b ? n : k) * s.ldb;
                s.c_stride = m * s.ldc;
                floats(s, 1, 1e-6);
                check_product<double>(Device::cpu, s, 0, 1e-14);
            }
}

TEST_CASE("matmul kernels: what cuBLAS refuses is told with its status", "[kernels][matmul]") {
    for (const Device device : devices()) {
        if (device != Device::simt) continue;  // which sees that these addresses are the host's
        const WithEngine with(kernels::Engine::library);
        Buffer<float> host(64 * 64);
        CHECK_THROWS_WITH(
            kernels::matmul<float>(device).product(default_queue(device), kernels::matmul_shape(64, 64, 64),
                                                   host.data(), host.data(), 0.0f, host.data()),
            Catch::Matchers::StartsWith("[matmul] CUBLAS_STATUS_"));
    }
}

}  // namespace lily::testing
