// SPDX-License-Identifier: MIT
// The two players (Goodfellow et al. 2014), as plain multi-layer networks.
#pragma once

#include <vector>

#include "framework/distributed/process_group.h"
#include "framework/nn/batch_norm.h"
#include "framework/nn/layers.h"

namespace lily::models {

struct GanOptions {
    int64_t pixels = 784;  // of a picture
    int64_t latent = 64;   // numbers in z
    std::vector<int64_t> g_hidden = {128, 256, 512};
    std::vector<int64_t> d_hidden = {512, 256, 128, 32};
    int64_t classes = 0;     // more: both players are told the class
    bool batch_norm = true;  // in G's hidden layers
    double dropout = 0;      // in D's hidden layers

    bool operator==(const GanOptions&) const = default;
};

// The sizes (out, in) of G's linear layers, first to last.
std::vector<Shape> generator_layers(const GanOptions& options);

// What is in memory at once, in numbers of f32: of a generator that makes so many samples, its two widest
// maps and the pictures; of a training with batches of so many pictures, parameters with their gradients,
// Adam's moments, averages and a checkpoint's copy, and the maps of a batch. Measured, not exact.
double generation_floats(const GanOptions& options, int64_t samples);
double training_floats(const GanOptions& options, int64_t batch);

// A class (N) as numbers beside the input: x (N,K) -> (N, K + kClassNumbers); untouched without labels.
constexpr int64_t kClassNumbers = 10;

// z (N,latent) -> pictures (N,pixels) in [-1,1]: linear, batch norm, leaky ReLU 0.2 for each hidden layer;
// linear, tanh at the end.
class GanGenerator final : public nn::Module {
  public:
    GanGenerator(const GanOptions& options, nn::Init init);
    // labels: i64 (N), if the options have classes
    Tensor generate(const Tensor& z, const Tensor& labels = {});
    Tensor forward(const Tensor& z) override { return generate(z); }
    // Batch norm's statistics are those of all processes' samples.
    void share_statistics(distributed::ProcessGroup& processes);
    // Sets batch norm's running statistics to those of this one batch.
    void measure_statistics(const Tensor& z, const Tensor& labels = {});

  private:
    nn::Embedding* classes_ = nullptr;
    std::vector<nn::Linear*> layers_;
    std::vector<nn::BatchNorm1d*> norms_;  // empty without
};

// Pictures (N,pixels) -> logits (N,1): linear, leaky ReLU 0.2, dropout for each hidden layer; linear.
class GanDiscriminator final : public nn::Module {
  public:
    GanDiscriminator(const GanOptions& options, nn::Init init);
    // The dropout's numbers are taken from `random`; undefined labels as above.
    Tensor judge(const Tensor& pictures, const Tensor& labels, Generator& random);

  private:
    nn::Embedding* classes_ = nullptr;
    std::vector<nn::Linear*> layers_;
    const double dropout_;
};

}  // namespace lily::models
