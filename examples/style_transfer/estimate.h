// SPDX-License-Identifier: MIT
// What a run of style_transfer will take, told before it begins.
#pragma once

#include <string>
#include <vector>

#include "examples/style_transfer/command_line.h"

namespace lily::style_transfer {

class Estimate {
  public:
    // For runs through these layers of the network. Throws if it has no such layer. Refers to its arguments.
    Estimate(const Settings& s, const models::Vgg19& network, std::vector<std::string> layers,
             const models::Picture& content, const std::vector<models::Picture>& styles);

    // Says how much memory the run will take; throws if that is more than the machine has.
    void memory() const;
    // Says how long the run will take. `seconds`: what one forward pass over each of the styles has taken.
    void time(double seconds) const;

  private:
    const Settings& s_;
    const models::Vgg19& network_;
    std::vector<std::string> layers_;
    const models::Picture& content_;
    const std::vector<models::Picture>& styles_;
};

}  // namespace lily::style_transfer
