// SPDX-License-Identifier: MIT
// mnist_gan train
#include <algorithm>
#include <optional>

#include "examples/common/gan_run.h"
#include "examples/common/memory.h"
#include "examples/mnist_gan/commands.h"
#include "models/gan/model_file.h"
#include "models/gan/monitor.h"
#include "models/metrics/evaluation.h"

namespace lily::mnist_gan {
namespace {

using namespace lily::models;

constexpr int64_t kFirstCheck = 600;  // before, there are no digits to tell apart
constexpr int64_t kClassifierEpochs = 3;
constexpr int64_t kEvaluated = 2000;  // samples
constexpr int kLastZoom = 2;          // of samples.png

const std::vector<train::Column> kLog = {{"epoch", "epoch", "{:.0f}"},    {"d_loss", "D", "{:.3f}"},
                                         {"g_loss", "G", "{:.3f}"},       {"d_real", "D(x)", "{:.2f}"},
                                         {"d_fake", "D(G(z))", "{:.2f}"}, {"penalty"}};

GanOptions network_options(const TrainSettings& s, const data::Dataset& set) {
    check(!s.conditional || !set.labels.empty(), "--conditional needs labels, but {} has none",
          io::in_quotes(s.data));
    GanOptions options = s.networks;
    options.pixels = set.picture_size();
    options.classes = s.conditional ? set.classes : 0;
    return options;
}

class Training {
  public:
    Training(const TrainSettings& s, Device device, data::Dataset set, distributed::ProcessGroup& processes)
        : s_(s),
          processes_(processes),
          set_(std::move(set)),
          size_(set_.size()),
          trainer_(network_options(s, set_), s.recipe, device, processes),
          loader_(set_, {.batch_size = share_of_batch(processes, s.batch_size),
                         .seed = s.recipe.seed,
                         .rank = processes.rank(),
                         .world_size = processes.size()}),
          monitor_(set_),
          per_epoch_(std::max<int64_t>(1, loader_.batches_per_epoch() / s.recipe.d_steps)),
          gan_run_(run_options(), processes),
          run_(gan_run_.run()) {
        trainer_.add_to(run_);
        run_.add("loader", loader_);
        run_.add("saturation", monitor_.saturation());
        run_.describe([this](io::Checkpoint& c) { put_description(c, trainer_.options(), size_); });
        gan_run_.begin();
        if (!processes.is_first()) return;
        prepare_evaluation(device);
        save_skipped(s, set_, gan_run_.folder() / "skipped.txt");
    }

    int run() {
        return gan_run_.loop([this] { step(); }, "GAN: losses",
                             [this](const std::string& path) { save_generator(path, trainer_, size_); },
                             [this] { return grid(kLastZoom); });
    }

  private:
    GanRunOptions run_options() {
        return {.out = s_.out,
                .series = "grids",
                .resume = s_.resume,
                .on_collapse = s_.on_collapse,
                .change_course =
                    [this](int64_t from, double factor) {
                        trainer_.change_course(static_cast<uint32_t>(from), factor);
                    },
                .log = kLog,
                .health = {{"kinds"}, {"variance"}, {"saturation"}, {"healthy"}},
                .run = {.program = kGanProgram,
                        .settings = s_.same.with({{"--data", set_.fingerprint()}}),
                        .steps = s_.iterations > 0 ? s_.iterations : s_.epochs * per_epoch_,
                        .checkpoint_every = s_.checkpoint_every,
                        .longer = "more --epochs",
                        .calmer = "a lower --learning-rate",
                        .quiet = s_.quiet}};
    }

    // What is due after a step is done in this order: a checkpoint holds what the check and the evaluation
    // before it have found.
    void step() {
        const LateGanStep late = trainer_.begin_step([&] { return loader_.next(); });
        const int64_t epoch = run_.step() / per_epoch_ + 1;
        run_.log_late(late.is_ready(), [this, late, epoch] {
            const GanStep step = late.get();
            monitor_.see(step, s_.recipe.loss);
            return std::vector{
                static_cast<double>(epoch), step.d_loss, step.g_loss, step.d_real, step.d_fake, step.penalty};
        });
        if (processes_.is_first() && run_.is_due(s_.sample_every > 0 ? s_.sample_every : per_epoch_))
            gan_run_.save_grid(grid(1));
        const int64_t i = run_.step();
        if (i >= kFirstCheck && run_.is_due(s_.check_every)) check_health(epoch);
        if (run_.step() != i) return;  // it has gone back
        if (classifier_ && (run_.is_due(s_.evaluate_every * per_epoch_) || run_.is_last())) evaluate();
    }

    Tensor labels_for(int64_t count) const {
        const int64_t classes = trainer_.options().classes;
        return classes > 0 ? from_vector(classes_for(count, -1, classes), {count}) : Tensor{};
    }
    // Does not depend on how far the training is.
    Tensor noise(int64_t count, Stream purpose) const {
        Generator random(s_.recipe.seed, purpose);
        return randn({count, s_.networks.latent}, random);
    }
    io::Image grid(int zoom) {
        const int64_t count = int64_t{s_.grid[0]} * s_.grid[1];
        return io::sample_grid(trainer_.sample(noise(count, Stream::preview), labels_for(count)), size_,
                               s_.grid[0], zoom);
    }

    void check_health(int64_t epoch) {
        constexpr int64_t n = CollapseMonitor::kSamples;
        run_.settle();
        const GanHealth h = monitor_.check(trainer_.sample_raw(noise(n, Stream::monitor), labels_for(n)));
        gan_run_.note_health({h.kinds, h.variance, h.saturation}, h.problem,
                             fmt::format(" (epoch {})", epoch));
    }

    void prepare_evaluation(Device device) {
        if (s_.evaluate_every == 0 || set_.labels.empty()) return;
        const std::string path =
            s_.classifier.empty() ? gan_run_.folder() / "classifier.safetensors" : s_.classifier;
        const bool train = s_.classifier.empty() && !io::exists(path);
        classifier_ =
            (train ? train_and_save_classifier(path, set_, kClassifierEpochs, 0, s_, device, gan_run_.saved())
                   : load_classifier(path))
                .classifier;
        evaluator_.emplace(*classifier_, set_, device);
    }

    void evaluate() {
        const Tensor z = noise(kEvaluated, Stream::evaluation);
        const GanQuality q = evaluator_->quality(trainer_.sample(z, labels_for(kEvaluated)));
        gan_run_.note_quality(q, [this](const std::string& path) { save_generator(path, trainer_, size_); });
    }

    const TrainSettings& s_;
    distributed::ProcessGroup& processes_;
    const data::Dataset set_;
    const io::PictureSize size_;
    GanTrainer trainer_;
    data::Loader loader_;
    CollapseMonitor monitor_;
    const int64_t per_epoch_;
    GanRun gan_run_;
    train::Run& run_;
    std::unique_ptr<DigitClassifier> classifier_;
    std::optional<Evaluator> evaluator_;
};

}  // namespace

int run(const TrainSettings& given) {
    distributed::ProcessGroup processes;
    TrainSettings s = given;
    s.quiet = s.quiet || !processes.is_first();
    data::Dataset set = load_pictures(s, s.data, s.image_size);
    s.say("{} pictures of {}x{}{}", set.count, set.width, set.height,
          set.labels.empty() ? "" : fmt::format(", {} classes", set.classes));
    const Device device = s.choose();
    if (device != Device::cuda)
        require_memory("the training",
                       kProgramMegabytes + 4e-6 * training_floats(network_options(s, set), s.batch_size),
                       kMappedMegabytes,
                       "choose fewer or smaller layers (--g-hidden, --d-hidden), or a smaller --batch-size");
    train::RunFolder::check_grids(s.out, "samples.png", "sheet.png", set.size(), s.grid, kLastZoom);
    require_same_settings(processes, [&] { return s.same.with({{"--data", set.fingerprint()}}); });
    return Training(s, device, std::move(set), processes).run();
}

}  // namespace lily::mnist_gan
