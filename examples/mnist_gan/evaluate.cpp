// SPDX-License-Identifier: MIT
// mnist_gan evaluate
#include <algorithm>
#include <nlohmann/json.hpp>

#include "examples/common/saved_files.h"
#include "examples/mnist_gan/commands.h"
#include "examples/mnist_gan/quality.h"
#include "framework/data/idx.h"
#include "framework/data/loader.h"
#include "framework/io/tensors.h"
#include "framework/ops.h"
#include "framework/random.h"
#include "models/gan/model_file.h"
#include "models/metrics/nearest.h"

namespace lily::mnist_gan {
namespace {

using namespace lily::models;

// (N,pixels) in [-1,1] of a file: a tensor 'samples' of any shape (N,…), f32 in [-1,1] or bytes; or IDX.
Tensor load_samples(const std::string& path, int64_t pixels) {
    Tensor samples;
    if (io::extension_of(path) == ".safetensors") {
        const auto tensors = io::load_tensors(path).tensors;
        const auto found = tensors.find("samples");
        check(found != tensors.end(), "{} has no tensor 'samples'", io::in_quotes(path));
        samples = found->second;
    } else {
        const data::IdxArray array = data::read_idx(path);
        samples = from_vector(array.values, Shape(array.shape));
    }
    check(samples.rank() >= 2 && samples.size(0) >= 2 && samples.numel() == samples.size(0) * pixels,
          "{} holds {}, expected pictures (N,{})", io::in_quotes(path), samples.shape(), pixels);
    check(samples.dtype() == DType::f32 || samples.dtype() == DType::u8,
          "{} holds {}, expected f32 in -1…1 or bytes", io::in_quotes(path), name(samples.dtype()));
    samples = samples.reshape({samples.size(0), pixels});
    if (samples.dtype() == DType::u8) return samples.to(DType::f32) / 127.5 - 1.0;
    const float largest = amax(abs(samples), {0, 1}).item();
    check(largest <= 1.001f, "{} has values up to {}, expected -1…1", io::in_quotes(path), largest);
    return samples;
}

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

LoadedClassifier find_classifier(const EvaluateSettings& s, const data::Dataset& set, Device device) {
    check(s.train_classifier || !s.classifier.empty(),
          "name a classifier with --classifier, or pass --train-classifier");
    LoadedClassifier found =
        s.train_classifier
            ? train_and_save_classifier(s.classifier, set, s.classifier_epochs, s.seed, s, device)
            : load_classifier(s.classifier);
    found.classifier->to(device);
    return found;
}

constexpr int64_t kColumns = 12;  // of the picture of neighbours

// Samples in the upper rows of each pair, what is nearest to them below.
void save_neighbours(const std::string& path, const Tensor& samples, const data::Dataset& set) {
    constexpr int64_t kPairs = 4;
    std::vector<Tensor> rows;
    for (int64_t i = 0; i < kPairs && (i + 1) * kColumns <= samples.size(0); ++i) {
        rows.push_back(slice(samples, 0, i * kColumns, (i + 1) * kColumns));
        std::vector<int64_t> indices;
        for (const Nearest& n : nearest_pictures(rows.back(), set)) indices.push_back(n.index);
        rows.push_back(data::to_pixels(set, indices));
    }
    io::save_image(path, io::sample_grid(cat(rows, 0), {set.channels, set.height, set.width}, kColumns, 2));
}

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
    LoadedClassifier judge = find_classifier(s, set, device);
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
    SavedFiles saved;
    if (!s.json.empty())
        saved.save(s.json,
                   [&](const std::string& path) { io::write_file_atomically(path, json.dump(1) + "\n"); });
    if (!s.neighbours.empty())
        saved.save(s.neighbours,
                   [&](const std::string& path) { save_neighbours(path, samples.pictures, set); });
    io::finish_stdout();
    saved.require_all_in_place();
    return 0;
}

}  // namespace lily::mnist_gan
