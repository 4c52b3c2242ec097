// SPDX-License-Identifier: MIT
// stylegan train
#include <algorithm>
#include <cmath>
#include <optional>

#include "examples/common/gan_run.h"
#include "examples/common/pictures.h"
#include "examples/stylegan/commands.h"
#include "examples/stylegan/judge.h"
#include "framework/data/transforms.h"
#include "framework/train/monitor.h"
#include "models/stylegan/model_file.h"

namespace lily::stylegan {
namespace {

using namespace lily::models;

constexpr int64_t kChecked = 256, kEvaluated = 2000;  // samples

const std::vector<train::Column> kLog = {
    {"kimg", "kimg", "{:.1f}"},   {"resolution", "at", "{:.0f}"}, {"alpha"},
    {"d_loss", "D", "{:.3f}"},    {"g_loss", "G", "{:.3f}"},      {"penalty", "R1", "{:.3f}"},
    {"d_real", "D(x)", "{:.2f}"}, {"d_fake", "D(G(z))", "{:.2f}"}};

StyleGanOptions network_options(const TrainSettings& s, const data::Dataset& set) {
    check(!s.labels || !set.labels.empty(), "--labels needs classes, but {} has none", io::in_quotes(s.data));
    StyleGanOptions options = s.preset == Preset::small ? stylegan_small(s.resolution, set.channels)
                                                        : stylegan_paper(s.resolution, set.channels);
    if (s.latent > 0) options.latent = options.width = s.latent;
    if (s.feature_max > 0) options.feature_max = s.feature_max;
    options.classes = s.labels ? set.classes : 0;
    if (s.recipe.loss == StyleGanLoss::r3) options.stddev_group = 0;
    check_options(options);
    return options;
}

StyleGanRecipe recipe_of(const TrainSettings& s) {
    constexpr double kSmallLevel = 30, kPaperLevel = 600;  // kimg
    StyleGanRecipe recipe = s.recipe;
    recipe.ema_half_life = 1000 * s.ema_kimg;
    if (recipe.loss == StyleGanLoss::r3) recipe.mixing = 0;
    const double level = s.level_kimg > 0            ? s.level_kimg
                         : s.preset == Preset::small ? kSmallLevel
                                                     : kPaperLevel;
    const int64_t pictures = s.no_progressive ? 0 : std::max<int64_t>(1, std::llround(1000 * level));
    recipe.growth = {.start = s.start_resolution, .train = pictures, .fade = pictures};
    return recipe;
}

// In units of --batch-size: at least one step.
int64_t steps_of(double kimg, int64_t batch_size) {
    return std::max<int64_t>(1, std::llround(1000 * kimg / static_cast<double>(batch_size)));
}

class Training {
  public:
    Training(const TrainSettings& s, Device device, const data::Dataset& unpadded,
             distributed::ProcessGroup& processes)
        : s_(s),
          processes_(processes),
          set_(data::padded(unpadded, s.resolution, s.resolution)),
          size_(set_.size()),
          trainer_(network_options(s, set_), recipe_of(s), device, processes),
          loader_(set_, {.batch_size = trainer_.local_batch(),
                         .seed = s.recipe.seed,
                         .rank = processes.rank(),
                         .world_size = processes.size(),
                         .parts = trainer_.batch_parts(),
                         .mirror = s.mirror}),
          monitor_(set_),
          gan_run_(run_options(), processes),
          run_(gan_run_.run()) {
        trainer_.add_to(run_);
        run_.add("loader", loader_);
        run_.describe([this](io::Checkpoint& c) {
            put_description(c, trainer_.options());
            put_growth(c, trained_growth());
        });
        gan_run_.begin();
        if (!processes.is_first()) return;
        const train::RunFolder& folder = gan_run_.folder();
        save_skipped(s, set_, folder / "skipped.txt");
        if (s.evaluate_every > 0 && !set_.labels.empty())
            judge_.emplace(unpadded, s.resolution, folder / "classifier.safetensors", s, device);
    }

    int run() {
        return gan_run_.loop(
            [this] { step(); }, "StyleGAN: losses",
            [this](const std::string& path) { save_generator(path, trainer_.average(), trained_growth()); },
            [this] { return grid(trained_growth(), kLastZoom); });
    }
    static constexpr int kLastZoom = 2;  // of samples.png

  private:
    int64_t steps(double kimg) const { return steps_of(kimg, s_.recipe.batch_size); }

    GanRunOptions run_options() {
        return {.out = s_.out,
                .series = "samples",
                .resume = s_.resume,
                .on_collapse = s_.on_collapse,
                .change_course =
                    [this](int64_t from, double factor) {
                        trainer_.change_course(static_cast<uint32_t>(from), factor);
                    },
                .log = kLog,
                .health = {{"kinds"}, {"variance"}, {"healthy"}},
                .run = {.program = kStyleGanProgram,
                        .settings = s_.same.with({{"--data", set_.fingerprint()}}),
                        .steps = s_.iterations > 0 ? s_.iterations : steps(s_.kimg),
                        .checkpoint_every = steps(s_.checkpoint_every),
                        .longer = "more --kimg",
                        .calmer = "a lower --learning-rate or a higher --gamma",
                        .quiet = s_.quiet}};
    }

    // What samples are made at: a resolution of which nothing has been seen yet is not shown.
    Growth trained_growth() const {
        const Growth growth = trainer_.growth();
        return growth.alpha > 0 ? growth : Growth{growth.resolution / 2};
    }

    void step() {
        const Growth growth = trainer_.growth();
        const data::Batch batch = loader_.next();
        const StyleGanStep step = trainer_.step(
            batch.pixels.reshape({-1, size_.channels, size_.height, size_.width}), batch.labels);
        run_.log({static_cast<double>(trainer_.pictures_seen()) / 1000,
                  static_cast<double>(growth.resolution), growth.alpha, step.d_loss, step.g_loss,
                  step.penalty, step.d_real, step.d_fake});
        if (processes_.is_first() && run_.is_due(steps(s_.sample_every)))
            gan_run_.save_grid(grid(trained_growth(), 1));
        const int64_t i = run_.step();
        if (growth == Growth{s_.resolution} && run_.is_due(s_.check_every)) check_health();
        if (run_.step() != i) return;  // it has gone back
        if (judge_ && growth == Growth{s_.resolution} &&
            (run_.is_due(steps(s_.evaluate_every)) || run_.is_last()))
            evaluate();
    }

    // (count, channels, side, side) of the averaged generator, the same seeds throughout.
    Tensor samples(int64_t count, Growth growth) {
        Seeds seeds(static_cast<size_t>(count));
        for (size_t i = 0; i < seeds.size(); ++i) seeds[i] = i;
        SampleOptions options{.psi = 1, .device = trainer_.device()};
        return StyleSampler(trainer_.average(), growth, options).pictures(seeds);
    }
    // Of one size whatever the resolution, so that a sheet can show the whole training.
    io::Image grid(Growth growth, int zoom) {
        const io::PictureSize size{size_.channels, growth.resolution, growth.resolution};
        return io::sample_grid(samples(int64_t{s_.grid[0]} * s_.grid[1], growth).reshape({-1, size.pixels()}),
                               size, s_.grid[0], zoom * static_cast<int>(s_.resolution / growth.resolution));
    }

    void check_health() {
        const train::Variety v = monitor_.check(samples(kChecked, trainer_.growth()).reshape({kChecked, -1}));
        gan_run_.note_health({v.kinds, v.variance}, v.problem);
    }

    void evaluate() {
        const GanQuality q = judge_->quality(samples(kEvaluated, trainer_.growth()));
        run_.message(fmt::format("Fréchet distance {:.2f}; classes: {:.1f} to {:.1f} % of the samples",
                                 q.frechet, 100 * q.least_share(), 100 * q.most_share()));
        gan_run_.note_quality(q, [this](const std::string& path) {
            save_generator(path, trainer_.average(), trainer_.growth());
        });
    }

    const TrainSettings& s_;
    distributed::ProcessGroup& processes_;
    const data::Dataset set_;
    const io::PictureSize size_;
    StyleGanTrainer trainer_;
    data::Loader loader_;
    const train::VarietyMonitor monitor_;
    GanRun gan_run_;
    train::Run& run_;
    std::optional<Judge> judge_;
};

}  // namespace

int run(const TrainSettings& given) {
    distributed::ProcessGroup processes;
    TrainSettings s = given;
    s.quiet = s.quiet || !processes.is_first();
    const data::Dataset set = load_data(s, s.data, s.resolution, s.grey, s.labels);
    s.say("{} pictures of {}x{}{}", set.count, set.width, set.height,
          set.labels.empty() ? "" : fmt::format(", {} classes", set.classes));
    network_options(s, set);  // before anything is written
    const Device device = s.choose();
    if (!processes.is_alone()) s.say("{} processes train together", processes.size());
    require_same_settings(processes, [&] { return s.same.with({{"--data", set.fingerprint()}}); });
    train::RunFolder::check_grids(s.out, "samples.png", "sheet.png",
                                  {set.channels, s.resolution, s.resolution}, s.grid, Training::kLastZoom);
    return Training(s, device, set, processes).run();
}

}  // namespace lily::stylegan
