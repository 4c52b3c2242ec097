// SPDX-License-Identifier: MIT
// clip train
#include <algorithm>
#include <cmath>
#include <optional>

#include "examples/clip/commands.h"
#include "examples/clip/data.h"
#include "examples/common/pictures.h"
#include "examples/common/processes.h"
#include "examples/common/saved_files.h"
#include "framework/train/run_folder.h"
#include "models/clip/evaluation.h"
#include "models/clip/model_file.h"

namespace lily::clip {
namespace {

using namespace lily::models;

const std::vector<train::Column> kLog = {{"epoch", "epoch", "{:.1f}"},
                                         {"loss", "loss", "{:.3f}"},
                                         {"right", "right", "{:.2f}"},
                                         {"scale", "scale", "{:.1f}"}};

ClipConfig config_of(const TrainSettings& s, const data::Dataset& set, const ClipTokenizer& tokenizer) {
    check(s.width % s.heads == 0, "--width {} is not a multiple of --heads {}", s.width, s.heads);
    check(set.width % s.patch_size == 0,
          "pictures of {0}x{0} do not consist of patches of {1}x{1}; see --patch-size", set.width,
          s.patch_size);
    const ClipTower tower{s.width, s.layers, s.heads, 4 * s.width};
    return {.embed_dim = s.embed_dim,
            .image_size = set.width,
            .patch_size = s.patch_size,
            .context_length = s.context_length,
            .vocab_size = tokenizer.size(),
            .vision = tower,
            .text = tower};
}

// Pictures to try the model on, and what it is to find.
class Test {
  public:
    Test(const TrainSettings& s, data::Dataset set, const ClipTokenizer& tokenizer)
        : set_(std::move(set)),
          names_(s.class_names),
          templates_(templates_or(s.test_templates, data::Split::test)),
          tokenizer_(tokenizer) {
        if (set_.labels.empty()) texts_ = Captions::written(set_, tokenizer, s.context_length).distinct();
    }
    // In parts of 1: classes that are right, or texts found among the first 1, 5 and 10, both ways.
    std::vector<double> measure(Clip& model) const {
        const Tensor pictures = embed_pictures(model, set_);
        if (set_.labels.empty()) {
            const Recall r = recall(pictures, embed_texts(model, texts_.tokens), texts_.meaning);
            return {r.text_of_picture[0], r.text_of_picture[1], r.text_of_picture[2],
                    r.picture_of_text[0], r.picture_of_text[1], r.picture_of_text[2]};
        }
        return {
            zero_shot_accuracy(pictures, class_features(model, tokenizer_, names_, templates_), set_.labels)};
    }
    std::vector<train::Column> columns() const {
        if (!set_.labels.empty()) return {{"zero_shot"}};
        return {{"text_at_1"},    {"text_at_5"},    {"text_at_10"},
                {"picture_at_1"}, {"picture_at_5"}, {"picture_at_10"}};
    }
    std::string in_words(const std::vector<double>& v) const {
        if (v.size() == 1)
            return fmt::format("zero-shot: {:.2f} % of {} test pictures", 100 * v[0], set_.count);
        return fmt::format(
            "of {} test pictures: texts found {:.1f}, {:.1f}, {:.1f} %, pictures {:.1f}, {:.1f}, {:.1f} % "
            "(at 1, 5, 10)",
            set_.count, 100 * v[0], 100 * v[1], 100 * v[2], 100 * v[3], 100 * v[4], 100 * v[5]);
    }

  private:
    const data::Dataset set_;
    const std::vector<std::string> names_, templates_;
    const ClipTokenizer& tokenizer_;
    Captions::Texts texts_;
};

class Training {
  public:
    Training(const TrainSettings& s, Device device, const data::Dataset& set, const ClipTokenizer& tokenizer,
             std::optional<Test> test, distributed::ProcessGroup& processes)
        : s_(s),
          processes_(processes),
          set_(set),
          captions_(set.labels.empty() ? Captions::written(set, tokenizer, s.context_length)
                                       : Captions::of_classes(set, s.class_names,
                                                              templates_or(s.templates, data::Split::train),
                                                              s.recipe.seed, tokenizer, s.context_length)),
          loader_(set_, {.batch_size = share_of_batch(processes, s.batch_size),
                         .seed = s.recipe.seed,
                         .rank = processes.rank(),
                         .world_size = processes.size(),
                         .mirror = s.mirror}),
          per_epoch_(std::max<int64_t>(1, loader_.batches_per_epoch())),
          steps_(s.iterations > 0
                     ? s.iterations
                     : std::max<int64_t>(1, std::llround(s.epochs * static_cast<double>(per_epoch_)))),
          trainer_(config_of(s, set, tokenizer), recipe(), device, processes),
          test_(std::move(test)),
          folder_(s.out, s.resume, {"model.safetensors", "loss.svg"}, processes.is_first()),
          run_(
              folder_.with_files({.program = "clip",
                                  .settings = settings(),
                                  .steps = steps_,
                                  .checkpoint_every = s.checkpoint_every,
                                  .longer = "more --epochs",
                                  .calmer = "a lower --learning-rate",
                                  .save_last = [this](const std::string& path,
                                                      const auto& write) { return saved_.save(path, write); },
                                  .error_text = error_text,
                                  .quiet = s.quiet,
                                  .agree = agreement(processes)}),
              kLog) {
        trainer_.add_to(run_);
        run_.add("loader", loader_);
        if (test_) tests_ = &run_.add_log(folder_ / "test.csv", test_->columns());
        processes.barrier();
        run_.begin();
    }

    int run() {
        const int status = run_.loop([this] { step(); });
        if (!processes_.is_first()) return status;
        saved_.save(folder_ / "model.safetensors",
                    [&](const std::string& path) { save_clip(path, trainer_.model()); });
        saved_.save(folder_ / "loss.svg", [&](const std::string& path) {
            folder_.save_plot(path, {"CLIP", "iteration", "loss"}, {run_.history().series("loss", "loss")},
                              s_.quiet);
        });
        saved_.require_all_in_place();
        if (status == 0)
            s_.say("done: {}; model, loss.svg, log.csv in {}", run_.history().progress_text(), s_.out);
        return status;
    }

  private:
    ClipRecipe recipe() const {
        ClipRecipe recipe = s_.recipe;
        recipe.steps = steps_;
        recipe.warm_up = std::min(recipe.warm_up, std::max<int64_t>(1, steps_ - 1));
        return recipe;
    }
    // The number of steps belongs to them: the learning rate follows it.
    io::Checkpoint::Settings settings() const {
        io::Checkpoint::Settings all = s_.same.with({{"--data", set_.fingerprint()}});
        all["steps in all"] = fmt::format("{}", steps_);
        return all;
    }

    void step() {
        const data::Batch batch = loader_.next();
        const double epoch = static_cast<double>(loader_.position()) / static_cast<double>(set_.count);
        const ClipStep step = trainer_.step(batch.pixels, captions_.of(batch));
        run_.log({epoch, step.loss, step.right, step.scale});
        if (!test_ || !processes_.is_first()) return;
        if (!run_.is_due(s_.evaluate_every > 0 ? s_.evaluate_every : per_epoch_) && !run_.is_last()) return;
        const std::vector<double> found = test_->measure(trainer_.model());
        tests_->row(run_.step(), found);
        run_.message(test_->in_words(found));
    }

    const TrainSettings& s_;
    distributed::ProcessGroup& processes_;
    const data::Dataset& set_;
    const Captions captions_;
    data::Loader loader_;
    const int64_t per_epoch_, steps_;
    ClipTrainer trainer_;
    const std::optional<Test> test_;
    SavedFiles saved_;
    const train::RunFolder folder_;
    train::Run run_;
    train::Log* tests_ = nullptr;
};

}  // namespace

int run(const TrainSettings& given) {
    distributed::ProcessGroup processes;
    TrainSettings s = given;
    s.quiet = s.quiet || !processes.is_first();
    const ClipTokenizer tokenizer = ClipTokenizer::load(s.vocabulary);
    const data::Dataset set = load_set(s, s.data, s.image_size, data::Split::train);
    check(set.labels.empty() || !s.class_names.empty(), "{} has classes: name them by --class-names A,B,…",
          io::in_quotes(s.data));
    std::optional<Test> test;
    if (!s.test.empty())
        test.emplace(s, load_set(s, s.test, set.width, data::Split::test), tokenizer);
    else if (!set.labels.empty() && data::has_mnist(s.data, data::Split::test))
        test.emplace(s, data::load_mnist(s.data, data::Split::test), tokenizer);
    s.say("{} pictures of {}x{}", set.count, set.width, set.height);
    const Device device = s.choose();
    require_same_settings(processes, [&] { return s.same.with({{"--data", set.fingerprint()}}); });
    return Training(s, device, set, tokenizer, std::move(test), processes).run();
}

}  // namespace lily::clip
