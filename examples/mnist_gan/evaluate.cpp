// SPDX-License-Identifier: MIT
// mnist_gan evaluate
#include <nlohmann/json.hpp>

#include "examples/common/saved_files.h"
#include "examples/mnist_gan/commands.h"
#include "framework/data/loader.h"
#include "framework/random.h"
#include "models/gan/evaluation.h"
#include "models/gan/model_file.h"

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
    check(model.size == io::PictureSize{set.channels, set.height, set.width},
          "{} makes pictures of {}x{}, the data are {}x{}", io::in_quotes(s.model), model.size.width,
          model.size.height, set.width, set.height);
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
          "--neighbours needs {} samples at least, there are {}", kColumns, samples.pictures.size(0));
    check(s.train_classifier || !s.classifier.empty(),
          "name a classifier with --classifier, or pass --train-classifier");
    SavedFiles saved;
    LoadedClassifier judge =
        s.train_classifier
            ? train_and_save_classifier(s.classifier, set, s.classifier_epochs, s.seed, s, device, saved)
            : load_classifier(s.classifier);
    judge.classifier->to(device);
    Evaluator evaluator(*judge.classifier, set, device);
    const GanQuality q = evaluator.quality(samples.pictures);
    // What real pictures get: the end of the scale.
    const GanQuality real = evaluator.quality(data::to_pixels(set, set.spread(samples.pictures.size(0))));
    const CopyCheck copies = check_for_copies(samples.pictures, set);

    nlohmann::ordered_json json = {{"samples", samples.pictures.size(0)},
                                   {"frechet", q.frechet},
                                   {"frechet_of_data", real.frechet},
                                   {"confidence", q.confidence},
                                   {"confidence_of_data", real.confidence},
                                   {"shares", q.shares},
                                   {"classifier_accuracy", judge.accuracy},
                                   {"nearest_median", copies.median},
                                   {"nearest_median_of_data", copies.median_of_data},
                                   {"nearest_least", copies.least},
                                   {"copies", copies.copies}};
    fmt::print("{} samples, judged by a classifier of {:.2f} % accuracy\n", samples.pictures.size(0),
               100 * judge.accuracy);
    fmt::print("Fréchet distance     {:8.2f}   ({:.2f} for as many real pictures)\n", q.frechet,
               real.frechet);
    fmt::print("mean confidence      {:8.3f}   ({:.3f})\n", q.confidence, real.confidence);
    fmt::print("classes in %         ");
    for (const double share : q.shares) fmt::print(" {:.1f}", 100 * share);
    fmt::print("   (least {:.1f}, most {:.1f})\n", 100 * q.least_share(), 100 * q.most_share());
    fmt::print(
        "nearest in the data  {:8.2f}   ({:.2f} between real pictures); least {:.2f}, copies {:.1f} %\n",
        copies.median, copies.median_of_data, copies.least, 100 * copies.copies);
    if (!samples.wanted.empty()) {
        const double right = evaluator.share_seen_as(samples.pictures, samples.wanted);
        fmt::print("class as asked for   {:8.3f}\n", right);
        json["class_as_asked"] = right;
    }
    if (!s.json.empty())
        saved.save(s.json,
                   [&](const std::string& path) { io::write_file_atomically(path, json.dump(1) + "\n"); });
    if (!s.neighbours.empty())
        saved.save(s.neighbours, [&](const std::string& path) {
            io::save_image(path, io::sample_grid(with_nearest(samples.pictures, set, kColumns, kPairs),
                                                 {set.channels, set.height, set.width}, kColumns, 2));
        });
    io::finish_stdout();
    saved.require_all_in_place();
    return 0;
}

}  // namespace lily::mnist_gan
