// SPDX-License-Identifier: MIT
#include "kernels/embedding/embedding.h"

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

constexpr int64_t kColumns = 64;  // of the table, per task

template <class T>
void forward(Queue&, EmbeddingShape s, const T* weight, const int64_t* index, T* y) {
    parallel_for(s.n, std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.width)),
                 [=](int64_t begin, int64_t end) {
                     for (int64_t i = begin; i < end; ++i)
                         std::copy_n(weight + index[i] * s.width, s.width, y + i * s.width);
                 });
}

// A task has some columns of all rows: no two add to one place, and each adds in the order of i.
template <class T>
void backward(Queue&, EmbeddingShape s, const int64_t* index, const T* dy, T* dweight) {
    parallel_for((s.width + kColumns - 1) / kColumns, 1, [=](int64_t first, int64_t last) {
        const int64_t begin = first * kColumns, end = std::min(s.width, last * kColumns);
        for (int64_t r = 0; r < s.rows; ++r)
            std::fill(dweight + r * s.width + begin, dweight + r * s.width + end, T(0));
        for (int64_t i = 0; i < s.n; ++i) {
            const T* from = dy + i * s.width;
            T* to = dweight + index[i] * s.width;
            for (int64_t k = begin; k < end; ++k) to[k] += from[k];
        }
    });
}

}  // namespace

template <class T>
const EmbeddingKernels<T>& embedding(Device device) {
    static const EmbeddingKernels<T> cpu{forward<T>, backward<T>};
    return choose(
        "embedding", device, cpu, [](auto gpu) -> const auto& { return embedding_on(gpu); });
}
template const EmbeddingKernels<float>& embedding(Device);
template const EmbeddingKernels<double>& embedding(Device);

}  // namespace lily::kernels
