// SPDX-License-Identifier: MIT
// The two players at work.
#pragma once

#include <array>
#include <functional>
#include <optional>

#include "framework/capture.h"
#include "framework/data/loader.h"
#include "framework/distributed/gradient_reducer.h"
#include "framework/optim/adam.h"
#include "framework/optim/ema.h"
#include "framework/readback.h"
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

// The figures of a step that a GPU may still be at.
class LateGanStep {
  public:
    explicit LateGanStep(const GanStep& step) : step_(step) {}
    explicit LateGanStep(Readback figures) : figures_(std::move(figures)) {}
    bool is_ready() const { return !figures_; }
    GanStep get() const;  // waits for that step, not for those begun since

  private:
    GanStep step_;
    std::optional<Readback> figures_;
};

// On a GPU each half of a step is recorded once and replayed as one launch (framework/capture.h), and one
// copy brings all figures back.
class GanTrainer {
  public:
    // Of several processes each has an equal share of every batch, and what they do together is what one does
    // with the whole. Refers to them.
    GanTrainer(const GanOptions& options, const GanRecipe& recipe, Device device = Device::cpu,
               distributed::ProcessGroup& processes = distributed::ProcessGroup::alone());

    // `next` gives a batch of real pictures, this process's share: one per step of D.
    using NextBatch = std::function<data::Batch()>;
    GanStep step(const NextBatch& next) { return begin_step(next).get(); }
    // Without waiting for a GPU: get() of one step is best called after the next has begun.
    LateGanStep begin_step(const NextBatch& next);

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
    // This process's share of numbers for all processes' `count` samples each.
    Tensor share(const Tensor& of_all) const;
    Tensor noise(int64_t count);
    Tensor random_labels(int64_t count);
    LateGanStep of_all_processes(const GanStep& step);
    void put_inputs(const data::Batch& batch);
    void run(CapturedStep& captured, void (GanTrainer::*step)());
    void step_discriminator();
    void step_generator();
    void settle_average();
    Tensor sample_from(GanGenerator& generator, const Tensor& z, const Tensor& labels);

    const GanOptions options_;
    const GanRecipe recipe_;
    const Device device_;
    distributed::ProcessGroup& processes_;
    Generator random_;
    GanGenerator generator_, average_;
    GanDiscriminator discriminator_;
    optim::Adam g_adam_, d_adam_;
    distributed::GradientReducer g_reducer_, d_reducer_;
    optim::Ema ema_;
    bool average_is_settled_ = false;

    // What the halves of a step share with each other and with the host, in the same memory each time on a
    // GPU.
    std::optional<CapturedStep> d_step_, g_step_;
    Tensor real_, real_labels_;                             // (N,pixels); (N), undefined without classes
    Tensor d_loss_, g_loss_, penalty_, of_real_, of_fake_;  // of the last step
    Tensor d_figures_, figures_;                            // (4), (5): a GPU's GanStep
};

}  // namespace lily::models
