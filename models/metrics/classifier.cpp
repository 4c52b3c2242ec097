// SPDX-License-Identifier: MIT
#include "models/metrics/classifier.h"

#include <algorithm>

#include "framework/autograd.h"
#include "framework/data/loader.h"
#include "framework/io/checkpoint.h"
#include "framework/io/progress.h"
#include "framework/ops.h"
#include "framework/optim/adam.h"

namespace lily::models {
namespace {

constexpr const char* kProgram = "mnist_gan classifier";
constexpr int64_t kMaps1 = 16, kMaps2 = 32, kBatch = 64, kPiece = 500;
constexpr uint64_t kMostSize = 4096;
constexpr Conv2dOptions kSame{.padding = {1, 1}};

// Every tenth picture, or all others.
data::Dataset part_of(const data::Dataset& set, bool tenth) {
    data::Dataset part{
        .channels = set.channels, .height = set.height, .width = set.width, .classes = set.classes};
    const auto size = static_cast<std::ptrdiff_t>(set.picture_size());
    for (int64_t i = 0; i < set.count; ++i) {
        if ((i % 10 == 9) != tenth) continue;
        const auto begin = set.pixels.begin() + i * size;
        part.pixels.insert(part.pixels.end(), begin, begin + size);
        part.labels.push_back(set.labels[static_cast<size_t>(i)]);
        ++part.count;
    }
    return part;
}

}  // namespace

DigitClassifier::DigitClassifier(const io::PictureSize& size, int64_t classes, nn::Init init)
    : size_(size),
      classes_(classes),
      conv1_(size.channels, kMaps1, 3, init, kSame),
      conv2_(kMaps1, kMaps2, 3, init, kSame),
      body_(kMaps2 * (size.height / 4) * (size.width / 4), kFeatures, init),
      head_(kFeatures, classes, init) {
    check(size.height >= 4 && size.width >= 4, "[classifier] expected pictures of at least 4x4, got {}x{}",
          size.height, size.width);
    register_module("conv1", conv1_);
    register_module("conv2", conv2_);
    register_module("body", body_);
    register_module("head", head_);
}

Tensor DigitClassifier::features(const Tensor& pictures) {
    check(pictures.rank() == 2 && pictures.size(1) == size_.pixels(), "[classifier] expected (N,{}), got {}",
          size_.pixels(), pictures.shape());
    Tensor h = pictures.reshape({pictures.size(0), size_.channels, size_.height, size_.width});
    h = max_pool2d(relu(conv1_.forward(h)), 2);
    h = max_pool2d(relu(conv2_.forward(h)), 2);
    return relu(body_.forward(h.contiguous().flatten(1)));
}

Tensor DigitClassifier::forward(const Tensor& pictures) { return logits_of(features(pictures)); }

void train_classifier(DigitClassifier& classifier, const data::Dataset& set, const ClassifierTraining& how) {
    check(!set.labels.empty() && set.classes <= classifier.classes(),
          "[classifier] expected labels of at most {} classes, got {}", classifier.classes(), set.classes);
    const Device device = classifier.parameters()[0].device();
    data::Loader loader(set, std::min(kBatch, set.count), how.seed);
    optim::Adam adam(classifier.parameters(), {.lr = 1e-3});
    const int64_t total = how.epochs * loader.batches_per_epoch();
    io::ProgressBar bar(total, {.quiet = how.quiet});
    for (int64_t i = 0; i < total; ++i) {
        const data::Batch batch = loader.next(device);
        adam.zero_grad();
        const Tensor loss = cross_entropy(classifier.forward(batch.pixels),
                                          from_vector(batch.labels, {batch.pixels.size(0)}));
        loss.backward();
        adam.step();
        if (!how.quiet) bar.update(i + 1, fmt::format("classifier  loss {:.3f}", loss.item<double>()));
    }
}

double accuracy(DigitClassifier& classifier, const data::Dataset& set) {
    const NoGrad no_grad;
    const Device device = classifier.parameters()[0].device();
    int64_t right = 0;
    for (int64_t begin = 0; begin < set.count; begin += kPiece) {
        const Tensor pictures = data::to_pixels(set, begin, std::min(begin + kPiece, set.count));
        const std::vector<int64_t> guesses =
            argmax(classifier.forward(pictures.to(device)).to(Device::cpu), 1).to_vector<int64_t>();
        for (size_t i = 0; i < guesses.size(); ++i)
            right += guesses[i] == set.labels[static_cast<size_t>(begin) + i];
    }
    return static_cast<double>(right) / static_cast<double>(set.count);
}

LoadedClassifier train_and_judge(const data::Dataset& set, const ClassifierTraining& how, Device device) {
    check(!set.labels.empty(), "a classifier needs labels, but the data have none");
    check(set.count >= 20, "a classifier needs at least 20 pictures, the data have {}", set.count);
    Generator random(how.seed, Stream::weights);
    auto classifier = std::make_unique<DigitClassifier>(io::PictureSize{set.channels, set.height, set.width},
                                                        set.classes, random);
    classifier->to(device);
    train_classifier(*classifier, part_of(set, false), how);
    const double right = accuracy(*classifier, part_of(set, true));
    return {std::move(classifier), right};
}

void save_classifier(const std::string& path, const DigitClassifier& classifier, double accuracy) {
    io::Checkpoint checkpoint;
    StateDict state = classifier.state_dict();
    for (auto& [name, tensor] : state) tensor = tensor.to(Device::cpu);
    checkpoint.put("classifier", state);
    checkpoint.put_settings(kProgram, {});
    checkpoint.tensors["accuracy"] = from_vector<double>({accuracy}, {});
    const io::PictureSize& size = classifier.size();
    const std::pair<const char*, int64_t> numbers[] = {{"channels", size.channels},
                                                       {"height", size.height},
                                                       {"width", size.width},
                                                       {"classes", classifier.classes()}};
    for (const auto& [key, value] : numbers) checkpoint.put_integer(key, static_cast<uint64_t>(value));
    io::save_checkpoint(path, checkpoint);
}

LoadedClassifier load_classifier(const std::string& path) {
    const io::Checkpoint checkpoint = io::load_checkpoint(path);
    checkpoint.require_program(kProgram, path);
    const auto number = [&](const char* key) {
        const uint64_t value = checkpoint.integer(key);
        check(value >= 1 && value <= kMostSize, "'{}': '{}' is {}, expected 1 to {}", path, key, value,
              kMostSize);
        return static_cast<int64_t>(value);
    };
    const io::PictureSize size{number("channels"), number("height"), number("width")};
    const int64_t classes = number("classes");
    checkpoint.require_shape("classifier.conv1.weight", {kMaps1, size.channels, 3, 3});
    checkpoint.require_shape("classifier.body.weight",
                             {DigitClassifier::kFeatures, kMaps2 * (size.height / 4) * (size.width / 4)});
    checkpoint.require_shape("classifier.head.weight", {classes, DigitClassifier::kFeatures});
    auto classifier = std::make_unique<DigitClassifier>(size, classes, nn::skip_init);
    classifier->load_state_dict(checkpoint.part("classifier"));
    const auto accuracy = checkpoint.tensors.find("accuracy");
    check(accuracy != checkpoint.tensors.end() && accuracy->second.numel() == 1, "'{}' has no accuracy",
          path);
    return {std::move(classifier), accuracy->second.item<double>()};
}

}  // namespace lily::models
