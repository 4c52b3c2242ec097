// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <stdexcept>
#include <utility>

namespace lily {

// Every error of the library: one line, "[op] what was expected, what came, what to do".
class Error : public std::runtime_error {
  public:
    using std::runtime_error::runtime_error;
};

template <class... Args>
[[noreturn]] void fail(fmt::format_string<Args...> message, Args&&... args) {
    throw Error(fmt::format(message, std::forward<Args>(args)...));
}

// Throws Error(message) unless `ok`; the arguments are formatted only on failure.
template <class... Args>
void check(bool ok, fmt::format_string<Args...> message, Args&&... args) {
    if (!ok) [[unlikely]]
        fail(message, std::forward<Args>(args)...);
}

}  // namespace lily
