// SPDX-License-Identifier: MIT
#include "examples/mnist_gan/quality.h"

#include "framework/io/progress.h"

namespace lily::mnist_gan {

using namespace lily::models;

namespace {

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

LoadedClassifier train_and_save_classifier(const std::string& path, const data::Dataset& set, int64_t epochs,
                                           uint64_t seed, const Machine& machine, Device device) {
    check(!set.labels.empty(), "a classifier needs labels, which the data have not");
    check(set.count >= 20, "a classifier needs 20 pictures at least, the data have {}", set.count);
    const data::Dataset train = part_of(set, false), held_out = part_of(set, true);
    Generator random(seed, Stream::weights);
    auto classifier = std::make_unique<DigitClassifier>(io::PictureSize{set.channels, set.height, set.width},
                                                        set.classes, random);
    classifier->to(device);
    {
        io::ProgressBar bar(classifier_steps(train, epochs), {.quiet = machine.quiet});
        train_classifier(*classifier, train,
                         {.epochs = epochs, .seed = seed, .progress = [&](int64_t done, double loss) {
                              bar.update(done, fmt::format("classifier  loss {:.3f}", loss));
                          }});
    }
    const double right = accuracy(*classifier, held_out);
    machine.say("classifier: {:.2f} % of {} pictures right that it was not trained with", 100 * right,
                held_out.count);
    if (!path.empty()) {
        classifier->to(Device::cpu);
        save_classifier(path, *classifier, right);
        classifier->to(device);
    }
    return {std::move(classifier), right};
}

}  // namespace lily::mnist_gan
