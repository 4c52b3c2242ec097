// SPDX-License-Identifier: MIT
// Catch2, whichever major version the system has: Debian 12 carries 2.13 (one header), later ones 3.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>

#include <iostream>

// Catch2 3 has SKIP(reason); for 2 it ends the test case with a line that tools/run_tests.py counts.
#define SKIP(reason)                                                 \
    do {                                                             \
        std::cout << "[skipped] " << reason << std::endl; /*NOLINT*/ \
        return;                                                      \
    } while (false)
#endif
