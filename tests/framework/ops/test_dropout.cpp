// SPDX-License-Identifier: MIT
#include "framework/autograd.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily::testing {
namespace {

const AddCases registered{pointwise_cases("dropout", [](const Tensor& x) {
    Generator generator(5);  // the same mask in every call
    return dropout(x, generator, 0.3);
})};

}  // namespace

TEST_CASE("dropout: the share of zeros, the scale of the rest", "[ops][dropout]") {
    Generator generator(1);
    const int64_t n = 100'000;
    for (const double p : {0.1, 0.5, 0.9}) {
        const auto y = dropout(ones({n}), generator, p).to_vector();
        const auto zeros = static_cast<double>(std::count(y.begin(), y.end(), 0.0f));
        const auto kept = static_cast<float>(1 / (1 - p));
        CHECK(zeros + static_cast<double>(std::count(y.begin(), y.end(), kept)) == static_cast<double>(n));
        CHECK(std::fabs(zeros / static_cast<double>(n) - p) <
              5 * std::sqrt(p * (1 - p) / static_cast<double>(n)));
        // Neighbours are dropped independently: both with probability p²
        int64_t pairs = 0;
        for (size_t i = 0; i + 1 < y.size(); ++i) pairs += y[i] == 0 && y[i + 1] == 0;
        CHECK(static_cast<double>(pairs) / static_cast<double>(n) == Approx(p * p).margin(0.01));
    }
    CHECK(dropout(ones({9}), generator, 1).to_vector() == std::vector<float>(9, 0));
}

TEST_CASE("dropout: the mask depends on seed and place only", "[ops][dropout]") {
    const auto mask = [](const Shape& shape, Generator generator) {
        return dropout(ones(shape), generator, 0.5).to_vector();
    };
    const auto all = mask({70'001}, Generator(3));
    const auto beginning = mask({3, 7}, Generator(3));
    CHECK(std::equal(beginning.begin(), beginning.end(), all.begin()));
    CHECK(mask({70'001}, Generator(4)) != all);
    kernels::set_max_threads(1);
    CHECK(mask({70'001}, Generator(3)) == all);
    kernels::set_max_threads(0);

    Generator generator(3);  // the second call's mask is another one, and a restored state gives it again
    dropout(ones({10}), generator);
    const GeneratorState state = generator.state();
    CHECK(state.counter == 3);  // blocks of four
    const auto second = dropout(ones({50}), generator).to_vector();
    CHECK(!std::equal(second.begin(), second.end(), all.begin()));
    generator.set_state(state);
    CHECK(dropout(ones({50}), generator).to_vector() == second);
}

TEST_CASE("dropout: nothing to do, errors", "[ops][dropout]") {
    Generator generator(1);
    const Tensor x = ones({3});
    CHECK(dropout(x, generator, 0.5, false).is_same(x));
    CHECK(dropout(x, generator, 0).is_same(x));
    CHECK(generator.state().counter == 0);
    CHECK_THROWS_WITH(dropout(x, generator, 1.5), "[dropout] expected p in [0, 1], got 1.5");
}

}  // namespace lily::testing
