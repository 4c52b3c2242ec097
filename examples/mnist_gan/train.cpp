// SPDX-License-Identifier: MIT
// mnist_gan train
#include <algorithm>
#include <cmath>
#include <filesystem>

#include "examples/common/memory.h"
#include "examples/common/saved_files.h"
#include "examples/mnist_gan/commands.h"
#include "examples/mnist_gan/quality.h"
#include "examples/mnist_gan/train_outputs.h"
#include "framework/random.h"
#include "framework/train/interrupt.h"

namespace lily::mnist_gan {
namespace {

using namespace lily::models;

// Seeds of what does not depend on how far the training is: distinct from the training's own, which is
// --seed.
constexpr uint64_t kGridNoise = 1u << 20, kCheckNoise = 2u << 20, kEvaluationNoise = 3u << 20,
                   kNewCourse = 4u << 20;
constexpr int64_t kFirstCheck = 600;  // before, there are no digits to tell apart
constexpr int64_t kBadChecks = 2;     // one after the other are a collapse
constexpr int64_t kMostRollbacks = 3;
constexpr int kStoppedByCollapse = 3;  // exit code
constexpr int64_t kClassifierEpochs = 3;

GanOptions network_options(const TrainSettings& s, const data::Dataset& set) {
    check(!s.conditional || !set.labels.empty(), "--conditional needs labels, which {} has not",
          io::in_quotes(s.data));
    return {.pixels = set.picture_size(),
            .latent = s.latent,
            .g_hidden = s.g_hidden,
            .d_hidden = s.d_hidden,
            .classes = s.conditional ? set.classes : 0,
            .batch_norm = !s.plain,
            .dropout = s.dropout};
}

GanRecipe recipe(const TrainSettings& s) {
    return {.loss = s.loss,
            .g_learning_rate = s.learning_rate,
            .d_learning_rate = s.d_learning_rate > 0 ? s.d_learning_rate : s.learning_rate,
            .betas = {s.beta1, s.beta2},
            .label_smoothing = s.label_smoothing,
            .gp_weight = s.gp_weight,
            .clip_grad = s.clip_grad,
            .d_steps = s.d_steps,
            .ema = s.ema,
            .seed = s.seed};
}

// What a resumed run must have in common with the one that it continues.
io::Checkpoint::Settings settings_that_matter(const TrainSettings& s, const data::Dataset& set) {
    const auto number = [](double value) { return fmt::format("{}", value); };
    const auto word = [](bool value) { return value ? "yes" : "no"; };
    return {{"--data", set.fingerprint()},
            {"--batch-size", fmt::format("{}", s.batch_size)},
            {"--latent", fmt::format("{}", s.latent)},
            {"--g-hidden", fmt::format("{}", fmt::join(s.g_hidden, ","))},
            {"--d-hidden", fmt::format("{}", fmt::join(s.d_hidden, ","))},
            {"--plain", word(s.plain)},
            {"--conditional", word(s.conditional)},
            {"--dropout", number(s.dropout)},
            {"--loss", word_for(s.loss, kLosses)},
            {"--learning-rate", number(s.learning_rate)},
            {"--d-learning-rate", number(s.d_learning_rate)},
            {"--beta1", number(s.beta1)},
            {"--beta2", number(s.beta2)},
            {"--label-smoothing", number(s.label_smoothing)},
            {"--gp-weight", number(s.gp_weight)},
            {"--clip-grad", number(s.clip_grad)},
            {"--d-steps", fmt::format("{}", s.d_steps)},
            {"--ema", number(s.ema)},
            {"--seed", fmt::format("{}", s.seed)}};
}

// Throws if the training needs more memory than there is: parameters with their gradients, Adam's two
// moments, the averages, and what a checkpoint copies; maps of a batch.
void require_memory(const TrainSettings& s, const data::Dataset& set) {
    const auto pixels = static_cast<double>(set.picture_size());
    double parameters = 0, widths = 0;
    const auto player = [&](double in, const std::vector<int64_t>& hidden, double out) {
        for (const int64_t width : hidden) {
            parameters += in * static_cast<double>(width);
            widths += in = static_cast<double>(width);
        }
        parameters += in * out;
        widths += out;
    };
    player(static_cast<double>(s.latent), s.g_hidden, pixels);
    player(pixels, s.d_hidden, 1);
    constexpr double kCopies = 5.4, kMaps = 4;  // measured: 2000,2000 in both: 303 MB; batches of 512: 86 MB
    const double floats = kCopies * parameters + kMaps * static_cast<double>(s.batch_size) * widths;
    lily::require_memory(
        "the training", kProgramMegabytes + 4e-6 * floats, kMappedMegabytes,
        "choose fewer or smaller layers (--g-hidden, --d-hidden), or a smaller --batch-size");
}

class Training {
  public:
    Training(const TrainSettings& s, Device device, data::Dataset set)
        : s_(s),
          folder_(s.out),
          set_(std::move(set)),
          size_{set_.channels, set_.height, set_.width},
          same_(settings_that_matter(s, set_)),
          trainer_(network_options(s, set_), recipe(s), device),
          loader_(set_, s.batch_size, s.seed),
          monitor_(set_),
          per_epoch_(std::max<int64_t>(1, loader_.batches_per_epoch() / s.d_steps)),
          iterations_(s.iterations > 0 ? s.iterations : s.epochs * per_epoch_) {
        check_pictures(s, folder_, size_);
        folder_.prepare(s.resume);
        if (s.resume && folder_.has_checkpoint()) {
            run_ = load_gan_run(folder_.checkpoint(), trainer_, loader_, monitor_, same_);
            check(trainer_.iteration() <= iterations_,
                  "the run in {} has {} iterations done already; pass more --epochs", io::in_quotes(s.out),
                  trainer_.iteration());
            s.say("goes on after iteration {}", trainer_.iteration());
        }
        prepare_evaluation(device);
        outputs_.emplace(s_, folder_, trainer_.iteration(), iterations_);
        // A healthy state that other sessions, without rollback, have left behind is too old.
        const bool begins = run_.bad_checks == 0 || !folder_.has_healthy();
        // The collapse that has ended a run is to be seen again by one that goes on.
        if (s_.on_collapse != OnCollapse::warn && run_.bad_checks >= kBadChecks) run_.bad_checks = 0;
        if (trainer_.iteration() == 0) save(folder_.checkpoint());
        if (s_.on_collapse == OnCollapse::rollback && begins) save(folder_.healthy());
    }

    int run() {
        heed_interrupts();
        try {
            while (trainer_.iteration() < iterations_ && !interrupted && !stopped_) step();
        } catch (const GanDiverged& error) {
            outputs_.reset();
            fail("{}; the last good state is in {}", error.what(), folder_.checkpoint());
        } catch (const std::exception& error) {  // a full disk, say
            outputs_.reset();
            const std::string at = save_somewhere(folder_.checkpoint());
            fail("{}{}", error_text(error), at.empty() ? "" : fmt::format("; the checkpoint is {}", at));
        }
        return finish();
    }

  private:
    bool is_due(int64_t every) const { return trainer_.iteration() % every == 0; }
    int64_t epoch() const { return (trainer_.iteration() - 1) / per_epoch_ + 1; }

    // What is due after a step is done in this order: a checkpoint holds what the check and the evaluation
    // before it have found.
    void step() {
        const GanStep step = trainer_.step([&] { return loader_.next(trainer_.device()); });
        monitor_.see(step, s_.loss);
        run_.history.push_back(step);
        const int64_t i = trainer_.iteration();
        outputs_->step(i, epoch(), step);
        if (is_due(s_.sample_every > 0 ? s_.sample_every : per_epoch_))
            outputs_->grid(i, grid_samples(), size_);
        if (i >= kFirstCheck && is_due(s_.check_every)) check_health();
        if (trainer_.iteration() != i) return;  // it has gone back
        if (classifier_ && (is_due(s_.evaluate_every * per_epoch_) || i == iterations_)) evaluate();
        if (is_due(s_.checkpoint_every)) save_checkpoint();
    }

    void save(const std::string& path) {
        if (!trainer_.is_finite())
            throw GanDiverged(
                fmt::format("[gan] parameters became infinite or NaN by iteration {}", trainer_.iteration()));
        save_gan_run(path, trainer_, size_, loader_, monitor_, run_, same_);
    }

    std::string save_somewhere(const std::string& path) {
        if (!trainer_.is_finite()) return "";
        return saved_.save(path, [&](const std::string& to) { save(to); });
    }

    void save_checkpoint() {
        if (s_.on_collapse == OnCollapse::rollback && run_.bad_checks == 0) save(folder_.healthy());
        save(folder_.checkpoint());
    }

    Tensor labels_for(int64_t count) const {
        const int64_t classes = trainer_.options().classes;
        return classes > 0 ? from_vector(classes_for(count, -1, classes), {count}) : Tensor{};
    }
    Tensor noise(int64_t count, uint64_t seed) const {
        Generator random(s_.seed + seed);
        return randn({count, s_.latent}, random);
    }
    Tensor grid_samples() {
        const int64_t count = int64_t{s_.grid[0]} * s_.grid[1];
        return trainer_.sample(noise(count, kGridNoise), labels_for(count));
    }

    void check_health() {
        constexpr int64_t n = CollapseMonitor::kSamples;
        const GanHealth health = monitor_.check(trainer_.sample_raw(noise(n, kCheckNoise), labels_for(n)));
        outputs_->health(trainer_.iteration(), health);
        run_.bad_checks = health.problem.empty() ? 0 : run_.bad_checks + 1;
        if (run_.bad_checks != kBadChecks) return;
        outputs_->message(fmt::format("warning: collapse at iteration {} (epoch {}): {}",
                                      trainer_.iteration(), epoch(), health.problem));
        if (s_.on_collapse == OnCollapse::stop) stopped_ = true;
        if (s_.on_collapse == OnCollapse::rollback) roll_back();
    }

    void roll_back() {
        const int64_t from = trainer_.iteration(), rollbacks = run_.rollbacks + 1;
        if (rollbacks > kMostRollbacks) {
            outputs_->message(fmt::format("stops: {} rollbacks did not help", kMostRollbacks));
            stopped_ = true;
            return;
        }
        const double best = run_.best_distance;  // of a file that stays
        run_ = load_gan_run(folder_.healthy(), trainer_, loader_, monitor_, same_);
        run_.best_distance = best;
        // The healthy state may be older than the rollbacks before.
        trainer_.change_course(s_.seed + kNewCourse + static_cast<uint64_t>(from),
                               std::pow(0.5, rollbacks - run_.rollbacks));
        run_.rollbacks = rollbacks;
        outputs_->rewind(trainer_.iteration());
        outputs_->message(fmt::format("rolled back to iteration {}; learning rate x {}", trainer_.iteration(),
                                      std::pow(0.5, rollbacks)));
        save(folder_.checkpoint());
    }

    void prepare_evaluation(Device device) {
        if (s_.evaluate_every == 0 || set_.labels.empty()) return;
        const std::string path = s_.classifier.empty() ? folder_.classifier() : s_.classifier;
        const bool train = s_.classifier.empty() && !std::filesystem::exists(path);
        classifier_ = (train ? train_and_save_classifier(path, set_, kClassifierEpochs, 0, s_, device)
                             : load_classifier(path))
                          .classifier;
        classifier_->to(device);
        evaluator_.emplace(*classifier_, set_, device);
    }

    void evaluate() {
        const Tensor z = noise(kEvaluated, kEvaluationNoise);
        const GanQuality quality = evaluator_->quality(trainer_.sample(z, labels_for(kEvaluated)));
        outputs_->quality(trainer_.iteration(), quality);
        if (run_.best_distance >= 0 && !(quality.frechet < run_.best_distance)) return;
        run_.best_distance = quality.frechet;
        save_generator(folder_.best(), trainer_.best_generator(), trainer_.options(), size_);
    }

    int finish();

    static constexpr int64_t kEvaluated = 2000;

    const TrainSettings& s_;
    const RunFolder folder_;
    const data::Dataset set_;
    const io::PictureSize size_;
    const io::Checkpoint::Settings same_;
    GanTrainer trainer_;
    data::Loader loader_;
    CollapseMonitor monitor_;
    const int64_t per_epoch_, iterations_;
    GanRun run_;
    std::unique_ptr<DigitClassifier> classifier_;
    std::optional<Evaluator> evaluator_;
    std::optional<TrainOutputs> outputs_;
    SavedFiles saved_;
    bool stopped_ = false;  // by a collapse
};

// The checkpoint first: whatever fails after it can be had by --resume.
int Training::finish() {
    check(trainer_.is_finite(), "[gan] parameters became infinite or NaN; the last good state is in {}",
          folder_.checkpoint());
    save_somewhere(folder_.checkpoint());
    saved_.save(folder_.model(), [&](const std::string& path) {
        save_generator(path, trainer_.best_generator(), trainer_.options(), size_);
    });
    outputs_->finish(grid_samples(), size_, run_.history, saved_);
    saved_.require_all_in_place();
    if (interrupted || stopped_) {
        s_.say("{} after iteration {}; to go on: the same command with --resume",
               interrupted ? "interrupted" : "stopped by a collapse", trainer_.iteration());
        return interrupted ? 128 + interrupted : kStoppedByCollapse;
    }
    const GanStep& last = run_.history.back();
    s_.say("done: D {:.3f}, G {:.3f}; model, samples.png, sheet.png, losses.svg, log.csv in {}", last.d_loss,
           last.g_loss, s_.out);
    return 0;
}

}  // namespace

int run(const TrainSettings& s) {
    data::Dataset set = load_pictures(s, s.data, s.image_size);
    s.say("{} pictures of {}x{}{}", set.count, set.width, set.height,
          set.labels.empty() ? "" : fmt::format(", {} classes", set.classes));
    const Device device = s.choose();
    if (device != Device::cuda) require_memory(s, set);
    return Training(s, device, std::move(set)).run();
}

}  // namespace lily::mnist_gan
