// SPDX-License-Identifier: MIT
#include "models/gan/trainer.h"

#include <algorithm>
#include <cmath>

#include "framework/autograd.h"
#include "framework/distributed/share.h"
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

// Mean of the logits, or of what they say as beliefs: σ(logit). On the host, in f64.
double mean_of(const Tensor& logits, bool beliefs) {
    double total = 0;
    const std::vector<double> values = logits.to_vector<double>();
    for (const double v : values) total += beliefs ? 1 / (1 + std::exp(-v)) : v;
    return total / static_cast<double>(values.size());
}
// The same where the logits are; (1)
Tensor mean_there(const Tensor& logits, bool beliefs) {
    return mean(beliefs ? sigmoid(logits) : logits).reshape({1});
}

// The figures of a step in the order in which a GPU has them.
enum Figure : size_t { kDLoss, kDReal, kDFake, kPenalty, kGLoss };

}  // namespace

GanStep LateGanStep::get() const {
    if (!figures_) return step_;
    const std::vector<float>& v = figures_->values();
    return {.d_loss = v[kDLoss],
            .g_loss = v[kGLoss],
            .d_real = v[kDReal],
            .d_fake = v[kDFake],
            .penalty = v[kPenalty]};
}

GanTrainer::GanTrainer(const GanOptions& options, const GanRecipe& recipe, Device device,
                       distributed::ProcessGroup& processes)
    : options_(options),
      recipe_(recipe),
      device_(device),
      processes_(processes),
      random_(recipe.seed, Stream::weights),
      generator_(options, random_),
      average_(options, nn::skip_init),
      discriminator_(options, random_),
      g_adam_(moved(generator_, device).parameters(), adam_options(recipe.g_learning_rate, recipe.betas)),
      d_adam_(moved(discriminator_, device).parameters(), adam_options(recipe.d_learning_rate, recipe.betas)),
      g_reducer_(generator_.parameters(), processes),
      d_reducer_(discriminator_.parameters(), processes),
      ema_(moved(average_, device), generator_, optim::warm_up_decay(recipe.ema)) {
    if (device != Device::cpu) {
        d_figures_ = zeros({kGLoss}, {.device = device});
        figures_ = zeros({kGLoss + 1}, {.device = device});
    }
    check(recipe.d_steps >= 1, "[gan] expected at least 1 step of D, got {}", recipe.d_steps);
    check(recipe.clip_grad >= 0, "[gan] expected a gradient's norm of at least 0, got {}", recipe.clip_grad);
    check(processes.is_alone() || options.dropout == 0, "[gan] dropout is for a single process so far");
    generator_.share_statistics(processes);
    random_ = Generator(recipe.seed, Stream::noise);
}

Tensor GanTrainer::share(const Tensor& of_all) const { return distributed::own_share(of_all, processes_); }

Tensor GanTrainer::noise(int64_t count) {
    return share(randn({count * processes_.size(), options_.latent}, random_, {.device = device_}));
}

Tensor GanTrainer::random_labels(int64_t count) {
    if (options_.classes == 0) return {};
    return share(randint(0, options_.classes, {count * processes_.size()}, random_,
                         {.dtype = DType::i64, .device = device_}));
}

LateGanStep GanTrainer::begin_step(const NextBatch& next) {
    for (int64_t i = 0; i < recipe_.d_steps; ++i) {
        put_inputs(next());
        run(*d_step_, &GanTrainer::step_discriminator);
    }
    run(*g_step_, &GanTrainer::step_generator);
    if (recipe_.ema > 0) average_is_settled_ = false;
    if (device_ != Device::cpu) return LateGanStep(Readback(figures_));
    GanStep result{.d_loss = d_loss_.item<double>(),
                   .g_loss = g_loss_.item<double>(),
                   .d_real = mean_of(of_real_, has_beliefs(recipe_.loss)),
                   .d_fake = mean_of(of_fake_, has_beliefs(recipe_.loss))};
    if (penalty_.defined()) result.penalty = penalty_.item<double>();
    return of_all_processes(result);
}

LateGanStep GanTrainer::of_all_processes(const GanStep& s) {
    if (processes_.is_alone()) return LateGanStep(s);
    std::array<double, 5> means{s.d_loss, s.g_loss, s.d_real, s.d_fake, s.penalty};
    processes_.mean(std::span<double>(means));
    return LateGanStep(GanStep{means[0], means[1], means[2], means[3], means[4]});
}

// A profiler reads its clock between the ops, which a replay does not have.
void GanTrainer::run(CapturedStep& captured, void (GanTrainer::*step)()) {
    if (Profiler::active())
        (this->*step)();
    else
        captured.replay();
}

// On a GPU into the memory that the recorded steps read. Batches of another size are recorded anew.
void GanTrainer::put_inputs(const data::Batch& batch) {
    const int64_t n = batch.pixels.size(0);
    check(batch.pixels.shape() == Shape{n, options_.pixels}, "[gan] expected pictures (N,{}), got {}",
          options_.pixels, batch.pixels.shape());
    const bool conditional = options_.classes > 0;
    check(!conditional || !batch.labels.empty(), "[gan] a conditional network needs pictures with labels");
    const bool anew = !real_.defined() || real_.shape() != batch.pixels.shape();
    if (anew) {
        d_step_.emplace(capture(device_, [this] { step_discriminator(); }));
        g_step_.emplace(capture(device_, [this] { step_generator(); }));
    }
    const Tensor labels = conditional ? from_vector(batch.labels, {n}) : Tensor{};
    if (device_ == Device::cpu) {
        real_ = batch.pixels;
        real_labels_ = labels;
        return;
    }
    if (anew) {
        real_ = empty(batch.pixels.shape(), {.device = device_});
        real_labels_ = empty({n}, {.dtype = DType::i64, .device = device_});
    }
    real_.copy_(batch.pixels);
    if (conditional) real_labels_.copy_(labels);
}

// D learns to tell real from generated: both halves in one pass.
void GanTrainer::step_discriminator() {
    const int64_t n = real_.size(0);
    Tensor fake, labels, fake_labels = random_labels(n);
    {
        const NoGrad no_grad;
        fake = generator_.generate(noise(n), fake_labels);
        if (options_.classes > 0) labels = cat({real_labels_, fake_labels}, 0);
    }
    d_adam_.zero_grad();
    const Tensor logits = discriminator_.judge(cat({real_, fake}, 0), labels, random_);
    const Tensor of_real = slice(logits, 0, 0, n), of_fake = slice(logits, 0, n, 2 * n);
    Tensor loss = discriminator_loss(recipe_.loss, of_real, of_fake, recipe_.label_smoothing);
    if (recipe_.loss == GanLoss::wgan_gp) {
        const Tensor real_labels = labels.defined() ? slice(labels, 0, 0, n) : Tensor{};
        const Tensor penalty = gradient_penalty(
            [&](const Tensor& x) { return discriminator_.judge(x, real_labels, random_); }, real_, fake,
            share(rand({n * processes_.size(), 1}, random_, {.device = device_})));
        loss = loss + penalty * recipe_.gp_weight;
        penalty_ = penalty.detach();
    }
    loss.backward(d_reducer_.options());
    d_reducer_.finish();
    if (recipe_.clip_grad > 0) optim::clip_grad_norm_(discriminator_.parameters(), recipe_.clip_grad);
    d_adam_.step();
    d_loss_ = loss.detach();
    of_real_ = of_real.detach();
    of_fake_ = of_fake.detach();
    if (device_ != Device::cpu) {
        const bool beliefs = has_beliefs(recipe_.loss);
        const Tensor none = zeros({1}, {.device = device_});
        d_figures_.copy_(
            cat({d_loss_.reshape({1}), mean_there(of_real_, beliefs), mean_there(of_fake_, beliefs),
                 penalty_.defined() ? penalty_.reshape({1}) : none},
                0));
    }
    profile_rest("D's optimizer");
}

// G learns to be believed, on noise that D has not seen. D's weights need no gradient here.
void GanTrainer::step_generator() {
    const int64_t count = real_.size(0);
    discriminator_.requires_grad_(false);
    g_adam_.zero_grad();
    const Tensor labels = random_labels(count);
    const Tensor fake = generator_.generate(noise(count), labels);
    const Tensor loss = generator_loss(recipe_.loss, discriminator_.judge(fake, labels, random_));
    loss.backward(g_reducer_.options());
    g_reducer_.finish();
    if (recipe_.clip_grad > 0) optim::clip_grad_norm_(generator_.parameters(), recipe_.clip_grad);
    g_adam_.step();
    discriminator_.requires_grad_(true);
    g_loss_ = loss.detach();
    if (recipe_.ema > 0) ema_.update();
    if (device_ != Device::cpu) figures_.copy_(cat({d_figures_, g_loss_.reshape({1})}, 0));
    profile_rest("G's optimizer");
}

// Batch norm's statistics of averaged weights are not the average of the generator's: what comes out of the
// layers before has changed. So they are measured, on noise that is the same each time (Izmailov et al. 2018,
// section 3.2).
void GanTrainer::settle_average() {
    if (average_is_settled_) return;
    Generator random(0, Stream::statistics);
    const Tensor z = randn({kStatisticsBatch, options_.latent}, random, {.device = device_});
    const TensorOptions there{.dtype = DType::i64, .device = device_};
    average_.measure_statistics(
        z, options_.classes > 0 ? randint(0, options_.classes, {kStatisticsBatch}, random, there) : Tensor{});
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
