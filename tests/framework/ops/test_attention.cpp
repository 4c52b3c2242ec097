// SPDX-License-Identifier: MIT
#include <algorithm>
#include <cmath>
#include <limits>

#include "framework/autograd.h"
#include "framework/random.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/framework/check_op.h"
#include "tests/framework/ops/golden.h"

namespace lily::testing {
namespace {

// By the definition, on f64.
Tensor by_definition(const Tensors& x, const AttentionOptions& options) {
    const Tensor &q = x[0], &k = x[1], &v = x[2];
    const double scale = options.scale.value_or(1 / std::sqrt(static_cast<double>(q.size(-1))));
    Tensor scores = matmul(q, Transposed::no, k, Transposed::yes) * scale;
    if (options.causal) {
        std::vector<double> mask;
        for (int64_t i = 0; i < q.size(-2); ++i)
            for (int64_t j = 0; j < k.size(-2); ++j)
                mask.push_back(j <= i ? 0 : -std::numeric_limits<double>::infinity());
        scores = scores + from_vector(mask, {q.size(-2), k.size(-2)});
    }
    return matmul(softmax(scores, -1), v);
}

std::vector<OpCase> attention_cases() {
    struct Sizes {
        Shape batch;
        int64_t queries, keys, depth;
    };
    std::vector<OpCase> all;
    for (const Sizes& s : {Sizes{{}, 1, 1, 1},
                           {{2}, 3, 3, 4},
                           {{2, 3}, 7, 7, 16},
                           {{2}, 5, 9, 33},
                           {{2}, 9, 5, 8},
                           {{1}, 40, 40, 64},
                           {{2}, 33, 66, 40},
                           {{1}, 101, 130, 20},
                           {{1}, 7, 34, 100},
                           {{0}, 3, 3, 4},
                           {{2}, 0, 3, 4},
                           {{2}, 3, 0, 4}}) {
        const auto shape = [&](int64_t rows) {
            Shape full = s.batch;
            full.push_back(rows);
            full.push_back(s.depth);
            return full;
        };
        for (const bool causal : {false, true}) {
            AttentionOptions options{.causal = causal};
            if (s.depth == 33) options.scale = 0.3;
            all.push_back({.name = fmt::format("scaled_dot_product_attention {} at {}{}", shape(s.queries),
                                               shape(s.keys), causal ? ", causal" : ""),
                           .shapes = {shape(s.queries), shape(s.keys), shape(s.keys)},
                           .op = [=](const Tensors& x) {
                               return scaled_dot_product_attention(x[0], x[1], x[2], options);
                           }});
            if (s.keys > 0)
                all.back().reference = [=](const Tensors& x) { return by_definition(x, options); };
        }
    }
    for (const auto& [shape, heads] : std::vector<std::pair<Shape, int64_t>>{{{1, 1, 3}, 1},
                                                                             {{2, 5, 24}, 2},
                                                                             {{2, 34, 96}, 4},
                                                                             {{1, 33, 150}, 1},
                                                                             {{0, 3, 6}, 1},
                                                                             {{2, 0, 6}, 2}})
        for (const bool causal : {false, true})
            all.push_back(
                {.name = fmt::format("self_attention {}, {} heads{}", shape, heads, causal ? ", causal" : ""),
                 .shapes = {shape},
                 .op = [heads = heads, causal](const Tensors& x) {
                     return self_attention(x[0], heads, {.causal = causal});
                 }});
    return all;
}
const AddCases registered{attention_cases()};

// (N,T,W) to (N,heads,T,D).
Tensor by_head(const Tensor& x, int64_t heads) {
    return permute(reshape(x, {x.size(0), x.size(1), heads, -1}), {0, 2, 1, 3});
}

Tensor random(const Shape& shape, uint64_t seed) {
    Generator generator(seed);
    return randn(shape, generator);
}

}  // namespace

TEST_CASE("attention equals PyTorch's", "[ops][attention]") {
    for (const bool causal : {false, true})
        check_golden(causal ? "attention.causal" : "attention.full", {"q", "k", "v"}, [=](const Tensors& x) {
            return scaled_dot_product_attention(x[0], x[1], x[2], {.causal = causal});
        });
}

TEST_CASE("self_attention is attention of the packed pieces", "[ops][attention]") {
    constexpr int64_t kHeads = 3, kWidth = 24;
    const Tensor qkv = random({2, 11, 3 * kWidth}, 1);
    const auto piece = [&](int64_t i) {
        return by_head(slice(qkv, 2, i * kWidth, (i + 1) * kWidth), kHeads);
    };
    for (const bool causal : {false, true}) {
        const Tensor y = by_head(self_attention(qkv, kHeads, {.causal = causal}), kHeads);
        const Tensor want = scaled_dot_product_attention(piece(0), piece(1), piece(2), {.causal = causal});
        CHECK(y.to_vector() == want.to_vector());
    }
}

TEST_CASE("attention: a causal query has the same bits whatever follows it", "[ops][attention]") {
    const NoGrad no_grad;
    constexpr int64_t kLongest = 130, kHeads = 2;
    const Tensor qkv = random({3, kLongest, 3 * 40}, 2);
    const auto all = self_attention(qkv, kHeads, {.causal = true});
    for (const int64_t length : {1, 5, 6, 7, 77, 97, 129}) {
        const Tensor alone =
            self_attention(slice(slice(qkv, 0, 1, 2), 1, 0, length), kHeads, {.causal = true});
        CHECK(alone.to_vector() == slice(slice(all, 0, 1, 2), 1, 0, length).to_vector());
    }
}

TEST_CASE("attention: what a causal query does not see does not reach it", "[ops][attention]") {
    constexpr int64_t kLength = 20;
    const double nan = std::numeric_limits<double>::quiet_NaN();
    for (const DType dtype : {DType::f32, DType::f64})
        for (const int64_t bad : {1, 6, 11, 19}) {
            Tensor k = random({kLength, 8}, 3), v = random({kLength, 8}, 4);
            const Tensor q = random({kLength, 8}, 5).to(dtype);
            for (Tensor* x : {&k, &v}) *x = cat({slice(*x, 0, 0, bad), full({kLength - bad, 8}, nan)}, 0);
            const auto y =
                scaled_dot_product_attention(q, k.to(dtype), v.to(dtype), {.causal = true}).to_vector();
            for (int64_t i = 0; i < kLength; ++i) {
                CAPTURE(bad, i);
                CHECK(std::isnan(y[static_cast<size_t>(8 * i)]) == (i >= bad));
            }
        }
}

TEST_CASE("attention: scores far from 0 do not overflow", "[ops][attention]") {
    const Tensor q = full({1, 1}, 1e4), k = from_vector<float>({300, 299, -300}, {3, 1});
    const Tensor v = from_vector<float>({1, 2, 4}, {3, 1});
    CHECK(scaled_dot_product_attention(q, k, v).item() == 1);
    CHECK(scaled_dot_product_attention(q, k * -1.0, v).item() == 4);
}

TEST_CASE("attention: gradients have the same bits with one thread and with three", "[ops][attention]") {
    std::vector<float> first;
    for (const int threads : {1, 3}) {
        kernels::set_max_threads(threads);
        Tensor qkv = random({3, 130, 3 * 64}, 6).set_requires_grad();
        sum(self_attention(qkv, 2, {.causal = true}) * random({3, 130, 64}, 7)).backward();
        if (threads > 1) CHECK(qkv.grad().to_vector() == first);
        first = qkv.grad().to_vector();
    }
    kernels::set_max_threads(0);
}

TEST_CASE("attention makes no matrix of queries and keys", "[ops][attention]") {
    constexpr int64_t kLength = 2000;  // the matrix: 16 MB
    Tensor qkv = random({1, kLength, 3 * 32}, 8).set_requires_grad();
    allocator(Device::cpu).reset_peak();
    const int64_t before = allocator(Device::cpu).stats().current_bytes;
    sum(self_attention(qkv, 1)).backward();
    CHECK(allocator(Device::cpu).stats().peak_bytes - before < 8 << 20);
}

TEST_CASE("attention errors", "[ops][attention]") {
    const Tensor q = zeros({2, 3, 4}), k = zeros({2, 5, 4});
    CHECK_THROWS_WITH(scaled_dot_product_attention(q, k, q),
                      "[scaled_dot_product_attention] expected q (…,T,D), k and v (…,S,D), got (2,3,4), "
                      "(2,5,4) and (2,3,4)");
    CHECK_THROWS_WITH(scaled_dot_product_attention(q, zeros({1, 5, 4}), zeros({1, 5, 4})),
                      "[scaled_dot_product_attention] expected q (…,T,D), k and v (…,S,D), got (2,3,4), "
                      "(1,5,4) and (1,5,4)");
    CHECK_THROWS_WITH(scaled_dot_product_attention(q, k, k.to(DType::f64)),
                      "[scaled_dot_product_attention] expected equal dtypes, got f32 and f64");
    CHECK_THROWS_WITH(self_attention(zeros({2, 3, 12}), 3),
                      "[self_attention] expected qkv (N,T,3W), W a multiple of 3 heads, got (2,3,12)");
}

TEST_CASE("attention: heads that are too wide for a GPU", "[ops][attention][simt]") {
    if (!is_available(Device::simt)) return;
    const Tensor x = zeros({1, 2, 3 * 130}).to(Device::simt);
    CHECK_THROWS_WITH(self_attention(x, 1),
                      "[attention] expected at most 128 numbers per head on a GPU, got 130");
}

}  // namespace lily::testing
