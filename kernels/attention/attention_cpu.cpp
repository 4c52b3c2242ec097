// SPDX-License-Identifier: MIT
// The definition as loops, a head per task: the oracle in f64, and f32 where the CPU lacks AVX2.
#include <limits>
#include <vector>

#include "kernels/attention/attention.h"
#include "kernels/attention/attention_fast.h"
#include "kernels/common/parallel.h"
#include "kernels/common/vector_math.h"

namespace lily::kernels {
namespace {

template <class T>
T dot(int64_t n, const T* a, const T* b) {
    double sum = 0;
    for (int64_t d = 0; d < n; ++d) sum += static_cast<double>(a[d]) * static_cast<double>(b[d]);
    return static_cast<T>(sum);
}

// y += f x
template <class T>
void add_times(int64_t n, T f, const T* x, T* y) {
    for (int64_t d = 0; d < n; ++d) y[d] += f * x[d];
}

// head(b, h, at) for every head, `at` being the place of its first query among all heads' queries.
template <class Head>
void for_each_head(const AttentionShape& s, const Head& head) {
    parallel_for(s.batch * s.heads, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) head(i / s.heads, i % s.heads, i * s.queries);
    });
}

template <class T>
void forward(Queue& queue, const AttentionShape& s, AttentionRows<const T> q, AttentionRows<const T> k,
             AttentionRows<const T> v, AttentionRows<T> y, T* statistics) {
    if constexpr (std::is_same_v<T, float>)
        if (has_wide_vectors()) return fast_attention::forward(queue, s, q, k, v, y, statistics);
    T *const largest = statistics, *const rescale = statistics + s.batch * s.heads * s.queries;
    for_each_head(s, [&](int64_t b, int64_t h, int64_t at) {
        const T *keys = k.of(b, h), *values = v.of(b, h);
        std::vector<T> p(static_cast<size_t>(s.keys));
        for (int64_t i = 0; i < s.queries; ++i) {
            const int64_t n = s.seen(i);
            const T* query = q.of(b, h) + i * q.row;
            T m = -std::numeric_limits<T>::infinity();
            for (int64_t j = 0; j < n; ++j) {
                T& score = p[static_cast<size_t>(j)];
                score = static_cast<T>(s.scale) * dot(s.depth, query, keys + j * k.row);
                m = score > m ? score : m;
            }
            double total = 0;
            for (int64_t j = 0; j < n; ++j) {
                T& weight = p[static_cast<size_t>(j)];
                weight = fast_exp(weight - m);
                total += static_cast<double>(weight);
            }
            T* out = y.of(b, h) + i * y.row;
            std::fill_n(out, s.depth, T(0));
            for (int64_t j = 0; j < n; ++j)
                add_times(s.depth, p[static_cast<size_t>(j)], values + j * v.row, out);
            const T r = static_cast<T>(1 / total);
            for (int64_t d = 0; d < s.depth; ++d) out[d] *= r;
            largest[at + i] = m;
            rescale[at + i] = r;
        }
    });
}

template <class T>
void zero_rows(const AttentionRows<T>& rows, int64_t b, int64_t h, int64_t count, int64_t depth) {
    if (!rows.data) return;
    for (int64_t i = 0; i < count; ++i) std::fill_n(rows.of(b, h) + i * rows.row, depth, T(0));
}

template <class T>
void backward(Queue& queue, const AttentionShape& s, AttentionRows<const T> q, AttentionRows<const T> k,
              AttentionRows<const T> v, AttentionRows<const T> y, const T* statistics,
              AttentionRows<const T> dy, AttentionGradients<T> d) {
    if constexpr (std::is_same_v<T, float>)
        if (has_wide_vectors()) return fast_attention::backward(queue, s, q, k, v, y, statistics, dy, d);
    const T *const largest = statistics, *const rescale = statistics + s.batch * s.heads * s.queries;
    for_each_head(s, [&](int64_t b, int64_t h, int64_t at) {
        zero_rows(d.q, b, h, s.queries, s.depth);
        zero_rows(d.k, b, h, s.keys, s.depth);
        zero_rows(d.v, b, h, s.keys, s.depth);
        for (int64_t i = 0; i < s.queries; ++i) {
            const T *query = q.of(b, h) + i * q.row, *upstream = dy.of(b, h) + i * dy.row;
            const T delta = dot(s.depth, upstream, y.of(b, h) + i * y.row);
            for (int64_t j = 0; j < s.seen(i); ++j) {
                const T *key = k.of(b, h) + j * k.row, *value = v.of(b, h) + j * v.row;
                const T score = static_cast<T>(s.scale) * dot(s.depth, query, key);
                const T p = rescale[at + i] * fast_exp(score - largest[at + i]);
                const T ds = static_cast<T>(s.scale) * p * (dot(s.depth, upstream, value) - delta);
                if (d.q.data) add_times(s.depth, ds, key, d.q.of(b, h) + i * d.q.row);
                if (d.k.data) add_times(s.depth, ds, query, d.k.of(b, h) + j * d.k.row);
                if (d.v.data) add_times(s.depth, p, upstream, d.v.of(b, h) + j * d.v.row);
            }
        }
    });
}

}  // namespace

template <class T>
const AttentionKernels<T>& attention(Device device) {
    static const AttentionKernels<T> cpu{forward<T>, backward<T>};
    return choose(
        "attention", device, cpu, [](auto gpu) -> const auto& { return attention_on(gpu); });
}
template const AttentionKernels<float>& attention(Device);
template const AttentionKernels<double>& attention(Device);

}  // namespace lily::kernels
