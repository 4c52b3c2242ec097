// SPDX-License-Identifier: MIT
#pragma once

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "kernels/common/error.h"

namespace lily {

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
