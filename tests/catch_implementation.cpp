// SPDX-License-Identifier: MIT
// What of Catch2 is compiled once for all test programs: all of version 2; version 3 is a library.
#if __has_include(<catch2/catch_session.hpp>)
#include <catch2/catch_session.hpp>
#else
#define CATCH_CONFIG_RUNNER
#include <catch2/catch.hpp>
#endif

namespace lily::testing {

int run_test_cases(int argc, char** argv) { return Catch::Session().run(argc, argv); }

}  // namespace lily::testing
