// SPDX-License-Identifier: MIT
#include "models/clip/trainer.h"

#include <cmath>

#include "framework/autograd.h"
#include "framework/distributed/all_gather.h"
#include "framework/ops.h"
#include "framework/optim/clip_grad.h"
#include "models/clip/preprocess.h"

namespace lily::models {
namespace {

// SigLIP's beginning: almost all pairs are wrong ones.
constexpr double kSigmoidScale = 10, kSigmoidBias = -10;

Clip& moved(Clip& model, Device device) {
    model.to(device);
    return model;
}

Tensor parameter_of(const Clip& model, const std::string& wanted) {
    for (const auto& [name, parameter] : model.named_parameters())
        if (name == wanted) return parameter;
    fail("[internal] no parameter {}", wanted);
}

// Matrices decay; gains, biases and the scale do not.
std::unique_ptr<optim::AdamW> make_adam(const std::vector<Tensor>& parameters, const ClipRecipe& recipe) {
    std::vector<Tensor> matrices, others;
    for (const Tensor& p : parameters) (p.rank() >= 2 ? matrices : others).push_back(p);
    auto adam =
        std::make_unique<optim::AdamW>(matrices, optim::AdamWOptions{.lr = recipe.learning_rate,
                                                                     .betas = recipe.betas,
                                                                     .eps = recipe.eps,
                                                                     .weight_decay = recipe.weight_decay});
    adam->add_param_group({.params = others, .weight_decay = 0});
    return adam;
}

std::vector<Tensor> joined(std::vector<Tensor> a, const std::vector<Tensor>& b) {
    a.insert(a.end(), b.begin(), b.end());
    return a;
}

}  // namespace

Tensor normalised_pixels(const Tensor& pixels, int64_t side) {
    const int64_t n = pixels.size(0), channels = pixels.numel() / std::max<int64_t>(1, n * side * side);
    check((channels == 1 || channels == 3) && pixels.numel() == n * channels * side * side,
          "[clip] expected pictures of {}x{} in grey or RGB, got {}", side, side, pixels.shape());
    Tensor x = pixels.reshape({n, channels, side, side});
    if (channels == 1) x = expand(x, {n, 3, side, side});
    std::vector<float> factor, shift;  // ((x + 1)/2 - mean)/std
    for (size_t c = 0; c < 3; ++c) {
        factor.push_back(0.5F / kClipStd[c]);
        shift.push_back((0.5F - kClipMean[c]) / kClipStd[c]);
    }
    return x * from_vector(factor, {1, 3, 1, 1}) + from_vector(shift, {1, 3, 1, 1});
}

ClipTrainer::ClipTrainer(const ClipConfig& config, const ClipRecipe& recipe, Device device,
                         distributed::ProcessGroup& processes)
    : recipe_(recipe),
      device_(device),
      processes_(processes),
      random_(recipe.seed, Stream::weights),
      model_(config, random_),
      bias_(kSigmoidBias),
      scale_(parameter_of(moved(model_, device), "logit_scale")),
      adam_(make_adam(parameters(), recipe)),
      schedule_(optim::warm_up_cosine(*adam_, recipe.warm_up, recipe.steps)),
      reducer_(parameters(), processes) {
    bias_.to(device);
    if (recipe.loss == ClipLoss::sigmoid) {
        const NoGrad no_grad;
        scale_.fill_(std::log(kSigmoidScale));
    }
}

ClipTrainer::Bias::Bias(double value) : logit_bias(register_parameter("logit_bias", full({1}, value))) {}

std::vector<Tensor> ClipTrainer::parameters() const {
    return recipe_.loss == ClipLoss::sigmoid ? joined(model_.parameters(), bias_.parameters())
                                             : model_.parameters();
}

std::vector<int64_t> ClipTrainer::of_all_processes(const std::vector<int64_t>& meaning) const {
    if (processes_.is_alone()) return meaning;
    const NoGrad no_grad;
    const Tensor mine = from_vector(meaning, {static_cast<int64_t>(meaning.size())}).to(DType::f64);  // exact
    return distributed::all_gather(mine, processes_).to(DType::i64).to_vector<int64_t>();
}

ClipStep ClipTrainer::step(const Tensor& pixels, const Captions::Texts& texts) {
    const int64_t n = pixels.size(0), piece = recipe_.piece > 0 ? recipe_.piece : n;
    check(texts.tokens.size(0) == n, "[clip] expected a text for each of {} pictures, got {}", n,
          texts.tokens.size(0));
    const Tensor pictures = normalised_pixels(pixels, model_.config.image_size);
    const Tensor positives = joint_positives(of_all_processes(texts.meaning)).to(device_);
    std::vector<FeaturePiece> pieces;
    for (int64_t begin = 0; begin < n; begin += piece)
        pieces.emplace_back([&, begin, end = std::min(begin + piece, n)] {
            return std::vector{model_.encode_image(slice(pictures, 0, begin, end).to(device_)),
                               model_.encode_text(slice(texts.tokens, 0, begin, end))};
        });
    Tensor logits;
    const LossOfFeatures loss = [&](const std::vector<Tensor>& features) {
        Tensor z = model_.logits(distributed::all_gather(features[0], processes_),
                                 distributed::all_gather(features[1], processes_));
        if (recipe_.loss == ClipLoss::sigmoid) z = z + bias_.logit_bias;
        logits = z.detach();
        return clip_loss(recipe_.loss, z, positives);
    };
    adam_->zero_grad();
    ClipStep result{.loss = backward_in_pieces(pieces, loss, reducer_.options())};
    reducer_.finish();
    if (recipe_.clip_grad > 0) optim::clip_grad_norm_(adam_->parameters(), recipe_.clip_grad);
    adam_->step();
    schedule_.step();
    model_.clamp_logit_scale();
    result.scale = std::exp(scale_.item<double>());
    const NoGrad no_grad;
    const Tensor found = eq(logits, amax(logits, {1}, true)) * positives;
    result.right = mean(amax(found, {1})).item<double>();
    return result;
}

void ClipTrainer::add_to(train::Run& run) {
    run.add("model", model_);
    if (recipe_.loss == ClipLoss::sigmoid) run.add("bias", bias_);
    run.add("adam", *adam_);
    run.add("schedule", schedule_);
}

}  // namespace lily::models
