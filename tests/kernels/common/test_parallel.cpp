// SPDX-License-Identifier: MIT
#include "kernels/common/parallel.h"

#include <atomic>
#include <numeric>
#include <stdexcept>
#include <vector>

#include "tests/catch.h"

namespace lily::testing {
namespace {

class WithThreads {
  public:
    explicit WithThreads(int threads) { kernels::set_max_threads(threads); }
    ~WithThreads() { kernels::set_max_threads(0); }
};

}  // namespace

TEST_CASE("what the body of a parallel loop throws reaches the caller", "[kernels][parallel]") {
    for (const int threads : {1, 4}) {
        const WithThreads with(threads);
        INFO(threads << " threads");
        for (const int64_t thrower : {0, 57, 99})
            CHECK_THROWS_WITH(
                kernels::parallel_for(100, 1,
                                      [=](int64_t begin, int64_t) {
                                          if (begin == thrower)
                                              throw std::runtime_error("piece " + std::to_string(begin));
                                      }),
                "piece " + std::to_string(thrower));
        const auto all_throw = [](int64_t, int64_t) { throw std::bad_alloc(); };
        CHECK_THROWS_AS(kernels::parallel_for(1000, 10, all_throw), std::bad_alloc);
        CHECK_THROWS_AS(kernels::parallel_for(5, 10, all_throw), std::bad_alloc);
        if (!kernels::has_wide_vectors()) continue;
        CHECK_THROWS_AS(kernels::parallel_tasks<8>(1000, true, all_throw), std::bad_alloc);
        CHECK_THROWS_AS(kernels::parallel_tasks<8>(1000, false, all_throw), std::bad_alloc);
    }
}

TEST_CASE("after an exception the next parallel loop does all of its pieces", "[kernels][parallel]") {
    const WithThreads with(4);
    CHECK_THROWS(kernels::parallel_for(100, 1, [](int64_t, int64_t) { throw std::runtime_error("no"); }));
    std::vector<int64_t> seen(1000);
    kernels::parallel_for(1000, 7, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) seen[static_cast<size_t>(i)] += i;
    });
    CHECK(std::accumulate(seen.begin(), seen.end(), int64_t{0}) == 999 * 500);
}

}  // namespace lily::testing
