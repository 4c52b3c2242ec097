// SPDX-License-Identifier: MIT
// The convolutions of VGG-19, by algorithm: conv2d --benchmark_filter='conv3_2/.*/256'
// The counter is effective GFLOP/s: the multiplications and additions of the definition, whatever the
// algorithm does. The least of the repetitions is the one to read on a machine that does other things too.
#include <benchmark/benchmark.h>

#include <algorithm>
#include <random>
#include <vector>

#include "framework/tensor.h"
#include "kernels/conv2d/conv2d.h"

namespace {

using namespace lily;
using kernels::Conv2dAlgorithm;
using kernels::Conv2dPass;

struct Layer {
    const char* name;
    int64_t c, k, scale;  // the map is the picture's size / scale
};
constexpr Layer kLayers[] = {{"conv1_1", 3, 64, 1},    {"conv1_2", 64, 64, 1},   {"conv2_1", 64, 128, 2},
                             {"conv2_2", 128, 128, 2}, {"conv3_1", 128, 256, 4}, {"conv3_2", 256, 256, 4},
                             {"conv4_1", 256, 512, 8}, {"conv4_2", 512, 512, 8}, {"conv5_1", 512, 512, 16}};

std::vector<float> random_values(int64_t n) {
    std::mt19937 random(1);
    std::vector<float> values(static_cast<size_t>(n));
    for (float& v : values) v = static_cast<float>(random() % 2048) / 1024 - 1;
    return values;
}

Tensor tensor(const Shape& shape, int64_t layout) {
    const MemoryFormat format = layout == 16  ? MemoryFormat::blocked16
                                : layout == 8 ? MemoryFormat::blocked8
                                              : MemoryFormat::contiguous;
    return from_vector(random_values(shape.numel()), shape).to(format);
}

void convolve(benchmark::State& state, const Layer& layer, int64_t size, Conv2dPass pass,
              Conv2dAlgorithm algorithm) {
    const int64_t m = size / layer.scale;
    const kernels::Conv2dShape s{
        .n = 1, .c = layer.c, .h = m, .w = m, .k = layer.k, .r = 3, .s = 3, .padding = {1, 1}};
    Queue& queue = default_queue(Device::cpu);
    const auto& kernel = kernels::conv2d<float>(Device::cpu);
    kernels::set_conv2d_algorithm(algorithm);
    const std::shared_ptr<const kernels::Conv2dPlan> kept = kernel.plan(s, pass);
    const kernels::Conv2dPlan& plan = *kept;
    kernels::set_conv2d_algorithm(Conv2dAlgorithm::rule);

    Tensor x = tensor({1, s.c, m, m}, plan.x_layout), y = tensor({1, s.k, m, m}, plan.y_layout);
    Tensor w = tensor({s.k, s.c, 3, 3}, 1), packed = empty({std::max<int64_t>(1, plan.packed_bytes / 4)});
    if (plan.packed_bytes) kernel.pack(queue, plan, w.data<float>(), packed.mutable_data<float>());
    const std::vector<float> bias = random_values(s.k);
    const kernels::Conv2dWeights<float> weights{w.data<float>(), packed.data<float>()};
    for (auto _ : state) {
        if (pass == Conv2dPass::backward_data)
            kernel.backward_data(queue, plan, {y.data<float>()}, weights, false, x.mutable_data<float>());
        else if (pass == Conv2dPass::backward_weights)
            kernel.backward_weights(queue, plan, x.data<float>(), y.data<float>(), w.mutable_data<float>());
        else
            kernel.forward(queue, plan, x.data<float>(), weights, bias.data(), {y.mutable_data<float>()});
    }
    state.SetLabel(plan.algorithm);
    state.counters["GFLOP"] = benchmark::Counter(2e-9 * 9 * static_cast<double>(s.c * s.k * m * m),
                                                 benchmark::Counter::kIsIterationInvariantRate);
}

}  // namespace

int main(int argc, char** argv) {
    const std::pair<const char*, Conv2dPass> passes[] = {{"forward", Conv2dPass::forward_relu},
                                                         {"backward_data", Conv2dPass::backward_data},
                                                         {"backward_weights", Conv2dPass::backward_weights}};
    const std::pair<const char*, Conv2dAlgorithm> algorithms[] = {
        {"rule", Conv2dAlgorithm::rule},
        {"direct", Conv2dAlgorithm::direct},
        {"winograd", Conv2dAlgorithm::winograd},
        {"winograd_by_filters", Conv2dAlgorithm::winograd_by_filters},
        {"onednn", Conv2dAlgorithm::onednn},
        {"onednn_winograd", Conv2dAlgorithm::onednn_winograd}};
    for (const Layer& layer : kLayers)
        for (const auto& [pass_name, pass] : passes)
            for (const int64_t size : {256, 512})
                for (const auto& [algorithm_name, algorithm] : algorithms) {
                    const std::string name = std::string(layer.name) + '/' + pass_name + '/' +
                                             std::to_string(size) + '/' + algorithm_name;
                    benchmark::RegisterBenchmark(
                        name.c_str(),
                        [=, &layer, pass = pass, algorithm = algorithm](benchmark::State& state) {
                            convolve(state, layer, size, pass, algorithm);
                        })
                        ->Unit(benchmark::kMillisecond)
                        ->UseRealTime()
                        ->ComputeStatistics("least", [](const std::vector<double>& v) {
                            return *std::min_element(v.begin(), v.end());
                        });
                }
    benchmark::Initialize(&argc, argv);
    if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
    benchmark::RunSpecifiedBenchmarks();
}
