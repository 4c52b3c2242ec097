// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace lily::data {

// The first line of a caption's file, trimmed: UTF-8 of at most 4,096 bytes. Throws the reason if it is none.
std::string parse_caption(std::string_view text);

}  // namespace lily::data
