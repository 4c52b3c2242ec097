// SPDX-License-Identifier: MIT
// Catch2, whichever major version the system has: Debian 12 carries 2.13 (one header), later ones 3.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>
using Catch::Approx;
#else
#include <catch2/catch.hpp>
#endif
