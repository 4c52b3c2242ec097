// SPDX-License-Identifier: MIT
// The words of an option that takes one of a few.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "framework/error.h"

namespace lily {

template <class Value>
using Words = std::vector<std::pair<std::string, Value>>;

template <class Value>
std::string word_for(Value value, const Words<Value>& words) {
    for (const auto& [word, meaning] : words)
        if (meaning == value) return word;
    fail("[internal] no name for this value");
}

}  // namespace lily
