// SPDX-License-Identifier: MIT
// The test programs' main. It stands apart from Catch2's code because lily_op_tests has one of its own.
namespace lily::testing {

int run_test_cases(int argc, char** argv);  // catch_implementation.cpp

}  // namespace lily::testing

int main(int argc, char** argv) { return lily::testing::run_test_cases(argc, argv); }
