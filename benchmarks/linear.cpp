// SPDX-License-Identifier: MIT
// The layers of the MNIST GAN, forward and backward, against oneDNN's sgemm for the same products:
// linear --benchmark_filter='784x512/.*'. The counter is GFLOP/s of the products alone.
#include <benchmark/benchmark.h>
#include <oneapi/dnnl/dnnl.h>

#include <random>
#include <string>
#include <vector>

#include "framework/tensor.h"
#include "kernels/linear/linear.h"

namespace {

using namespace lily;
using kernels::LinearShape;

enum class Pass { forward, data, weight, backward };
constexpr const char* kNames[] = {"forward", "data", "weight", "backward"};

Tensor random_tensor(const Shape& shape) {
    std::mt19937 random(1);
    std::vector<float> values(static_cast<size_t>(shape.numel()));
    for (float& v : values) v = static_cast<float>(random() % 2048) / 2048 - 0.5f;
    return from_vector(values, shape);
}

// C (m,n) = op(A) op(B), densely packed
void product(bool turn_a, bool turn_b, int64_t m, int64_t n, int64_t k, const Tensor& a, const Tensor& b,
             Tensor& c) {
    dnnl_sgemm(turn_a ? 'T' : 'N', turn_b ? 'T' : 'N', m, n, k, 1, a.data<float>(), turn_a ? m : k,
               b.data<float>(), turn_b ? k : n, 0, c.mutable_data<float>(), n);
}

void run(benchmark::State& state, LinearShape s, Pass pass, bool sgemm) {
    const Tensor x = random_tensor({s.rows, s.in}), w = random_tensor({s.out, s.in}),
                 b = random_tensor({s.out}), dy = random_tensor({s.rows, s.out});
    Tensor y = empty_like(dy), dx = empty_like(x), dw = empty_like(w), db = empty_like(b);
    const auto& k = kernels::linear<float>(Device::cpu);
    const kernels::LinearActivation f{kernels::Activation::leaky_relu, 0.2};
    Queue& queue = x.queue();
    const bool data = pass == Pass::data || pass == Pass::backward;
    const bool weight = pass == Pass::weight || pass == Pass::backward;
    k.forward(queue, s, f, x.data<float>(), w.data<float>(), b.data<float>(), y.mutable_data<float>());
    for (auto _ : state) {
        if (sgemm) {
            if (pass == Pass::forward) product(false, true, s.rows, s.out, s.in, x, w, y);
            if (data) product(false, false, s.rows, s.in, s.out, dy, w, dx);
            if (weight) product(true, false, s.out, s.in, s.rows, dy, x, dw);
        } else if (pass == Pass::forward) {
            k.forward(queue, s, f, x.data<float>(), w.data<float>(), b.data<float>(),
                      y.mutable_data<float>());
        } else {
            k.backward(
                queue, s, f, x.data<float>(), w.data<float>(), y.data<float>(), dy.data<float>(),
                {data ? dx.mutable_data<float>() : nullptr, weight ? dw.mutable_data<float>() : nullptr,
                 weight ? db.mutable_data<float>() : nullptr});
        }
    }
    const double products = pass == Pass::backward ? 2 : 1;
    state.counters["GFLOP"] =
        benchmark::Counter(2e-9 * products * double(s.rows) * double(s.in) * double(s.out),
                           benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
    for (const LinearShape s :
         {LinearShape{128, 784, 512}, {128, 512, 256}, {128, 256, 128}, {64, 784, 512}, {64, 512, 784}})
        for (const Pass pass : {Pass::forward, Pass::data, Pass::weight, Pass::backward})
            for (const bool sgemm : {false, true}) {
                const std::string name = std::to_string(s.rows) + "x" + std::to_string(s.in) + "x" +
                                         std::to_string(s.out) + "/" + kNames[static_cast<int>(pass)] +
                                         (sgemm ? "/sgemm" : "/ours");
                benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
                    run(state, s, pass, sgemm);
                })->Unit(benchmark::kMicrosecond);
            }
    benchmark::Initialize(&argc, argv);
    benchmark::RunSpecifiedBenchmarks();
}
