// SPDX-License-Identifier: MIT
// mnist_gan evaluate
#include "examples/common/saved_files.h"
#include "examples/mnist_gan/commands.h"
#include "framework/data/loader.h"
#include "framework/random.h"
#include "models/gan/model_file.h"
#include "models/metrics/report.h"

namespace lily::mnist_gan {
namespace {

using namespace lily::models;

struct Samples {
    Tensor pictures;
    std::vector<int64_t> wanted;  // the classes that a conditional model was asked for
};

Samples make_samples(const EvaluateSettings& s, const data::Dataset& set, Device device) {
    if (!s.samples.empty()) return {load_samples(s.samples, set.picture_size()), {}};
    const LoadedGenerator model = load_generator(s.model);
    check(model.size == set.size(), "{} makes pictures of {}x{}, the data are {}x{}", io::in_quotes(s.model),
          model.size.width, model.size.height, set.width, set.height);
    Generator random(s.seed, Stream::samples);
    Samples samples;
    samples.wanted = classes_for(s.count, -1, model.options.classes);
    samples.pictures = model.sample(randn({s.count, model.options.latent}, random), samples.wanted, device);
    return samples;
}

// Of the picture of neighbours: samples in the upper rows of each pair, what is nearest to them below.
constexpr int64_t kColumns = 12, kPairs = 4;

}  // namespace

int run(const EvaluateSettings& s) {
    if (!s.json.empty()) io::check_writable(s.json);
    if (!s.neighbours.empty()) io::check_can_save_image(s.neighbours);
    if (s.train_classifier && !s.classifier.empty()) io::check_writable(s.classifier);
    const data::Dataset set = load_pictures(s, s.data, s.image_size);
    const Device device = s.choose();
    const Samples samples = make_samples(s, set, device);
    check(s.neighbours.empty() || samples.pictures.size(0) >= kColumns,
          "--neighbours needs at least {} samples, there are {}", kColumns, samples.pictures.size(0));
    check(s.train_classifier || !s.classifier.empty(),
          "name a classifier with --classifier, or pass --train-classifier");
    SavedFiles saved;
    const LoadedClassifier judge =
        s.train_classifier
            ? train_and_save_classifier(s.classifier, set, s.classifier_epochs, s.seed, s, device, saved)
            : load_classifier(s.classifier);
    Evaluator evaluator(*judge.classifier, set, device);
    const int64_t count = samples.pictures.size(0);
    GanReport report{.samples = count,
                     .classifier_accuracy = judge.accuracy,
                     .quality = evaluator.quality(samples.pictures),
                     .of_data = evaluator.quality(data::to_pixels(set, set.spread(count))),
                     .copies = check_for_copies(samples.pictures, set),
                     .manifolds = evaluator.precision_recall(samples.pictures)};
    if (!samples.wanted.empty())
        report.class_as_asked = evaluator.share_seen_as(samples.pictures, samples.wanted);
    fmt::print("{}", report.table());
    if (!s.json.empty())
        saved.save(s.json,
                   [&](const std::string& path) { io::write_file_atomically(path, report.json() + "\n"); });
    if (!s.neighbours.empty())
        saved.save(s.neighbours, [&](const std::string& path) {
            io::save_image(path, io::sample_grid(with_nearest(samples.pictures, set, kColumns, kPairs),
                                                 set.size(), kColumns, 2));
        });
    io::finish_stdout();
    saved.require_all_in_place();
    return 0;
}

}  // namespace lily::mnist_gan
