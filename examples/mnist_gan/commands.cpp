// SPDX-License-Identifier: MIT
#include "examples/mnist_gan/commands.h"

#include <algorithm>
#include <optional>

#include "framework/io/progress.h"

namespace lily::mnist_gan {

data::Dataset load_pictures(const Machine& machine, const std::string& folder, int size) {
    data::Dataset set = data::load_folder(folder, size);
    if (!set.skipped.empty()) machine.say("warning: {}", set.skipped_text());
    constexpr size_t kMostLines = 10;
    for (size_t i = 0; i < std::min(set.remarks.size(), kMostLines); ++i) machine.say("{}", set.remarks[i]);
    if (set.remarks.size() > kMostLines)
        machine.say("… and {} more such lines", set.remarks.size() - kMostLines);
    return set;
}

models::LoadedClassifier train_and_save_classifier(const std::string& path, const data::Dataset& set,
                                                   int64_t epochs, uint64_t seed, const Machine& machine,
                                                   Device device, SavedFiles& saved) {
    std::optional<io::ProgressBar> bar;
    const auto show = [&](int64_t done, int64_t total, double loss) {
        if (!bar) bar.emplace(total, io::ProgressOptions{.quiet = machine.quiet});
        bar->update(done, fmt::format("classifier  loss {:.3f}", loss));
    };
    models::LoadedClassifier trained =
        models::train_and_judge(set, {.epochs = epochs, .seed = seed, .progress = show}, device);
    bar.reset();
    machine.say("classifier: {:.2f} % of {} pictures right that it was not trained with",
                100 * trained.accuracy, set.count / 10);
    if (!path.empty())
        saved.save(path, [&](const std::string& to) {
            models::save_classifier(to, *trained.classifier, trained.accuracy);
        });
    return trained;
}

std::vector<int64_t> classes_for(int64_t count, int digit, int64_t classes) {
    check(digit < 0 || classes > 0, "--digit needs a model that was trained with --conditional");
    check(digit < classes || digit < 0, "--digit {} is not one of the model's classes, 0 to {}", digit,
          classes - 1);
    std::vector<int64_t> list;
    for (int64_t i = 0; classes > 0 && i < count; ++i) list.push_back(digit >= 0 ? digit : i % classes);
    return list;
}

}  // namespace lily::mnist_gan
