// SPDX-License-Identifier: MIT
// The two networks of StyleGAN at work: one step of D, one of G, and what is kept between them.
#pragma once

#include <memory>
#include <vector>

#include "framework/distributed/gradient_reducer.h"
#include "framework/optim/adam.h"
#include "framework/optim/ema.h"
#include "framework/random.h"
#include "framework/train/run.h"
#include "models/stylegan/augment.h"
#include "models/stylegan/discriminator.h"
#include "models/stylegan/generator.h"
#include "models/stylegan/growth.h"
#include "models/stylegan/losses.h"

namespace lily::models {

struct StyleGanRecipe {
    StyleGanLoss loss = StyleGanLoss::nonsaturating;
    double gamma = 10;               // of R1 (r3: and R2)
    int64_t penalty_every = 1;       // steps of D; k: lazily, k times as strong
    double learning_rate = 1e-3;     // of both
    int64_t batch_size = 32;         // of all processes together
    double mixing = 0.9;             // how often a batch is made of two styles
    double w_average_decay = 0.995;  // per batch of w
    double ema_half_life = 10'000;   // pictures, of G's average
    GrowthSchedule growth = {};
    Augmentation augmentation = {};
    uint64_t seed = 0;  // of the weights and of all noise
};

// Of one step. Logits are means.
struct StyleGanStep {
    double d_loss = 0, g_loss = 0, penalty = 0, d_real = 0, d_fake = 0;
};

// Several processes each take their share of every group of pictures that D compares, and what they do
// together is what one process does with the whole batch.
class StyleGanTrainer {
  public:
    // Refers to the processes.
    StyleGanTrainer(const StyleGanOptions& options, const StyleGanRecipe& recipe, Device device = Device::cpu,
                    distributed::ProcessGroup& processes = distributed::ProcessGroup::alone());

    // Of this process, and in how many parts it takes them from the whole batch (data::LoaderOptions).
    int64_t local_batch() const { return recipe_.batch_size / processes_.size(); }
    int64_t batch_parts() const { return parts_; }

    // pictures (N,channels,R,R) in -1…1 at full resolution, N local_batch(); labels (N), empty without
    // classes.
    StyleGanStep step(const Tensor& pictures, const std::vector<int64_t>& labels = {});

    int64_t pictures_seen() const { return pictures_seen_; }  // real ones, by D
    Growth growth() const { return recipe_.growth.at(pictures_seen_, options_.resolution); }

    const StyleGanOptions& options() const { return options_; }
    const StyleGanRecipe& recipe() const { return recipe_; }
    Device device() const { return device_; }
    StyleGenerator& generator() { return generator_; }
    StyleDiscriminator& discriminator() { return discriminator_; }
    StyleGenerator& average() { return average_; }  // what makes the samples

    // Everything that the next step depends on, but the data's order.
    void add_to(train::Run& run);
    // Other noise from here on, and smaller steps: what to try after a collapse.
    void change_course(uint32_t attempt, double learning_rate_factor);

  private:
    Tensor share(const Tensor& of_all) const;
    Tensor new_noise(const Shape& of_each);
    Tensor labels_tensor(const std::vector<int64_t>& labels) const;
    Tensor random_labels();
    Tensor generate(const Tensor& labels, Growth growth);
    Tensor judge(const Tensor& pictures, const Tensor& labels, Growth growth);
    void step_discriminator(const Tensor& real, const Tensor& labels, Growth growth);
    void step_generator(const Tensor& real, const Tensor& labels, Growth growth);
    void begin_stage(Growth growth);
    void follow_average(const Tensor& w);
    StyleGanStep of_all_processes(const StyleGanStep& step);

    const StyleGanOptions options_;
    const StyleGanRecipe recipe_;
    const Device device_;
    distributed::ProcessGroup& processes_;
    const int64_t parts_;
    Generator random_;
    StyleGenerator generator_, average_;
    StyleDiscriminator discriminator_;
    optim::Adam g_adam_, d_adam_;
    distributed::GradientReducer g_reducer_, d_reducer_;
    optim::Ema ema_;
    int64_t pictures_seen_ = 0;
    int64_t stage_ =
        -1;  // 2 log2(resolution), one less while that is faded in: Adam begins anew when it changes
    StyleGanStep last_;
};

}  // namespace lily::models
