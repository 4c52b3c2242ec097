// SPDX-License-Identifier: MIT
// The two players at work.
#pragma once

#include <array>
#include <functional>

#include "framework/data/loader.h"
#include "framework/optim/adam.h"
#include "framework/optim/ema.h"
#include "framework/train/run.h"
#include "models/gan/losses.h"
#include "models/gan/networks.h"

namespace lily::models {

struct GanRecipe {
    GanLoss loss = GanLoss::nonsaturating;
    double g_learning_rate = 0.002, d_learning_rate = 0.002;
    std::array<double, 2> betas = {0.5, 0.999};  // Adam's
    double label_smoothing = 0;
    double gp_weight = 10;  // λ, of wgan-gp
    double clip_grad = 0;   // largest norm of a player's gradient; 0: any
    int64_t d_steps = 1;    // of D for each of G
    double ema = 0.999;     // decay of G's average; 0: none
    uint64_t seed = 0;      // of the weights and of all noise
};

// Of the last step of D and that of G. Beliefs: means of σ(D); of D itself for losses without beliefs.
struct GanStep {
    double d_loss = 0, g_loss = 0, d_real = 0, d_fake = 0, penalty = 0;
};

class GanTrainer {
  public:
    GanTrainer(const GanOptions& options, const GanRecipe& recipe, Device device = Device::cpu);

    // `next` gives a batch of real pictures: one per step of D.
    using NextBatch = std::function<data::Batch()>;
    GanStep step(const NextBatch& next);

    // (N,pixels) on the CPU: by the averaged generator where there is one. z (N,latent), labels (N) i64 or
    // undefined. Batch norm uses its running statistics.
    Tensor sample(const Tensor& z, const Tensor& labels = {});
    Tensor sample_raw(const Tensor& z, const Tensor& labels = {});  // by the generator itself

    const GanOptions& options() const { return options_; }
    const GanRecipe& recipe() const { return recipe_; }
    Device device() const { return device_; }
    GanGenerator& generator() { return generator_; }
    GanDiscriminator& discriminator() { return discriminator_; }
    // What samples are made by: the average, with statistics of its own (see settle_average).
    GanGenerator& best_generator();
    optim::Adam& d_adam() { return d_adam_; }
    optim::Adam& g_adam() { return g_adam_; }

    // Everything that the next step depends on, but the data's order. "average" is there if there is one.
    void add_to(train::Run& run);
    // Other noise from here on, and smaller steps: what to try after a collapse. Each `attempt` has noise of
    // its own.
    void change_course(uint32_t attempt, double learning_rate_factor);

  private:
    Tensor noise(int64_t count) { return randn({count, options_.latent}, random_, {.device = device_}); }
    Tensor random_labels(int64_t count, Generator& random) const;
    void step_discriminator(const data::Batch& batch, GanStep& result);
    void step_generator(int64_t count, GanStep& result);
    void settle_average();
    Tensor sample_from(GanGenerator& generator, const Tensor& z, const Tensor& labels);

    const GanOptions options_;
    const GanRecipe recipe_;
    const Device device_;
    Generator random_;
    GanGenerator generator_, average_;
    GanDiscriminator discriminator_;
    optim::Adam g_adam_, d_adam_;
    optim::Ema ema_;
    bool average_is_settled_ = false;
};

}  // namespace lily::models
