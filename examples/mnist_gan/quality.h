// SPDX-License-Identifier: MIT
// The classifier that train and evaluate measure with.
#pragma once

#include "examples/mnist_gan/command_line.h"
#include "models/gan/evaluation.h"

namespace lily::mnist_gan {

// Trains one on `set`, all but a tenth that tells its accuracy, shows the progress and saves it (not where
// `path` is empty).
models::LoadedClassifier train_and_save_classifier(const std::string& path, const data::Dataset& set,
                                                   int64_t epochs, uint64_t seed, const Machine& machine,
                                                   Device device);

}  // namespace lily::mnist_gan
