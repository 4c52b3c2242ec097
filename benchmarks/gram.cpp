// SPDX-License-Identifier: MIT
// Gram matrices of VGG-19's style layers, against oneDNN's sgemm: gram
// --benchmark_filter='relu3_1/forward/.*' The counter is effective GFLOP/s, 2 C² M for either pass, although
// the forward kernel computes one triangle. The least of the repetitions is the one to read on a machine that
// does other things too.
#include <benchmark/benchmark.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "framework/tensor.h"
#include "kernels/gram/gram.h"

namespace {

using namespace lily;

struct Layer {
    const char* name;
    int64_t channels, scale;  // the map is the picture's size / scale
};
constexpr Layer kLayers[] = {
    {"relu1_1", 64, 1}, {"relu2_1", 128, 2}, {"relu3_1", 256, 4}, {"relu4_1", 512, 8}, {"relu5_1", 512, 16}};

enum class Pass { forward, backward };

Tensor random_tensor(const Shape& shape) {
    std::mt19937 random(1);
    std::vector<float> values(static_cast<size_t>(shape.numel()));
    for (float& v : values) v = static_cast<float>(random() % 2048) / 2048;
    return from_vector(values, shape);
}

void count(benchmark::State& state, int64_t c, int64_t m) {
    state.counters["GFLOP"] = benchmark::Counter(2e-9 * static_cast<double>(c * c * m),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

void run_gram(benchmark::State& state, const Layer& layer, int64_t size, Pass pass, MemoryFormat format) {
    const int64_t c = layer.channels, edge = size / layer.scale;
    Tensor f = random_tensor({1, c, edge, edge}).to(format), df = empty_like(f);
    Tensor g = random_tensor({1, c, c});
    const kernels::GramShape s{
        .n = 1, .channels = c, .positions = edge * edge, .block = channel_block(format)};
    const auto& kernel = kernels::gram<float>(Device::cpu);
    for (auto _ : state) {
        if (pass == Pass::forward)
            kernel.forward(f.queue(), s, f.data<float>(), g.mutable_data<float>());
        else
            kernel.backward(f.queue(), s, f.data<float>(), g.data<float>(), df.mutable_data<float>());
    }
    count(state, c, edge * edge);
}

void run_sgemm(benchmark::State& state, const Layer& layer, int64_t size, Pass pass) {
    const int64_t c = layer.channels, m = size / layer.scale * (size / layer.scale);
    Tensor f = random_tensor({c, m}), df = empty_like(f), g = random_tensor({c, c});
    for (auto _ : state) {
        if (pass == Pass::forward)  // G = F Fᵀ
            dnnl_sgemm('N', 'T', c, c, m, 1, f.data<float>(), m, f.data<float>(), m, 0,
                       g.mutable_data<float>(), c);
        else  // dF = S F
            dnnl_sgemm('N', 'N', c, m, c, 1, g.data<float>(), c, f.data<float>(), m, 0,
                       df.mutable_data<float>(), m);
    }
    count(state, c, m);
}

void add(const std::string& name, const std::function<void(benchmark::State&)>& run) {
    benchmark::RegisterBenchmark(name.c_str(), run)
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime()
        ->ComputeStatistics(
            "least", [](const std::vector<double>& v) { return *std::min_element(v.begin(), v.end()); });
}

}  // namespace

int main(int argc, char** argv) {
    for (const Layer& layer : kLayers)
        for (const Pass pass : {Pass::forward, Pass::backward})
            for (const int64_t size : {256, 512}) {
                const std::string name = std::string(layer.name) +
                                         (pass == Pass::forward ? "/forward/" : "/backward/") +
                                         std::to_string(size) + '/';
                add(name + "sgemm", [=, &layer](benchmark::State& s) { run_sgemm(s, layer, size, pass); });
                for (const MemoryFormat format :
                     {MemoryFormat::contiguous, MemoryFormat::blocked8, MemoryFormat::blocked16})
                    add(name + std::string(lily::name(format)),
                        [=, &layer](benchmark::State& s) { run_gram(s, layer, size, pass, format); });
            }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
}
