// SPDX-License-Identifier: MIT
#include "models/gan/trainer.h"

#include <algorithm>
#include <cmath>

#include "framework/autograd.h"
#include "framework/ops.h"
#include "framework/optim/clip_grad.h"
#include "framework/profiler.h"

namespace lily::models {
namespace {

constexpr int64_t kStatisticsBatch = 2048;

optim::AdamOptions adam_options(double learning_rate, std::array<double, 2> betas) {
    return {.lr = learning_rate, .betas = betas};
}

template <class M>
M& moved(M& module, Device device) {
    module.to(device);
    return module;
}

// Mean of the logits, or of what they say as beliefs: σ(logit).
double mean_of(const Tensor& logits, bool beliefs) {
    double total = 0;
    const std::vector<double> values = logits.to_vector<double>();
    for (const double v : values) total += beliefs ? 1 / (1 + std::exp(-v)) : v;
    return total / static_cast<double>(values.size());
}

}  // namespace

GanTrainer::GanTrainer(const GanOptions& options, const GanRecipe& recipe, Device device)
    : options_(options),
      recipe_(recipe),
      device_(device),
      random_(recipe.seed, Stream::weights),
      generator_(options, random_),
      average_(options, nn::skip_init),
      discriminator_(options, random_),
      g_adam_(moved(generator_, device).parameters(), adam_options(recipe.g_learning_rate, recipe.betas)),
      d_adam_(moved(discriminator_, device).parameters(), adam_options(recipe.d_learning_rate, recipe.betas)),
      ema_(moved(average_, device), generator_, optim::warm_up_decay(recipe.ema)) {
    check(recipe.d_steps >= 1, "[gan] expected at least 1 step of D, got {}", recipe.d_steps);
    check(recipe.clip_grad >= 0, "[gan] expected a gradient's norm of at least 0, got {}", recipe.clip_grad);
    random_ = Generator(recipe.seed, Stream::noise);
}

Tensor GanTrainer::random_labels(int64_t count, Generator& random) const {
    return options_.classes > 0 ? randint(0, options_.classes, {count}, random).to(device_) : Tensor{};
}

GanStep GanTrainer::step(const NextBatch& next) {
    GanStep result;
    int64_t count = 0;
    for (int64_t i = 0; i < recipe_.d_steps; ++i) {
        const data::Batch batch = next();
        count = batch.pixels.size(0);
        step_discriminator(batch, result);
    }
    step_generator(count, result);
    return result;
}

// D learns to tell real from generated: both halves in one pass.
void GanTrainer::step_discriminator(const data::Batch& batch, GanStep& result) {
    const int64_t n = batch.pixels.size(0);
    check(batch.pixels.shape() == Shape{n, options_.pixels}, "[gan] expected pictures (N,{}), got {}",
          options_.pixels, batch.pixels.shape());
    const Tensor real = batch.pixels.to(device_);
    Tensor fake, labels, fake_labels = random_labels(n, random_);
    {
        const NoGrad no_grad;
        fake = generator_.generate(noise(n), fake_labels);
        if (options_.classes > 0) {
            check(!batch.labels.empty(), "[gan] a conditional network needs pictures with labels");
            labels = cat({from_vector(batch.labels, {n}).to(device_), fake_labels}, 0);
        }
    }
    d_adam_.zero_grad();
    const Tensor logits = discriminator_.judge(cat({real, fake}, 0), labels, random_);
    const Tensor of_real = slice(logits, 0, 0, n), of_fake = slice(logits, 0, n, 2 * n);
    Tensor loss = discriminator_loss(recipe_.loss, of_real, of_fake, recipe_.label_smoothing);
    if (recipe_.loss == GanLoss::wgan_gp) {
        const Tensor real_labels = labels.defined() ? slice(labels, 0, 0, n) : Tensor{};
        const Tensor penalty =
            gradient_penalty([&](const Tensor& x) { return discriminator_.judge(x, real_labels, random_); },
                             real, fake, rand({n, 1}, random_, {.device = device_}));
        result.penalty = penalty.item<double>();
        loss = loss + penalty * recipe_.gp_weight;
    }
    loss.backward();
    if (recipe_.clip_grad > 0) optim::clip_grad_norm_(discriminator_.parameters(), recipe_.clip_grad);
    d_adam_.step();
    result.d_loss = loss.item<double>();
    result.d_real = mean_of(of_real, has_beliefs(recipe_.loss));
    result.d_fake = mean_of(of_fake, has_beliefs(recipe_.loss));
    profile_rest("D's optimizer");
}

// G learns to be believed, on noise that D has not seen. D's weights need no gradient here.
void GanTrainer::step_generator(int64_t count, GanStep& result) {
    discriminator_.requires_grad_(false);
    g_adam_.zero_grad();
    const Tensor labels = random_labels(count, random_);
    const Tensor fake = generator_.generate(noise(count), labels);
    const Tensor loss = generator_loss(recipe_.loss, discriminator_.judge(fake, labels, random_));
    loss.backward();
    if (recipe_.clip_grad > 0) optim::clip_grad_norm_(generator_.parameters(), recipe_.clip_grad);
    g_adam_.step();
    discriminator_.requires_grad_(true);
    result.g_loss = loss.item<double>();
    if (recipe_.ema > 0) {
        ema_.update();
        average_is_settled_ = false;
    }
    profile_rest("G's optimizer");
}

// Batch norm's statistics of averaged weights are not the average of the generator's: what comes out of the
// layers before has changed. So they are measured, on noise that is the same each time (Izmailov et al. 2018,
// section 3.2).
void GanTrainer::settle_average() {
    if (average_is_settled_) return;
    Generator random(0, Stream::statistics);
    const Tensor z = randn({kStatisticsBatch, options_.latent}, random, {.device = device_});
    average_.measure_statistics(z, random_labels(kStatisticsBatch, random));
    average_is_settled_ = true;
}

GanGenerator& GanTrainer::best_generator() {
    if (recipe_.ema == 0) return generator_;
    settle_average();
    return average_;
}

Tensor GanTrainer::sample_from(GanGenerator& generator, const Tensor& z, const Tensor& labels) {
    const NoGrad no_grad;
    const bool training = generator.is_training();
    generator.eval();
    Tensor pictures =
        generator.generate(z.to(device_), labels.defined() ? labels.to(device_) : labels).to(Device::cpu);
    generator.train(training);
    return pictures;
}

Tensor GanTrainer::sample(const Tensor& z, const Tensor& labels) {
    return sample_from(best_generator(), z, labels);
}
Tensor GanTrainer::sample_raw(const Tensor& z, const Tensor& labels) {
    return sample_from(generator_, z, labels);
}

void GanTrainer::add_to(train::Run& run) {
    run.add("generator", generator_);
    run.add("discriminator", discriminator_);
    run.add("g_adam", g_adam_);
    run.add("d_adam", d_adam_);
    run.add("random", random_);
    if (recipe_.ema == 0) return;
    run.add("average", {.state_dict =
                            [this] {
                                settle_average();
                                return ema_.state_dict();
                            },
                        .load_state_dict =
                            [this](const StateDict& state) {
                                ema_.load_state_dict(state);
                                average_is_settled_ = false;
                            }});
}

void GanTrainer::change_course(uint32_t attempt, double learning_rate_factor) {
    random_ = Generator(recipe_.seed, Stream::new_noise, attempt);
    for (optim::Adam* adam : {&g_adam_, &d_adam_}) adam->set_lr(adam->lr() * learning_rate_factor);
}

}  // namespace lily::models
