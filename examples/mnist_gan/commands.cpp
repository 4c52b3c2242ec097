// SPDX-License-Identifier: MIT
#include "examples/mnist_gan/commands.h"

namespace lily::mnist_gan {

models::LoadedClassifier train_and_save_classifier(const std::string& path, const data::Dataset& set,
                                                   int64_t epochs, uint64_t seed, const Machine& machine,
                                                   Device device, SavedFiles& saved) {
    models::LoadedClassifier trained =
        models::train_and_judge(set, {.epochs = epochs, .seed = seed, .quiet = machine.quiet}, device);
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
