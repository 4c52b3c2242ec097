// SPDX-License-Identifier: MIT
// Samples against the data, as a classifier sees them.
#pragma once

#include <memory>
#include <string>

#include "examples/common/machine.h"
#include "framework/data/dataset.h"
#include "models/metrics/evaluation.h"

namespace lily::stylegan {

// MNIST's files as they are, or a folder of pictures of side x side, with its folders as classes if asked
// for.
data::Dataset load_data(const Machine& machine, const std::string& folder, int64_t side, bool grey,
                        bool classes);

// The data are as they were before a border was put around them; samples have it, and lose it first.
class Judge {
  public:
    // Samples are `side` pixels a side. The classifier of that file, or one that is trained now and goes
    // there (nowhere, if the name is empty).
    Judge(const data::Dataset& unpadded, int64_t side, const std::string& path, const Machine& machine,
          Device device);

    Tensor cropped(const Tensor& pictures) const;  // (N,channels,side,side) -> (N,pixels) of the data's size
    double classifier_accuracy() const { return classifier_.accuracy; }
    models::Evaluator& evaluator() { return *evaluator_; }
    models::GanQuality quality(const Tensor& pictures) { return evaluator_->quality(cropped(pictures)); }

  private:
    const io::PictureSize size_;
    const int64_t margin_;
    models::LoadedClassifier classifier_;
    std::unique_ptr<models::Evaluator> evaluator_;
};

}  // namespace lily::stylegan
