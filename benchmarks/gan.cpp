// SPDX-License-Identifier: MIT
// One training step of a plain GAN on 28x28 pictures, the work of benchmarks/rivals/gan_*.py: D [784,512,256,
// 128,32,1] on real and generated pictures as one batch of 2 N, then G [64,128,256,512,784] on new noise,
// leaky ReLUs, binary cross-entropy of logits, Adam. The pictures are noise: the work is the same.
//   gan --iterations N --log FILE      rows iteration,seconds,total; total = the loss of D + that of G
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>

#include "framework/autograd.h"
#include "framework/nn/layers.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"

namespace {

using namespace lily;

constexpr int64_t kBatch = 64, kLatent = 64, kPixels = 784, kPictures = 2048;
constexpr double kSlope = 0.2;

class Network final : public nn::Module {
  public:
    Network(const std::vector<int64_t>& sizes, bool bounded, Generator& random) : bounded_(bounded) {
        for (size_t i = 0; i + 1 < sizes.size(); ++i)
            layers_.push_back(&register_module(std::to_string(i),
                                               std::make_unique<nn::Linear>(sizes[i], sizes[i + 1], random)));
    }
    Tensor forward(const Tensor& x) override {
        Tensor h = x;
        for (size_t i = 0; i + 1 < layers_.size(); ++i)
            h = linear_leaky_relu(h, layers_[i]->weight, layers_[i]->bias, kSlope);
        const nn::Linear& last = *layers_.back();
        return bounded_ ? linear_tanh(h, last.weight, last.bias) : linear(h, last.weight, last.bias);
    }

  private:
    bool bounded_;
    std::vector<nn::Linear*> layers_;
};

class Step {
  public:
    Step()
        : random_(1),
          d_({kPixels, 512, 256, 128, 32, 1}, false, random_),
          g_({kLatent, 128, 256, 512, kPixels}, true, random_),
          d_adam_(d_.parameters(), {.lr = 0.002, .betas = {0.5, 0.999}}),
          g_adam_(g_.parameters(), {.lr = 0.002, .betas = {0.5, 0.999}}),
          pictures_(rand({kPictures, kPixels}, random_) * 2.0 - 1.0) {
        std::vector<float> targets(2 * kBatch, 0);
        std::fill(targets.begin(), targets.begin() + kBatch, 1.0f);
        targets_ = from_vector(targets, {2 * kBatch, 1});
    }

    double operator()(int64_t iteration) {
        const int64_t first = iteration * kBatch % kPictures;
        const Tensor real = slice(pictures_, 0, first, first + kBatch);
        const auto noise = [&] { return randn({kBatch, kLatent}, random_); };
        Tensor fake;
        {
            const NoGrad no_grad;
            fake = g_(noise());
        }
        d_adam_.zero_grad();
        const Tensor d_loss = 2 * binary_cross_entropy_with_logits(d_(cat({real, fake}, 0)), targets_);
        d_loss.backward();
        d_adam_.step();

        d_.requires_grad_(false);
        g_adam_.zero_grad();
        const Tensor g_loss = binary_cross_entropy_with_logits(d_(g_(noise())), 1);
        g_loss.backward();
        g_adam_.step();
        d_.requires_grad_(true);
        return d_loss.item<double>() + g_loss.item<double>();
    }

  private:
    Generator random_;
    Network d_, g_;
    optim::Adam d_adam_, g_adam_;
    Tensor pictures_, targets_;
};

}  // namespace

int main(int argc, char** argv) {
    if (argc != 5 || std::strcmp(argv[1], "--iterations") != 0 || std::strcmp(argv[3], "--log") != 0)
        return std::fprintf(stderr, "usage: gan --iterations N --log FILE\n"), 2;
    const long iterations = std::atol(argv[2]);
    std::FILE* log = std::fopen(argv[4], "w");
    if (!log) return std::perror(argv[4]), 1;
    Step step;
    std::fprintf(log, "iteration,seconds,total\n");
    const auto began = std::chrono::steady_clock::now();
    for (long i = 0; i < iterations; ++i) {
        const double total = step(i);
        const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - began;
        std::fprintf(log, "%ld,%.9f,%.9g\n", i + 1, seconds.count(), total);
        std::fflush(log);
    }
    return std::fclose(log) == 0 ? 0 : 1;
}
