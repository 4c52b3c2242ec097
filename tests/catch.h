// SPDX-License-Identifier: MIT
// Catch2, whichever major version the system has: Debian 12 carries 2.13 (one header), later ones 3.
#pragma once

#if __has_include(<catch2/catch_test_macros.hpp>)
#include <catch2/catch_approx.hpp>
#include <catch2/catch_test_macros.hpp>
#include <catch2/generators/catch_generators.hpp>
#include <catch2/matchers/catch_matchers_string.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>

#include <iostream>
#include <string>

// Catch2 3 has SKIP(reason); for 2 it ends the test case with a line that tools/run_tests.py counts.
#define SKIP(reason)                                                 \
    do {                                                             \
        std::cout << "[skipped] " << reason << std::endl; /*NOLINT*/ \
        return;                                                      \
    } while (false)

namespace Catch::Matchers {
inline auto ContainsSubstring(const std::string& part) { return Contains(part); }  // 3's name for it
}  // namespace Catch::Matchers
#endif
