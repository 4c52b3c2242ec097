// SPDX-License-Identifier: MIT
#include "kernels/elementwise/functions.h"

#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

using kernels::Binary;
using kernels::Unary;

constexpr Unary kUnary[] = {Unary::exp,  Unary::log,   Unary::sqrt,      Unary::rsqrt,
                            Unary::abs,  Unary::sign,  Unary::square,    Unary::reciprocal,
                            Unary::pow,  Unary::clamp, Unary::quotient,  Unary::leaky_relu,
                            Unary::relu, Unary::tanh,  Unary::sigmoid,   Unary::softplus,
                            Unary::erf,  Unary::gelu,  Unary::gelu_tanh, Unary::quick_gelu};
constexpr Binary kBinary[] = {Binary::add,     Binary::sub, Binary::mul,   Binary::div, Binary::maximum,
                              Binary::minimum, Binary::gt,  Binary::ge,    Binary::lt,  Binary::le,
                              Binary::eq,      Binary::ne,  Binary::masked};

// Positive values, so that every function has a slope.
void fill(Buffer<float>& x, Buffer<double>& x_64, int64_t n, uint32_t seed) {
    x.randomise(seed), x_64.randomise(seed);
    for (int64_t i = 0; i < n; ++i) x[i] = std::fabs(x[i]) + 0.25f, x_64[i] = std::fabs(x_64[i]) + 0.25;
}

void check_unary(Device device, Unary op, int64_t n, int64_t shift) {
    const kernels::UnaryArguments args{.a = 0.75, .b = 1.5};
    const auto& f32 = kernels::elementwise<float>(device);
    const auto& f64 = kernels::elementwise<double>(Device::cpu);
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    Buffer<float> x(n, shift, device), y(n, 2 * shift, device), dy(n, shift, device),
        dx(n, 3 * shift, device);
    Buffer<double> x_64(n), y_64(n), dy_64(n), dx_64(n);
    fill(x, x_64, n, 1), fill(dy, dy_64, n, 2);
    f32.unary(queue, op, args, n, x.on_device(), y.on_device());
    y.fetch();
    f32.unary_backward(queue, op, args, n, x.on_device(), y.on_device(), dy.on_device(), dx.on_device());
    dx.fetch();
    f64.unary(cpu, op, args, n, x_64.data(), y_64.data());
    f64.unary_backward(cpu, op, args, n, x_64.data(), y_64.data(), dy_64.data(), dx_64.data());
    INFO(name(device) << ", function " << static_cast<int>(op) << ", n " << n << ", shift " << shift);
    CHECK(worst_error(y, y_64, n) <= 1e-6);
    CHECK(worst_error(dx, dx_64, n) <= 2e-6);
    CHECK((y.fences_stand() && dx.fences_stand()));
    f32.affine(queue, n, 3, -1, x.on_device(), y.on_device());
    y.fetch();
    f64.affine(cpu, n, 3, -1, x_64.data(), y_64.data());
    CHECK(worst_error(y, y_64, n) <= 1e-6);
}

void check_binary(Device device, Binary op, const kernels::BroadcastShape& s, int64_t n) {
    Queue &queue = default_queue(device), &cpu = default_queue(Device::cpu);
    Buffer<float> a(n, 1, device), b(n, 2, device), z(n, 3, device);
    Buffer<double> a_64(n), b_64(n), z_64(n);
    fill(a, a_64, n, 1), fill(b, b_64, n, 2);
    kernels::elementwise<float>(device).binary(queue, op, s, a.on_device(), b.on_device(), z.on_device());
    kernels::elementwise<double>(Device::cpu).binary(cpu, op, s, a_64.data(), b_64.data(), z_64.data());
    z.fetch();
    INFO(name(device) << ", function " << static_cast<int>(op) << ", n " << n << ", rank " << s.rank);
    CHECK(worst_error(z, z_64, n) <= 1e-6);
    CHECK(z.fences_stand());
}

}  // namespace

TEST_CASE("elementwise kernels: f32 as f64, at any size and alignment", "[kernels][elementwise]") {
    for (const Device device : devices())
        for (const Unary op : kUnary)
            for (const int64_t n : {0, 1, 3, 4, 31, 1024, 1027})
                for (const int64_t shift : {0, 1}) check_unary(device, op, n, shift);
}

TEST_CASE("elementwise kernels: broadcasting", "[kernels][elementwise]") {
    for (const Device device : devices())
        for (const Binary op : kBinary) {
            check_binary(device, op, {.rank = 0}, 1);
            check_binary(device, op, {.rank = 1, .size = {1027}, .a_stride = {1}, .b_stride = {1}}, 1027);
            check_binary(device, op, {.rank = 1, .size = {33}, .a_stride = {1}, .b_stride = {0}}, 33);
            check_binary(device, op,
                         {.rank = 3, .size = {3, 5, 7}, .a_stride = {35, 0, 1}, .b_stride = {0, 7, 1}}, 105);
        }
}

}  // namespace lily::testing
