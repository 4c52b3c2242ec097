// SPDX-License-Identifier: MIT
#include "framework/io/fingerprint.h"

#include <numeric>
#include <set>

#include "framework/ops.h"
#include "tests/catch.h"

namespace lily::io {
namespace {

TEST_CASE("fingerprint: every byte of a tensor, its shape and its dtype count", "[io]") {
    std::vector<float> values(37);
    std::iota(values.begin(), values.end(), 0.0f);
    const Tensor x = from_vector(values, {37});
    std::set<std::string> seen = {fingerprint(x)};
    CHECK(fingerprint(x.clone()) == *seen.begin());
    for (int64_t i = 0; i < x.numel(); ++i) {
        Tensor other = x.clone();
        other.mutable_data<float>()[i] += 1e-6f + static_cast<float>(i) * 1e-6f;
        CHECK(seen.insert(fingerprint(other)).second);
    }
    CHECK(seen.insert(fingerprint(x * -1.0)).second);  // an even number of signs
    CHECK(seen.insert(fingerprint(slice(x, 0, 0, 36) * -1.0)).second);
    CHECK(seen.insert(fingerprint(slice(x, 0, 0, 36))).second);
    CHECK(seen.insert(fingerprint(slice(x, 0, 0, 36).reshape({6, 6}))).second);
    CHECK(seen.insert(fingerprint(x.to(DType::f64))).second);
    const Tensor square = slice(x, 0, 0, 36).reshape({6, 6});
    CHECK(fingerprint(square.transpose(0, 1)) == fingerprint(square.transpose(0, 1).contiguous()));
}

TEST_CASE("fingerprint: of a state, every name and tensor", "[io]") {
    const StateDict state = {{"a", ones({2})}, {"b", zeros({3})}};
    const std::string before = fingerprint(state);
    CHECK(fingerprint(StateDict(state)) == before);
    CHECK(fingerprint(StateDict{{"a", ones({2})}, {"c", zeros({3})}}) != before);
    CHECK(fingerprint(StateDict{{"a", ones({2})}, {"b", ones({3})}}) != before);
    CHECK(fingerprint(StateDict{{"a", ones({2})}}) != before);
}

}  // namespace
}  // namespace lily::io
