// SPDX-License-Identifier: MIT
#pragma once

#include <string>
#include <string_view>

namespace lily::models {

// HTML's character references as the characters they stand for, by the standard's rules for text that is not
// well formed: "&amp", "&ampx" and "&#39" without a semicolon, C1 numbers as Windows-1252, U+FFFD for what no
// character is. Like Python's html.unescape, character by character. `text` is UTF-8.
std::string html_unescape(std::string_view text);

}  // namespace lily::models
