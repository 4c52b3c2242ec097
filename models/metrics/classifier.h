// SPDX-License-Identifier: MIT
// A small convolutional network that knows digits: it measures what a GAN makes of them.
#pragma once

#include <memory>
#include <string>

#include "framework/data/dataset.h"
#include "framework/io/picture_grid.h"
#include "framework/nn/layers.h"

namespace lily::models {

// Two convolutions 3x3 (16 and 32 maps, ReLU, maxima of 2x2), a layer of features with ReLU, one of classes.
class DigitClassifier final : public nn::Module {
  public:
    static constexpr int64_t kFeatures = 128;

    DigitClassifier(const io::PictureSize& size, int64_t classes, nn::Init init);

    Tensor features(const Tensor& pictures);          // (N,pixels) -> (N,128)
    Tensor forward(const Tensor& pictures) override;  // -> logits (N,classes)
    Tensor logits_of(const Tensor& features) { return head_.forward(features); }

    const io::PictureSize& size() const { return size_; }
    int64_t classes() const { return classes_; }

  private:
    const io::PictureSize size_;
    const int64_t classes_;
    nn::Conv2d conv1_, conv2_;
    nn::Linear body_, head_;
};

struct ClassifierTraining {
    int64_t epochs = 3;
    uint64_t seed = 0;
    bool quiet = true;  // else a progress bar on stderr
};

// Adam on the cross entropy; `classifier` is on the device where it is to be trained.
void train_classifier(DigitClassifier& classifier, const data::Dataset& set, const ClassifierTraining& how);

// Share of the set that it gets right.
double accuracy(DigitClassifier& classifier, const data::Dataset& set);

struct LoadedClassifier {
    std::unique_ptr<DigitClassifier> classifier;
    double accuracy = 0;  // on pictures that it was not trained with
};
// Trains one on `device` on all but every tenth picture of the set, and tries it on those. Throws without
// labels, or for fewer than 20 pictures.
LoadedClassifier train_and_judge(const data::Dataset& set, const ClassifierTraining& how, Device device);

// The accuracy is kept for whoever loads it. From any device.
void save_classifier(const std::string& path, const DigitClassifier& classifier, double accuracy);
LoadedClassifier load_classifier(const std::string& path);

}  // namespace lily::models
