// SPDX-License-Identifier: MIT
#include "models/metrics/evaluation.h"

#include <algorithm>

#include "framework/autograd.h"
#include "framework/data/idx.h"
#include "framework/data/loader.h"
#include "framework/io/file.h"
#include "framework/io/tensors.h"
#include "framework/ops.h"
#include "models/metrics/nearest.h"

namespace lily::models {
namespace {

constexpr int64_t kPiece = 500;
constexpr int64_t kMostCompared = 500;  // samples whose neighbours are sought

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

std::vector<double> distances(const std::vector<Nearest>& nearest) {
    std::vector<double> list;
    for (const Nearest& n : nearest) list.push_back(n.distance);
    return list;
}

}  // namespace

double GanQuality::least_share() const { return *std::min_element(shares.begin(), shares.end()); }
double GanQuality::most_share() const { return *std::max_element(shares.begin(), shares.end()); }

Evaluator::Evaluator(DigitClassifier& classifier, const data::Dataset& set, Device device)
    : classifier_(classifier), device_(device), set_(set) {
    const io::PictureSize size{set.channels, set.height, set.width};
    check(classifier.size() == size,
          "[evaluation] the classifier is for pictures of {}x{} with {} channels, the data are {}x{} with {}",
          classifier.size().width, classifier.size().height, classifier.size().channels, set.width,
          set.height, set.channels);
    classifier.to(device);
    of_data_ = feature_statistics(features(data::to_pixels(set, set.spread(kMostPictures))));
}

Tensor Evaluator::features(const Tensor& pictures) {
    const NoGrad no_grad;
    std::vector<Tensor> pieces;
    for (int64_t i = 0; i < pictures.size(0); i += kPiece)
        pieces.push_back(classifier_.features(slice(pictures, 0, i, i + kPiece).to(device_)).to(Device::cpu));
    return cat(pieces, 0);
}

GanQuality Evaluator::quality(const Tensor& samples) {
    const NoGrad no_grad;
    const Tensor features_of_samples = features(samples);
    const Tensor chances = softmax(classifier_.logits_of(features_of_samples.to(device_)), 1).to(Device::cpu);
    GanQuality quality{.frechet = frechet_distance(of_data_, feature_statistics(features_of_samples)),
                       .confidence = mean(amax(chances, {1})).item<double>(),
                       .shares = std::vector<double>(static_cast<size_t>(classifier_.classes()))};
    const std::vector<int64_t> classes = argmax(chances, 1).to_vector<int64_t>();
    for (const int64_t c : classes) ++quality.shares[static_cast<size_t>(c)];
    for (double& share : quality.shares) share /= static_cast<double>(classes.size());
    return quality;
}

PrecisionRecall Evaluator::precision_recall(const Tensor& samples) {
    return models::precision_recall(features(data::to_pixels(set_, set_.spread(samples.size(0)))),
                                    features(samples));
}

double Evaluator::share_seen_as(const Tensor& samples, const std::vector<int64_t>& classes) {
    const NoGrad no_grad;
    check(static_cast<int64_t>(classes.size()) == samples.size(0),
          "[evaluation] expected a class per sample");
    const std::vector<int64_t> seen =
        argmax(classifier_.logits_of(features(samples).to(device_)).to(Device::cpu), 1).to_vector<int64_t>();
    int64_t right = 0;
    for (size_t i = 0; i < seen.size(); ++i) right += seen[i] == classes[i];
    return static_cast<double>(right) / static_cast<double>(seen.size());
}

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

Tensor with_nearest(const Tensor& samples, const data::Dataset& set, int64_t columns, int64_t pairs) {
    std::vector<Tensor> rows;
    for (int64_t i = 0; i < pairs && (i + 1) * columns <= samples.size(0); ++i) {
        rows.push_back(slice(samples, 0, i * columns, (i + 1) * columns));
        std::vector<int64_t> indices;
        for (const Nearest& n : nearest_pictures(rows.back(), set)) indices.push_back(n.index);
        rows.push_back(data::to_pixels(set, indices));
    }
    check(!rows.empty(), "[with_nearest] expected at least {} samples, got {}", columns, samples.size(0));
    return cat(rows, 0);
}

CopyCheck check_for_copies(const Tensor& samples, const data::Dataset& set) {
    const NoGrad no_grad;
    const Tensor some = slice(samples, 0, 0, kMostCompared);
    const std::vector<int64_t> real = set.spread(some.size(0));
    const std::vector<double> of_samples = distances(nearest_pictures(some, set));
    CopyCheck check{
        .median = median(of_samples),
        .median_of_data = median(distances(nearest_pictures(data::to_pixels(set, real), set, real))),
        .least = *std::min_element(of_samples.begin(), of_samples.end())};
    for (const double distance : of_samples) check.copies += distance < check.median_of_data / 4;
    check.copies /= static_cast<double>(of_samples.size());
    return check;
}

}  // namespace lily::models
