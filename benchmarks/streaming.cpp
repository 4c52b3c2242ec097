// SPDX-License-Identifier: MIT
// Ops that move more than they compute, on maps of N = 8: GB/s of what must be read and written at least. The
// memory's own rate is `machine`'s.
#include <benchmark/benchmark.h>

#include "framework/autograd.h"
#include "framework/ops.h"

namespace {

using namespace lily;

// Arguments: channels, height = width, memory format.
Tensor maps(const benchmark::State& state) {
    return full({8, state.range(0), state.range(1), state.range(1)}, 0.5,
                {.format = static_cast<MemoryFormat>(state.range(2))});
}

template <class Op>
void run(benchmark::State& state, const Tensor& x, const Op& op) {
    const NoGrad no_grad;
    const Tensor y = op(x);
    for (auto _ : state) benchmark::DoNotOptimize(op(x));
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(x.nbytes() + y.nbytes()));
    state.SetLabel(std::string(name(x.format())));
}

void copy(benchmark::State& state) {
    run(state, maps(state), [](const Tensor& x) { return x.clone(); });
}
void blur_121(benchmark::State& state) {
    run(state, maps(state), [](const Tensor& x) { return blur(x); });
}
void upsample_2x2(benchmark::State& state) {
    run(state, maps(state), [](const Tensor& x) { return upsample_nearest2d(x, {2, 2}); });
}
void upsample_2x2_backward(benchmark::State& state) {
    const Tensor x = maps(state).set_requires_grad(), y = upsample_nearest2d(x, {2, 2});
    const Tensor dy = ones_like(y);
    const auto backward = [&](const Tensor&) { return grad(y, {x}, {.dL_dy = dy, .retain_graph = true})[0]; };
    for (auto _ : state) benchmark::DoNotOptimize(backward(x));
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(x.nbytes() + y.nbytes()));
    state.SetLabel(std::string(name(x.format())));
}

void sizes(benchmark::internal::Benchmark* b) {
    const auto contiguous = static_cast<int64_t>(MemoryFormat::contiguous),
               blocked = static_cast<int64_t>(MemoryFormat::blocked16);
    for (const int64_t format : {contiguous, blocked})
        for (const auto& [channels, size] :
             {std::pair<int64_t, int64_t>{512, 8}, {256, 32}, {64, 128}, {32, 256}})
            b->Args({channels, size, format});
    b->Unit(benchmark::kMicrosecond)->UseRealTime();
}
BENCHMARK(copy)->Apply(sizes);
BENCHMARK(blur_121)->Apply(sizes);
BENCHMARK(upsample_2x2)->Apply(sizes);
BENCHMARK(upsample_2x2_backward)->Apply(sizes);

}  // namespace

BENCHMARK_MAIN();
