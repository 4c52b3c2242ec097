// SPDX-License-Identifier: MIT
#include "kernels/common/parallel.h"

#include <limits>
#include <vector>

#include "tests/catch.h"

namespace lily::testing {
namespace {

// What every thread of a loop makes of the smallest normal number divided by 4.
std::vector<float> quarters() {
    std::vector<float> results(static_cast<size_t>(kernels::max_threads()), -1);
    kernels::parallel_for(kernels::max_threads(), 1, [&](int64_t begin, int64_t end) {
        volatile float smallest = std::numeric_limits<float>::min();
        for (int64_t i = begin; i < end; ++i) results[static_cast<size_t>(i)] = smallest * 0.25f;
    });
    return results;
}

}  // namespace

TEST_CASE("set_flush_denormal: on all threads, and off again", "[kernels]") {
    const auto all = [](float value) {
        return std::vector<float>(static_cast<size_t>(kernels::max_threads()), value);
    };
    constexpr float kQuarter = std::numeric_limits<float>::min() / 4;
    kernels::set_max_threads(3);
    CHECK(quarters() == all(kQuarter));
    if (kernels::set_flush_denormal(true)) {
        CHECK(quarters() == all(0));
        kernels::set_max_threads(5);  // more threads than there were
        CHECK(quarters() == all(0));
    }
    kernels::set_flush_denormal(false);
    CHECK(quarters() == all(kQuarter));
    kernels::set_max_threads(0);
}

}  // namespace lily::testing
