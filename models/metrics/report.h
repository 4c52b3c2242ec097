// SPDX-License-Identifier: MIT
// What an evaluation has found, for a person and for a program.
#pragma once

#include <optional>
#include <string>

#include "models/metrics/evaluation.h"

namespace lily::models {

struct GanReport {
    int64_t samples = 0;
    double classifier_accuracy = 0;
    GanQuality quality = {}, of_data = {};  // of_data: of as many real pictures, the end of the scale
    CopyCheck copies = {};
    PrecisionRecall manifolds = {};
    std::optional<double> class_as_asked = {};  // share of a conditional model's samples

    std::string table() const;  // lines of text
    std::string json() const;   // one object
};

}  // namespace lily::models
