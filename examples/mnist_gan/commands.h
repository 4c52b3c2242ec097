// SPDX-License-Identifier: MIT
// What the commands do; each returns the program's exit code.
#pragma once

#include "examples/common/pictures.h"
#include "examples/common/saved_files.h"
#include "examples/mnist_gan/command_line.h"
#include "models/metrics/classifier.h"

namespace lily::mnist_gan {

int run(const TrainSettings& s);
int run(const SampleSettings& s);
int run(const WalkSettings& s);
int run(const EvaluateSettings& s);

// Of every command, beside networks and pictures: in memory, and mapped in the address space. Measured: 66 MB
// at the peak of a training with the default networks and 600 pictures.
constexpr double kProgramMegabytes = 60, kMappedMegabytes = 70;

// Trains a classifier, shows the progress and saves it (not where `path` is empty), elsewhere if need be.
models::LoadedClassifier train_and_save_classifier(const std::string& path, const data::Dataset& set,
                                                   int64_t epochs, uint64_t seed, const Machine& machine,
                                                   Device device, SavedFiles& saved);

// Classes of `count` samples: all of them --digit, or 0, 1, … in turn; empty for a model without classes.
// Throws if the model does not have that class.
std::vector<int64_t> classes_for(int64_t count, int digit, int64_t classes);

}  // namespace lily::mnist_gan
