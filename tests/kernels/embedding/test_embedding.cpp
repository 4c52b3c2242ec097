// SPDX-License-Identifier: MIT
#include "kernels/embedding/embedding.h"

#include "framework/tensor.h"
#include "tests/catch.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {

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

}  // namespace lily::testing
