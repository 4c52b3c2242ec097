// SPDX-License-Identifier: MIT
#include "framework/ops/cross_entropy.h"

#include "framework/ops.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"

namespace lily {
namespace {

Tensor labels(int64_t n) {
    std::vector<int64_t> of;
    for (int64_t i = 0; i < n; ++i) of.push_back((5 * i + 2) % 7);
    return from_vector(of, {n});
}

// Composed of log_softmax and a sum: the cases run both with these labels, and the maths is checked below.
TEST_CASE("cross_entropy: f64 loops", "[ops][loss]") {
    Generator random(5);
    for (const int64_t n : {1, 2, 31, 33}) {
        Tensor x = (randn({n, 7}, random, {.dtype = DType::f64}) * 30).detach();
        x.set_requires_grad();
        const std::vector<double> v = x.to_vector<double>();
        const std::vector<int64_t> of = labels(n).to_vector<int64_t>();
        double want = 0;
        std::vector<double> dx(v.size());
        for (int64_t i = 0; i < n; ++i) {
            const double* row = v.data() + 7 * i;
            const double most = *std::max_element(row, row + 7);
            double sum = 0;
            for (int k = 0; k < 7; ++k) sum += std::exp(row[k] - most);
            want -= (row[of[size_t(i)]] - most - std::log(sum)) / double(n);
            for (int k = 0; k < 7; ++k)
                dx[size_t(7 * i + k)] = (std::exp(row[k] - most) / sum - (k == of[size_t(i)])) / double(n);
        }
        const Tensor loss = cross_entropy(x, labels(n));
        CHECK(!(std::fabs(loss.item<double>() - want) > 1e-12 * (1 + std::fabs(want))));
        loss.backward();
        const std::vector<double> got = x.grad().to_vector<double>();
        for (size_t i = 0; i < dx.size(); ++i) CHECK(!(std::fabs(got[i] - dx[i]) > 1e-12));
    }
}

TEST_CASE("cross_entropy: errors", "[ops][loss]") {
    const auto error_with = [](const Tensor& logits, const Tensor& of) {
        try {
            cross_entropy(logits, of);
        } catch (const Error& error) {
            return std::string(error.what());
        }
        return std::string();
    };
    CHECK(error_with(ones({2, 7}), labels(3)) ==
          "[cross_entropy] expected logits (N,classes) and labels (N) of i64, got (2,7) and (3) of i64");
    CHECK(error_with(ones({2, 7}), ones({2})) ==
          "[cross_entropy] expected logits (N,classes) and labels (N) of i64, got (2,7) and (2) of f32");
    CHECK(error_with(ones({1, 7}), from_vector<int64_t>({7}, {1})) == "[cross_entropy] label 7 of 7 classes");
}

}  // namespace
}  // namespace lily
