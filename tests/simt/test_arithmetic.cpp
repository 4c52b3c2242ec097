// SPDX-License-Identifier: MIT
// Integers that overflow and shifts out of range, in kernels that were compiled to look at them.
#include <climits>

#include "tests/simt/arithmetic.h"
#include "tests/simt/gpu.h"

namespace lily::testing {
namespace {

void check_report(const std::string& name, const std::string& what) {
    CHECK(cudaDeviceSynchronize() == cudaErrorLaunchFailure);
    const auto faults = simt::faults();
    REQUIRE(faults.size() == 1);
    INFO(faults[0].text);
    CHECK(faults[0].kind == simt::FaultKind::arithmetic);
    CHECK_THAT(faults[0].kernel, Catch::Matchers::ContainsSubstring(name + "_kernel"));
    CHECK(faults[0].file.ends_with("tests/simt/arithmetic.cu"));
    CHECK(faults[0].line == marked_lines("arithmetic.cu", "arithmetic: " + name).at(0));
    CHECK(faults[0].what == what);
    simt::reset();
}

void check_clean() {
    CHECK(cudaDeviceSynchronize() == cudaSuccess);
    CHECK(simt::last_report() == "");
}

}  // namespace

TEST_CASE("simt arithmetic: overflow and shifts are reported, what is defined is not", "[simt][arithmetic]") {
    if (!simt::instrumented()) SKIP("the kernels of this build are not instrumented");
    const FreshDevice device;
    const auto run = [](auto&& launched) {
        const Array<float> x(counting(64)), y(64);
        const Array<unsigned> u(64);
        const Array<int> n(64);
        REQUIRE(launched(x.data, y.data, u.data, n.data) == cudaSuccess);
    };
    const Shape shape{.grid = 1, .block = 32};
    run([&](auto x, auto y, auto, auto) { return indexed(shape, x, y, 65536, 65536, false); });
    check_report("indexed", "integer overflow: 65536 * 65536 does not fit into 'int'");
    run([&](auto, auto, auto, auto n) { return added(shape, n, INT_MAX, 1); });
    check_report("added", "integer overflow: 2147483647 + 1 does not fit into 'int'");
    run([&](auto, auto, auto, auto n) { return added(shape, n, INT_MIN, -1); });
    check_report("added", "integer overflow: -2147483648 + -1 does not fit into 'int'");
    for (const int by : {32, -1}) {
        run([&](auto, auto, auto u, auto) { return shifted(shape, u, by); });
        check_report("shifted",
                     "a shift out of range: 1 shifted by " + std::to_string(by) + " in 'unsigned int'");
    }

    run([&](auto x, auto y, auto, auto) { return indexed(shape, x, y, 65536, 65536, true); });
    check_clean();
    run([&](auto x, auto y, auto, auto) { return indexed(shape, x, y, 46340, 46340, false); });
    check_clean();
    run([&](auto, auto, auto, auto n) { return added(shape, n, INT_MAX, 0); });
    check_clean();
    for (const int by : {0, 31}) {
        run([&](auto, auto, auto u, auto) { return shifted(shape, u, by); });
        check_clean();
    }
    run([&](auto, auto, auto u, auto) { return hashed(shape, u, 0xffffffffu); });
    check_clean();
}

TEST_CASE("simt arithmetic: at level off nothing is looked at", "[simt][arithmetic]") {
    const FreshDevice device(simt::Xray::off);
    const Array<unsigned> u(64);
    if (simt::instrumented()) REQUIRE(shifted({.grid = 1, .block = 32}, u, 32) == cudaSuccess);
    check_clean();
}

}  // namespace lily::testing
