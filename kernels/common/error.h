// SPDX-License-Identifier: MIT
#pragma once

#include <stdexcept>
#include <string>

namespace lily {

// Every error of the library: one line, "[op] what was expected, what came, what to do". framework/error.h
// has check() and fail(), which format it.
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

}  // namespace lily
