// SPDX-License-Identifier: MIT
// What a run of style_transfer will take, told before it begins.
#pragma once

#include <string>
#include <vector>

#include "examples/style_transfer/command_line.h"

namespace lily::style_transfer {

// Says how much memory a run through these layers of the network will take; throws if that is more than there
// is (a GPU's memory is not asked for), or if the network has no such layer.
void tell_memory(const Settings& s, Device device, const models::Vgg19& network,
                 const std::vector<std::string>& layers, const models::Picture& content,
                 const std::vector<models::Picture>& styles);

}  // namespace lily::style_transfer
