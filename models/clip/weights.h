// SPDX-License-Identifier: MIT
// Where the parameters of a new CLIP come from: random numbers, nowhere, or a file whose memory they share.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "framework/io/tensors.h"
#include "framework/nn/init.h"

namespace lily::models {

class ClipWeights {
  public:
    explicit ClipWeights(nn::Init init);
    // The tensors of a file, used in place where they are f32. One that is missing or of another shape is
    // noted, and replaced by memory alone.
    explicit ClipWeights(const StateDict& file);

    // Those of a module below this one, whose names begin with "name.".
    ClipWeights in(const std::string& name) const;

    // Of the normal distribution with this standard deviation, or all `value`, if they are new.
    Tensor normal(const std::string& name, const Shape& shape, double std) const;
    Tensor filled(const std::string& name, const Shape& shape, double value) const;

    // What is wrong with the file once all parameters have been taken from it: one entry per tensor.
    std::vector<std::string> problems() const;

  private:
    struct Source;
    // The file's tensor, or memory alone; `given` says if its values are the ones wanted.
    Tensor taken(const std::string& name, const Shape& shape, bool& given) const;

    std::shared_ptr<Source> source_;
    std::string prefix_;
};

}  // namespace lily::models
