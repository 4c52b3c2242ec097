// SPDX-License-Identifier: MIT
// StyleGAN at 32², the small preset, RGB: the work of benchmarks/rivals/stylegan_*.py.
//   stylegan_step --work step|pictures --iterations N --log FILE
// step: one of D with R1 and one of G, batch 32. pictures: 64 of seeds, with new noise, psi 0.7. Rows
// iteration,seconds,total; total: the loss of D + that of G, or the pictures' mean square. The real pictures
// are noise: the work is the same.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <numeric>
#include <string>

#include "framework/ops.h"
#include "models/stylegan/sampler.h"
#include "models/stylegan/trainer.h"

namespace {

using namespace lily;
using namespace lily::models;

constexpr int64_t kSide = 32, kBatch = 32, kBatches = 8, kSamples = 64;

std::function<double()> training_step() {
    const auto trainer = std::make_shared<StyleGanTrainer>(
        stylegan_small(kSide),
        StyleGanRecipe{.gamma = 1, .batch_size = kBatch, .growth = {.train = 0, .fade = 0}});
    Generator random(1);
    std::vector<Tensor> batches;
    for (int64_t i = 0; i < kBatches; ++i)
        batches.push_back(rand({kBatch, 3, kSide, kSide}, random) * 2.0 - 1.0);
    return [trainer, batches, i = size_t{0}]() mutable {
        const StyleGanStep step = trainer->step(batches[i++ % batches.size()]);
        return step.d_loss + step.g_loss;
    };
}

std::function<double()> pictures() {
    Generator random(1);
    const auto generator = std::make_shared<StyleGenerator>(stylegan_small(kSide), random);
    generator->requires_grad_(false);
    generator->eval();
    Seeds seeds(kSamples);
    std::iota(seeds.begin(), seeds.end(), 0);
    return [generator, seeds]() mutable {
        const Tensor made = StyleSampler(*generator, generator->full(), {.psi = 0.7}).pictures(seeds);
        for (uint64_t& seed : seeds) seed += kSamples;
        return mean(square(made)).item<double>();
    };
}

}  // namespace

int main(int argc, char** argv) {
    const std::vector<std::string> words(argv, argv + argc);
    if (argc != 7 || words[1] != "--work" || (words[2] != "step" && words[2] != "pictures") ||
        words[3] != "--iterations" || words[5] != "--log")
        return std::fprintf(stderr, "usage: stylegan_step --work step|pictures --iterations N --log FILE\n"),
               2;
    const long iterations = std::atol(words[4].c_str());
    std::FILE* log = std::fopen(words[6].c_str(), "w");
    if (!log) return std::perror(words[6].c_str()), 1;
    const std::function<double()> work = words[2] == "step" ? training_step() : pictures();
    std::fprintf(log, "iteration,seconds,total\n");
    const auto began = std::chrono::steady_clock::now();
    for (long i = 0; i < iterations; ++i) {
        const double total = work();
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
        std::fprintf(log, "%ld,%.9f,%.9g\n", i + 1, seconds.count(), total);
        std::fflush(log);
    }
    return std::fclose(log) == 0 ? 0 : 1;
}
