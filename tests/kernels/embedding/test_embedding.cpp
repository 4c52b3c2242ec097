// SPDX-License-Identifier: MIT
#include "kernels/embedding/embedding.h"

#include <functional>
#include <numeric>

#include "framework/tensor.h"
#include "kernels/common/parallel.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

using Rows = std::vector<int64_t>;

Rows rows_of(int64_t n, const std::function<int64_t(int64_t)>& row) {
    Rows rows(static_cast<size_t>(n));
    for (int64_t i = 0; i < n; ++i) rows[static_cast<size_t>(i)] = row(i);
    return rows;
}

// dweight of `index`, whose dy are numbers of mt19937(3) over [-1, 1] with all of f32's digits.
struct Backward {
    kernels::EmbeddingShape s;
    Buffer<int64_t> index;
    Buffer<float> dy, dweight;

    Backward(Device device, int64_t rows, int64_t width, const Rows& from)
        : s{rows, width, static_cast<int64_t>(from.size())},
          index(s.n, 1, device),
          dy(s.n * width, 3, device),
          dweight(rows * width, 1, device) {
        std::mt19937 random(3);
        std::copy(from.begin(), from.end(), index.data());
        for (int64_t i = 0; i < s.n * width; ++i)
            dy[i] = static_cast<float>(static_cast<double>(random()) / 2147483648.0 - 1);
        Queue& queue = default_queue(device);
        kernels::embedding<float>(device).backward(queue, s, index.on_device(), dy.on_device(),
                                                   dweight.on_device());
        dweight.fetch();
    }

    // The largest |dweight - Σ dy| over Σ |dy| of its place, against sums in double; NaN if any is.
    double error() {
        std::vector<double> sum(static_cast<size_t>(s.rows * s.width)), size(sum.size());
        for (int64_t i = 0; i < s.n; ++i)
            for (int64_t k = 0; k < s.width && index[i] >= 0 && index[i] < s.rows; ++k) {
                const auto at = static_cast<size_t>(index[i] * s.width + k);
                sum[at] += static_cast<double>(dy[i * s.width + k]);
                size[at] += std::fabs(static_cast<double>(dy[i * s.width + k]));
            }
        double worst = 0;
        for (size_t at = 0; at < sum.size(); ++at) {
            const double e = std::fabs(static_cast<double>(dweight[static_cast<int64_t>(at)]) - sum[at]);
            if (!(e <= worst * std::max(size[at], 1e-30))) worst = e / std::max(size[at], 1e-30);
            if (worst != worst) return worst;
        }
        return worst;
    }
    bool same_bits(const Backward& other) const {
        return std::equal(dweight.data(), dweight.data() + s.rows * s.width, other.dweight.data());
    }
};

}  // namespace

TEST_CASE("embedding kernels: rows out, rows added up, rows that nobody named", "[kernels][embedding]") {
    for (const Device device : devices())
        for (const kernels::EmbeddingShape s :
             {kernels::EmbeddingShape{1, 1, 1}, {10, 5, 64}, {7, 200, 300}, {3, 65, 0}, {5, 0, 4}}) {
            INFO(name(device) << ", " << s.rows << " x " << s.width << ", " << s.n);
            Queue& queue = default_queue(device);
            Buffer<float> weight(s.rows * s.width, 1, device), y(s.n * s.width, 2, device),
                dy(s.n * s.width, 3, device), dweight(s.rows * s.width, 1, device);
            Buffer<int64_t> index(s.n, 1, device);
            weight.randomise(1), dy.randomise(2);
            for (int64_t i = 0; i < s.n; ++i) index[i] = i * i % std::max<int64_t>(1, s.rows - 1);
            const auto& k = kernels::embedding<float>(device);
            k.forward(queue, s, weight.on_device(), index.on_device(), y.on_device());
            k.backward(queue, s, index.on_device(), dy.on_device(), dweight.on_device());
            y.fetch(), dweight.fetch();
            std::vector<float> want(static_cast<size_t>(s.rows * s.width), 0);
            int64_t wrong = 0;
            for (int64_t i = 0; i < s.n; ++i)
                for (int64_t c = 0; c < s.width; ++c) {
                    wrong += y[i * s.width + c] != weight[index[i] * s.width + c];
                    want[static_cast<size_t>(index[i] * s.width + c)] += dy[i * s.width + c];  // exact: 1/64
                }
            for (int64_t i = 0; i < s.rows * s.width; ++i)
                wrong += dweight[i] != want[static_cast<size_t>(i)];
            CHECK(wrong == 0);
            CHECK((y.fences_stand() && dweight.fences_stand()));
        }
}

TEST_CASE("embedding kernels: gradients of rows named once, often, or always", "[kernels][embedding]") {
    std::mt19937 random(1);
    const struct {
        const char* what;
        int64_t rows, width;
        Rows index;
    } cases[] = {
        {"20,000 of one row", 3, 5, Rows(20000, 1)},
        {"20,000 rows, all distinct, descending", 20000, 3,
         rows_of(20000, [](int64_t i) { return 19999 - i; })},
        {"none", 7, 33, {}},
        {"CLIP's padding: 17,000 of 20,000", 500, 40,
         rows_of(20000, [&](int64_t i) { return i % 20 < 17 ? 499 : static_cast<int64_t>(random() % 500); })},
        {"two rows by turns", 2, 130, rows_of(1500, [](int64_t i) { return i % 2; })},
        {"one more than a power of two", 9, 65, rows_of(1025, [](int64_t i) { return i * i % 9; })},
        {"columns beyond a block's", 4, 300, rows_of(200, [](int64_t i) { return i / 64; })},
    };
    for (const Device device : devices())
        for (const auto& c : cases) {
            INFO(name(device) << ", " << c.what);
            Backward first(device, c.rows, c.width, c.index);
            // in order, n - 1 additions in f32 round; far fewer do than that in one direction
            CHECK(first.error() <= 2e-6);
            CHECK(first.dweight.fences_stand());
            const int threads = kernels::max_threads();
            kernels::set_max_threads(3);
            CHECK(first.same_bits(Backward(device, c.rows, c.width, c.index)));
            kernels::set_max_threads(1);
            CHECK(first.same_bits(Backward(device, c.rows, c.width, c.index)));
            kernels::set_max_threads(threads);
        }
}

TEST_CASE("embedding kernels: every length of a row around the borders of pieces", "[kernels][embedding]") {
    for (const Device device : devices())
        for (const int64_t n : {1, 2, 63, 64, 65, 127, 128, 129, 511, 512, 513})
            for (const int64_t begin : {0, 1, 63, 64, 65}) {  // of row 1; after it comes row 2
                INFO(name(device) << ", " << n << " from " << begin);
                const Rows index = rows_of(
                    begin + n + 70, [&](int64_t i) { return i < begin ? 0 : (i < begin + n ? 1 : 2); });
                Backward run(device, 4, 2, index);
                CHECK(run.error() <= 1e-6);
            }
}

TEST_CASE("embedding kernels: GPUs drop the gradients of indices outside of the table",
          "[kernels][embedding]") {
    for (const Device device : devices()) {
        if (device == Device::cpu) continue;  // there the caller has looked
        const Rows index =
            rows_of(700, [](int64_t i) { return i % 5 == 0 ? -1 - i : (i % 5 == 1 ? 3 + i : i % 3); });
        Backward run(device, 3, 50, index);
        CHECK(run.error() <= 1e-6);
        CHECK(Backward(device, 3, 50, Rows(200, 3)).error() == 0);
        CHECK(Backward(device, 0, 50, Rows(200, 0)).dweight.fences_stand());
    }
}

}  // namespace lily::testing
