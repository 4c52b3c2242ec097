// SPDX-License-Identifier: MIT
// The op of docs/add_an_op.md, whose files the build takes from the page, goes through the checks of all ops.
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {

TEST_CASE("docs/add_an_op.md: its op passes every check", "[docs][simt]") {
    const auto passes = [](const std::function<std::string(const OpCase&)>& check) {
        for (const OpCase& c : all_op_cases()) {
            const std::string wrong = check(c);
            INFO(c.name << ": " << wrong);
            CHECK(wrong.empty());
        }
    };
    REQUIRE(!all_op_cases().empty());
    passes(check_f64);
    passes(check_f32);
    if (is_available(Device::simt)) passes([](const OpCase& c) { return check_on_device(c, Device::simt); });
}

}  // namespace lily::testing
