// SPDX-License-Identifier: MIT
// CLIP from scratch: small models on what pictures and captions there are.
#pragma once

#include "framework/distributed/gradient_reducer.h"
#include "framework/optim/adam.h"
#include "framework/optim/lr_scheduler.h"
#include "framework/random.h"
#include "framework/train/run.h"
#include "models/clip/captions.h"
#include "models/clip/clip.h"
#include "models/clip/loss.h"

namespace lily::models {

struct ClipRecipe {
    ClipLoss loss = ClipLoss::softmax;
    double learning_rate = 1e-3,
           weight_decay = 0.2;  // decay: of matrices, not of gains, biases and the scale
    std::array<double, 2> betas = {0.9, 0.98};
    double eps = 1e-6;
    double clip_grad = 1;  // largest norm of the gradient
    int64_t steps = 1000, warm_up = 100;
    int64_t piece = 64;  // pictures whose graph is in memory at once; 0: the batch
    uint64_t seed = 0;
};

struct ClipStep {
    double loss = 0, scale = 0;  // scale: what cosines are multiplied by
    double right = 0;            // share of pictures whose likeliest text of the batch is a right one
};

class ClipTrainer {
  public:
    // Each process has an equal share of every batch; all compare everything with everything. Refers to them.
    ClipTrainer(const ClipConfig& config, const ClipRecipe& recipe, Device device = Device::cpu,
                distributed::ProcessGroup& processes = distributed::ProcessGroup::alone());

    // pixels (N,3·S·S) or (N,S·S), grey, in -1…1
    ClipStep step(const Tensor& pixels, const Captions::Texts& texts);

    Clip& model() { return model_; }
    void add_to(train::Run& run);

  private:
    const ClipRecipe recipe_;
    const Device device_;
    distributed::ProcessGroup& processes_;
    Generator random_;
    struct Bias : nn::Module {  // of the sigmoid loss
        explicit Bias(double value);
        Tensor logit_bias;
    };
    std::vector<Tensor> parameters() const;
    std::vector<int64_t> of_all_processes(const std::vector<int64_t>& meaning) const;

    Clip model_;
    Bias bias_;
    Tensor scale_;  // ln of the cosines' factor, a parameter of the model
    std::unique_ptr<optim::AdamW> adam_;
    optim::SequentialLR schedule_;
    distributed::GradientReducer reducer_;
};

// (N,C·S·S) in -1…1, C 1 or 3, as a data::Loader has them -> (N,3,S,S), normalised as the image tower wants
// it.
Tensor normalised_pixels(const Tensor& pixels, int64_t side);

}  // namespace lily::models
