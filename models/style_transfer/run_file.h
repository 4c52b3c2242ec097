// SPDX-License-Identifier: MIT
// The checkpoint of a style-transfer run: what the next step depends on, the losses so far, and under which
// settings.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "models/style_transfer/pictures.h"
#include "models/style_transfer/style_transfer.h"

namespace lily::models {

// Settings that must be the same when a run goes on: option name → value.
using RunSettings = std::map<std::string, std::string>;

struct RunHistory {
    std::vector<LossValues> losses;  // [k]: of the image before step k+1
    double seconds = 0;              // spent so far
};

void save_run(const std::string& path, const StyleTransfer& run, const RunHistory& history,
              const RunSettings& settings);

// Restores `run` and returns its history. Throws, naming the options, if the checkpoint was made under other
// settings.
RunHistory load_run(const std::string& path, StyleTransfer& run, const RunSettings& settings);

// 16 hexadecimal digits of the tensor's content (FNV-1a), to notice that it is another one.
std::string fingerprint(const Tensor& tensor);
// A picture as a setting: a fingerprint of what is seen of it, and its size.
std::string picture_setting(const Picture& picture);

}  // namespace lily::models
