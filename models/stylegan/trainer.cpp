// SPDX-License-Identifier: MIT
#include "models/stylegan/trainer.h"

#include "framework/autograd.h"
#include "framework/distributed/all_mean.h"
#include "framework/distributed/share.h"
#include "framework/ops.h"
#include "models/gan/losses.h"

namespace lily::models {
namespace {

constexpr double kGradientPenaltyWeight = 10;  // λ of wgan-gp

// As TensorFlow 1 computes Adam.
optim::AdamOptions adam_options(double learning_rate) {
    return {.lr = learning_rate, .betas = {0, 0.99}, .eps = 1e-8, .eps_uncorrected = true};
}

template <class M>
M& moved(M& module, Device device) {
    module.to(device);
    return module;
}

int64_t stage_of(Growth growth) { return 2 * (growth.last_block() + 2) - (growth.alpha < 1 ? 1 : 0); }

// A leaf of the same values, that a penalty asks for the gradient of.
Tensor leaf_of(const Tensor& pictures) {
    Tensor leaf = pictures.detach();
    leaf.set_requires_grad(true);
    return leaf;
}

// Penalties are on D's gradient by pixels of the full resolution: the original shows D pictures of that size
// throughout, small ones by repeating each pixel k times in both directions. Each of the k² pixels has 1/k²
// of the gradient, so that gradient is 1/k as long as the one by our small pictures.
double repeats(const StyleGanOptions& options, Growth growth) {
    return static_cast<double>(options.resolution / growth.resolution);
}

double mean_of(const Tensor& logits) { return mean(logits.detach()).item<double>(); }

}  // namespace

StyleGanTrainer::StyleGanTrainer(const StyleGanOptions& options, const StyleGanRecipe& recipe, Device device,
                                 distributed::ProcessGroup& processes)
    : options_(options),
      recipe_(recipe),
      device_(device),
      processes_(processes),
      parts_(options.stddev_group > 0 ? std::min(options.stddev_group, recipe.batch_size) : 1),
      random_(recipe.seed, Stream::weights),
      generator_(options, random_),
      average_(options, nn::skip_init),
      discriminator_(options, random_),
      g_adam_(moved(generator_, device).parameters(), adam_options(recipe.learning_rate)),
      d_adam_(moved(discriminator_, device).parameters(), adam_options(recipe.learning_rate)),
      g_reducer_(generator_.parameters(), processes),
      d_reducer_(discriminator_.parameters(), processes),
      ema_(moved(average_, device), generator_,
           optim::half_life_decay(recipe.ema_half_life, static_cast<double>(recipe.batch_size))) {
    check(recipe.penalty_every >= 1, "[stylegan] expected a penalty every 1 or more steps, got {}",
          recipe.penalty_every);
    check(recipe.gamma >= 0, "[stylegan] expected a gamma >= 0, got {}", recipe.gamma);
    const int64_t unit = parts_ * processes.size();
    check(recipe.batch_size >= 1 && recipe.batch_size % unit == 0,
          "[stylegan] expected a batch of a multiple of {} pictures, got {}", unit, recipe.batch_size);
    check(processes.is_alone() || !recipe.augmentation.any(),
          "[stylegan] augmentation is for a single process so far");
    random_ = Generator(recipe.seed, Stream::noise);
}

Tensor StyleGanTrainer::share(const Tensor& of_all) const {
    return distributed::own_share(of_all, processes_, parts_);
}

// (N, of_each...), normal: the numbers of a picture do not depend on how many processes there are.
Tensor StyleGanTrainer::new_noise(const Shape& of_each) {
    Shape shape{recipe_.batch_size};
    for (const int64_t size : of_each) shape.push_back(size);
    return share(randn(shape, random_, {.dtype = options_.dtype, .device = device_}));
}

Tensor StyleGanTrainer::labels_tensor(const std::vector<int64_t>& labels) const {
    if (options_.classes == 0) return {};
    check(static_cast<int64_t>(labels.size()) == local_batch(),
          "[stylegan] a model with classes needs pictures with labels");
    return from_vector(labels, {local_batch()}).to(device_);
}

Tensor StyleGanTrainer::random_labels() {
    if (options_.classes == 0) return {};
    return share(randint(0, options_.classes, {recipe_.batch_size}, random_,
                         {.dtype = DType::i64, .device = device_}));
}

// A batch of new pictures. Most batches have one style in their first layers and another from a random layer
// on, so that layers do not come to rely on each other. The mean of w follows the first style.
Tensor StyleGanTrainer::generate(const Tensor& labels, Growth growth) {
    const auto new_w = [&] { return generator_.map(new_noise({options_.latent}), labels); };
    const Tensor w = new_w();
    std::vector<Tensor> ws = generator_.same_style(w);
    follow_average(w);
    const int64_t layers = growth.layers();
    const std::vector<double> thrown = rand({2}, random_).to_vector<double>();
    if (thrown[0] < recipe_.mixing) {
        const Tensor other = new_w();
        const auto from =
            static_cast<size_t>(1 + static_cast<int64_t>(thrown[1] * static_cast<double>(layers - 1)));
        for (size_t i = from; i < ws.size(); ++i) ws[i] = other;
    }
    const NoiseSource noise = [this](int64_t, int64_t side) { return new_noise({1, side, side}); };
    return generator_.synthesize(ws, noise, growth);
}

void StyleGanTrainer::follow_average(const Tensor& w) {
    const NoGrad no_grad;
    Tensor batch_mean = mean(w.detach(), {0});
    distributed::begin_mean(processes_, batch_mean).wait();
    const double decay = recipe_.w_average_decay;
    generator_.w_average.copy_(generator_.w_average * decay + batch_mean * (1 - decay));
}

Tensor StyleGanTrainer::judge(const Tensor& pictures, const Tensor& labels, Growth growth) {
    return discriminator_.judge(
        recipe_.augmentation.any() ? augment(pictures, recipe_.augmentation, random_) : pictures, labels,
        growth);
}

// Adam's moments of one resolution say nothing about the next.
void StyleGanTrainer::begin_stage(Growth growth) {
    const int64_t stage = stage_of(growth);
    if (stage == stage_) return;
    if (stage_ >= 0) {
        g_adam_.reset();
        d_adam_.reset();
    }
    g_reducer_.expect_others();
    d_reducer_.expect_others();
    stage_ = stage;
}

StyleGanStep StyleGanTrainer::step(const Tensor& pictures, const std::vector<int64_t>& labels) {
    const Shape expected{local_batch(), options_.channels, options_.resolution, options_.resolution};
    check(pictures.shape() == expected, "[stylegan] expected pictures {}, got {}", expected,
          pictures.shape());
    const Growth now = growth();
    begin_stage(now);
    const Tensor real_labels = labels_tensor(labels), real = shrink_to(pictures.to(device_), now);
    step_discriminator(real, real_labels, now);
    ema_.update();  // with D's step, as published: one step of G behind
    step_generator(real, real_labels, now);
    pictures_seen_ += recipe_.batch_size;
    return of_all_processes(last_);
}

StyleGanStep StyleGanTrainer::of_all_processes(const StyleGanStep& s) {
    if (processes_.is_alone()) return s;
    std::array<double, 5> means{s.d_loss, s.g_loss, s.penalty, s.d_real, s.d_fake};
    processes_.mean(std::span<double>(means));
    return {means[0], means[1], means[2], means[3], means[4]};
}

void StyleGanTrainer::step_discriminator(const Tensor& real, const Tensor& labels, Growth growth) {
    const StyleGanLoss kind = recipe_.loss;
    const int64_t step = pictures_seen_ / recipe_.batch_size;
    const double k = repeats(options_, growth);
    const bool penalise =
        kind != StyleGanLoss::wgan_gp && recipe_.gamma > 0 && step % recipe_.penalty_every == 0;
    const Tensor fake_labels = kind == StyleGanLoss::r3 ? labels : random_labels();
    Tensor fake;
    {
        const NoGrad no_grad;
        fake = generate(fake_labels, growth);
    }
    Tensor x = penalise ? leaf_of(real) : real;
    Tensor y = penalise && kind == StyleGanLoss::r3 ? leaf_of(fake) : fake;
    const Tensor of_real = judge(x, labels, growth), of_fake = judge(y, fake_labels, growth);
    Tensor loss = stylegan_d_loss(kind, of_real, of_fake);
    Tensor penalty;
    if (penalise) {
        penalty = gradient_square(of_real, x);
        if (y.requires_grad()) penalty = penalty + gradient_square(of_fake, y);
        penalty = penalty * (1 / (k * k));
        loss = loss + penalty * (recipe_.gamma / 2 * static_cast<double>(recipe_.penalty_every));
        x.set_requires_grad(false);  // the penalty's gradient by the pictures themselves is of no use
        if (y.requires_grad()) y.set_requires_grad(false);
    } else if (kind == StyleGanLoss::wgan_gp) {
        const auto critic = [&](const Tensor& flat) {  // of pixels k times as large
            return judge(flat.reshape(real.shape()) * (1 / k), labels, growth);
        };
        const Tensor mix =
            share(rand({recipe_.batch_size, 1}, random_, {.dtype = options_.dtype, .device = device_}));
        penalty =
            gradient_penalty(critic, real.contiguous().flatten(1) * k, fake.contiguous().flatten(1) * k, mix);
        loss = loss + penalty * kGradientPenaltyWeight;
    }
    d_adam_.zero_grad();
    loss.backward(d_reducer_.options());
    d_reducer_.finish();
    d_adam_.step();
    last_.d_loss = loss.item<double>();
    last_.d_real = mean_of(of_real);
    last_.d_fake = mean_of(of_fake);
    if (penalty.defined()) last_.penalty = penalty.item<double>();
}

void StyleGanTrainer::step_generator(const Tensor& real, const Tensor& labels, Growth growth) {
    const bool paired = recipe_.loss == StyleGanLoss::r3;
    const Tensor fake_labels = paired ? labels : random_labels();
    discriminator_.requires_grad_(false);
    g_adam_.zero_grad();
    const Tensor fake = judge(generate(fake_labels, growth), fake_labels, growth);
    const Tensor loss = stylegan_g_loss(recipe_.loss, paired ? judge(real, labels, growth) : Tensor{}, fake);
    loss.backward(g_reducer_.options());
    g_reducer_.finish();
    g_adam_.step();
    discriminator_.requires_grad_(true);
    last_.g_loss = loss.item<double>();
}

void StyleGanTrainer::add_to(train::Run& run) {
    run.add("generator", generator_);
    run.add("discriminator", discriminator_);
    run.add("g_adam", g_adam_);
    run.add("d_adam", d_adam_);
    run.add("average", ema_);
    run.add("random", random_);
    run.add("pictures", pictures_seen_);
    run.add("stage", stage_);
}

void StyleGanTrainer::change_course(uint32_t attempt, double learning_rate_factor) {
    random_ = Generator(recipe_.seed, Stream::new_noise, attempt);
    for (optim::Adam* adam : {&g_adam_, &d_adam_}) adam->set_lr(adam->lr() * learning_rate_factor);
}

}  // namespace lily::models
