// SPDX-License-Identifier: MIT
// Total variation of a picture of three channels, in GB/s of what must be read and written at least, against
// a copy of the picture by the C library, the rate that the memory allows.
#include <benchmark/benchmark.h>

#include <cstring>
#include <random>
#include <vector>

#include "framework/tensor.h"
#include "kernels/total_variation/total_variation.h"

namespace {

using namespace lily;

Tensor random_picture(int64_t size) {
    std::mt19937 random(1);
    std::vector<float> values(static_cast<size_t>(3 * size * size));
    for (float& v : values) v = static_cast<float>(random() % 256) / 256;
    return from_vector(values, {1, 3, size, size});
}

void forward(benchmark::State& state) {
    const int64_t size = state.range(0);
    const Tensor x = random_picture(size);
    Tensor y = empty({});
    const auto& kernel = kernels::total_variation<float>(Device::cpu);
    for (auto _ : state)
        kernel.forward(x.queue(), {3, size, size}, x.data<float>(), y.mutable_data<float>(), nullptr);
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(x.nbytes()));
}

void forward_with_slopes(benchmark::State& state) {
    const int64_t size = state.range(0);
    const Tensor x = random_picture(size);
    Tensor y = empty({}), slopes = empty({x.numel()}, {.dtype = DType::u8});
    const auto& kernel = kernels::total_variation<float>(Device::cpu);
    for (auto _ : state)
        kernel.forward(x.queue(), {3, size, size}, x.data<float>(), y.mutable_data<float>(),
                       slopes.mutable_data<uint8_t>());
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(x.nbytes() + slopes.nbytes()));
}

void backward(benchmark::State& state) {
    const int64_t n = 3 * state.range(0) * state.range(0);
    const Tensor slopes = full({n}, 3, {.dtype = DType::u8}), dy = scalar(1e-6);
    Tensor dx = empty({n});
    const auto& kernel = kernels::total_variation<float>(Device::cpu);
    for (auto _ : state)
        kernel.backward(dx.queue(), n, slopes.data<uint8_t>(), dy.data<float>(), dx.mutable_data<float>());
    state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(dx.nbytes() + slopes.nbytes()));
}

void copy(benchmark::State& state) {
    const Tensor x = random_picture(state.range(0));
    Tensor y = empty_like(x);
    for (auto _ : state) std::memcpy(y.mutable_data<float>(), x.data<float>(), x.nbytes());
    state.SetBytesProcessed(state.iterations() * 2 * static_cast<int64_t>(x.nbytes()));
}

BENCHMARK(forward)->Arg(256)->Arg(512)->Arg(1024)->Arg(2048)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(forward_with_slopes)
    ->Arg(256)
    ->Arg(512)
    ->Arg(1024)
    ->Arg(2048)
    ->Unit(benchmark::kMicrosecond)
    ->UseRealTime();
BENCHMARK(backward)->Arg(256)->Arg(512)->Arg(1024)->Arg(2048)->Unit(benchmark::kMicrosecond)->UseRealTime();
BENCHMARK(copy)->Arg(256)->Arg(512)->Arg(1024)->Arg(2048)->Unit(benchmark::kMicrosecond)->UseRealTime();

}  // namespace

BENCHMARK_MAIN();
