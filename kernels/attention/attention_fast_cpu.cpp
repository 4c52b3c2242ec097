// SPDX-License-Identifier: MIT
// The products are the innermost loop of a linear layer (kernels/linear/linear_tiles.h) over copies of one
// head that fit into the second cache. Tiles begin at multiples of kTileRows queries, whatever the
// batch, and every sum runs over its own keys in order.
#include "kernels/attention/attention_fast.h"

#include <limits>

#include "kernels/common/parallel.h"
#include "kernels/common/vector_math.h"
#include "kernels/linear/linear_tiles.h"

namespace lily::kernels::fast_attention {
namespace {

constexpr int64_t kQueries = 16 * kTileRows;         // of a task of the forward pass
constexpr int64_t kBackwardQueries = 8 * kTileRows;  // whose p and ds exist at once
constexpr double kTooFewToSplit = 3e5;               // multiplications

double work_of(const AttentionShape& s) {
    return double(s.batch * s.heads) * double(s.queries) * double(s.keys) * double(s.depth);
}

// Columns that tiles of n columns read.
template <int B>
constexpr int64_t padded(int64_t n) {
    const int64_t rest = n % kPanel<B>;
    return n - rest + (rest == 0 ? 0 : rest <= B ? B : rest <= 2 * B ? 2 * B : kPanel<B>);
}

// The right factor of a product: columns [j, j + kPanel) begin at data + j · panel.
struct Right {
    const float* data;
    int64_t step, panel;  // from one row to the next, and from one column to the next panel's
};

// Rows of `depth` numbers as a right factor: in place, or a copy where tiles would read past a row's end.
template <int B>
Right rows_of(const float* rows, int64_t step, int64_t count, int64_t depth, float* copy) {
    const int64_t width = padded<B>(depth);
    if (width == depth) return {rows, step, 1};
    for (int64_t i = 0; i < count; ++i) {
        std::copy_n(rows + i * step, depth, copy + i * width);
        std::fill_n(copy + i * width + depth, width - depth, 0.0f);
    }
    return {copy, width, 1};
}
template <int B>
int64_t copy_size(int64_t count, int64_t depth) {
    return padded<B>(depth) == depth ? 0 : count * padded<B>(depth);
}

// The same turned: row d, column j is rows[j][d].
template <int B>
Right turned_rows(const float* rows, int64_t step, int64_t count, int64_t depth, float* copy) {
    for (int64_t j = 0; j < count; j += kPanel<B>)
        pack_turned<B>(rows + j * step, step, std::min<int64_t>(kPanel<B>, count - j), depth,
                       copy + j * depth);
    return {copy, kPanel<B>, depth};
}
template <int B>
int64_t turned_size(int64_t count, int64_t depth) {
    return ceil_div(count, kPanel<B>) * kPanel<B> * depth;
}

Factor left_rows(const float* rows, int64_t step) { return {rows, kTileRows * step, step, 1}; }
Factor left_columns(const float* columns, int64_t step) { return {columns, kTileRows, 1, step}; }

// c (rows, n) = (add ? c : 0) + a b, summed over `depth` in order.
template <int B>
void product(int64_t rows, int64_t n, int64_t depth, const Factor& a, const Right& b, bool add, float* c,
             int64_t c_row) {
    for (int64_t j = 0; j < n; j += kPanel<B>) {
        const int64_t width = std::min<int64_t>(kPanel<B>, n - j);
        with_vectors_for<B>(width, [&](auto vectors) {
            each_tile(rows, [&](auto height, int64_t i) {
                product_to<B, height.value, vectors.value>(depth, a.at(i, 0), b.data + j * b.panel, b.step,
                                                           add, width, c + i * c_row + j, c_row);
            });
        });
    }
}

constexpr int kLanes = 16;

// Scores to exp(scale s - m), n of them; m and 1 / Σ go to statistics.
void softmax_row(int64_t n, float scale, float* s, float& m, float& r) {
    float lane[kLanes];
    std::fill_n(lane, kLanes, -std::numeric_limits<float>::infinity());
    const auto larger = [](float a, float b) { return a > b ? a : b; };
    int64_t j = 0;
    for (; j + kLanes <= n; j += kLanes)
        for (int l = 0; l < kLanes; ++l) lane[l] = larger(s[j + l] *= scale, lane[l]);
    for (int l = 0; j < n; ++j, ++l) lane[l] = larger(s[j] *= scale, lane[l]);
    m = lane[0];
    for (int l = 1; l < kLanes; ++l) m = larger(lane[l], m);
    constexpr int64_t kRun = 1024;  // what f32 adds up before double goes on
    double total = 0;
    for (int64_t begin = 0; begin < n; begin += kRun) {
        const int64_t end = std::min(n, begin + kRun);
        for (j = begin; j < end; ++j) s[j] = fast_exp(s[j] - m);
        float sum[kLanes] = {};
        for (j = begin; j + kLanes <= end; j += kLanes)
            for (int l = 0; l < kLanes; ++l) sum[l] += s[j + l];
        for (int l = 0; j < end; ++j, ++l) sum[l] += s[j];
        for (int l = 0; l < kLanes; ++l) total += static_cast<double>(sum[l]);
    }
    r = static_cast<float>(1 / total);
}

float dot(int64_t n, const float* a, const float* b) {
    float lane[kLanes] = {};
    int64_t d = 0;
    for (; d + kLanes <= n; d += kLanes)
        for (int l = 0; l < kLanes; ++l) lane[l] += a[d + l] * b[d + l];
    for (int l = 0; d < n; ++d, ++l) lane[l] += a[d] * b[d];
    double sum = 0;
    for (int l = 0; l < kLanes; ++l) sum += static_cast<double>(lane[l]);
    return static_cast<float>(sum);
}

template <int B>
void forward_with(Queue& queue, const AttentionShape& s, AttentionRows<const float> q,
                  AttentionRows<const float> k, AttentionRows<const float> v, AttentionRows<float> y,
                  float* statistics) {
    float *const largest = statistics, *const rescale = statistics + s.batch * s.heads * s.queries;
    const int64_t blocks = ceil_div(s.queries, kQueries), row = ceil_div(s.keys, kPanel<B>) * kPanel<B>;
    const int64_t turned = turned_size<B>(s.keys, s.depth), copy = copy_size<B>(s.keys, s.depth);
    const int64_t size = turned + copy + kTileRows * row;
    const auto scratch = queue.scratch<float>(max_threads() * size);
    float* const memory = scratch.data();
    parallel_tasks<B>(
        s.batch * s.heads * blocks, work_of(s) >= kTooFewToSplit, [&](int64_t task, int64_t thread) {
            const int64_t head = task / blocks, b = head / s.heads, h = head % s.heads;
            const int64_t first = task % blocks * kQueries, last = std::min(s.queries, first + kQueries);
            float *const own = memory + thread * size, *const scores = own + turned + copy;
            const int64_t most = s.seen(last - 1);
            const Right keys = turned_rows<B>(k.of(b, h), k.row, most, s.depth, own);
            const Right values = rows_of<B>(v.of(b, h), v.row, most, s.depth, own + turned);
            for (int64_t i = first; i < last; i += kTileRows) {
                const int64_t rows = std::min<int64_t>(kTileRows, last - i), common = s.seen(i);
                const Factor queries = left_rows(q.of(b, h) + i * q.row, q.row);
                product<B>(rows, s.seen(i + rows - 1), s.depth, queries, keys, false, scores, row);
                float* const out = y.of(b, h) + i * y.row;
                const int64_t at = head * s.queries + i;
                for (int64_t p = 0; p < rows; ++p)
                    softmax_row(s.seen(i + p), static_cast<float>(s.scale), scores + p * row, largest[at + p],
                                rescale[at + p]);
                product<B>(rows, s.depth, common, left_rows(scores, row), values, false, out, y.row);
                for (int64_t p = 0; p < rows; ++p) {
                    if (const int64_t more = s.seen(i + p) - common; more > 0)
                        product<B>(1, s.depth, more, left_rows(scores + p * row + common, row),
                                   {values.data + common * values.step, values.step, values.panel}, true,
                                   out + p * y.row, y.row);
                    for (int64_t d = 0; d < s.depth; ++d) out[p * y.row + d] *= rescale[at + p];
                }
            }
        });
}

// A head is one task: its dk and dv are sums over all queries.
template <int B>
void backward_with(Queue& queue, const AttentionShape& s, AttentionRows<const float> q,
                   AttentionRows<const float> k, AttentionRows<const float> v, AttentionRows<const float> y,
                   const float* statistics, AttentionRows<const float> dy, AttentionGradients<float> d) {
    const float *const largest = statistics, *const rescale = statistics + s.batch * s.heads * s.queries;
    const int64_t row = ceil_div(s.keys, kPanel<B>) * kPanel<B>, square = kBackwardQueries * row;
    const int64_t turned = turned_size<B>(s.keys, s.depth), of_keys = copy_size<B>(s.keys, s.depth);
    const int64_t of_queries = copy_size<B>(s.queries, s.depth);
    const int64_t size = 2 * turned + of_keys + 2 * of_queries + 2 * square;
    const auto scratch = queue.scratch<float>(max_threads() * size);
    float* const memory = scratch.data();
    const float scale = static_cast<float>(s.scale);
    parallel_tasks<B>(s.batch * s.heads, work_of(s) >= kTooFewToSplit, [&](int64_t head, int64_t thread) {
        const int64_t b = head / s.heads, h = head % s.heads;
        float* free = memory + thread * size;
        const auto take = [&](int64_t count) { return std::exchange(free, free + count); };
        const Right keys_turned = turned_rows<B>(k.of(b, h), k.row, s.keys, s.depth, take(turned));
        const Right values_turned = turned_rows<B>(v.of(b, h), v.row, s.keys, s.depth, take(turned));
        const Right keys = rows_of<B>(k.of(b, h), k.row, s.keys, s.depth, take(of_keys));
        const Right queries = rows_of<B>(q.of(b, h), q.row, s.queries, s.depth, take(of_queries));
        const Right upstream = rows_of<B>(dy.of(b, h), dy.row, s.queries, s.depth, take(of_queries));
        float *const p = take(square), *const ds = take(square);
        for (const auto& rows : {d.k, d.v})
            if (rows.data)
                for (int64_t j = 0; j < s.keys; ++j) std::fill_n(rows.of(b, h) + j * rows.row, s.depth, 0.0f);
        for (int64_t first = 0; first < s.queries; first += kBackwardQueries) {
            const int64_t rows = std::min(kBackwardQueries, s.queries - first);
            const int64_t most = s.seen(first + rows - 1), at = head * s.queries + first;
            const float *const from = q.of(b, h) + first * q.row,
                               *const gradient = dy.of(b, h) + first * dy.row,
                               *const result = y.of(b, h) + first * y.row;
            product<B>(rows, most, s.depth, left_rows(from, q.row), keys_turned, false, p, row);
            product<B>(rows, most, s.depth, left_rows(gradient, dy.row), values_turned, false, ds, row);
            for (int64_t i = 0; i < rows; ++i) {
                float *const weight = p + i * row, *const slope = ds + i * row;
                const float delta = dot(s.depth, gradient + i * dy.row, result + i * y.row);
                const float m = largest[at + i], r = rescale[at + i];
                const int64_t n = s.seen(first + i);
                for (int64_t j = 0; j < n; ++j) {
                    weight[j] = r * fast_exp(scale * weight[j] - m);
                    slope[j] = scale * weight[j] * (slope[j] - delta);
                }
                std::fill_n(weight + n, most - n, 0.0f);
                std::fill_n(slope + n, most - n, 0.0f);
            }
            const auto from_row = [&](const Right& all) {
                return Right{all.data + first * all.step, all.step, all.panel};
            };
            if (d.q.data)
                product<B>(rows, s.depth, most, left_rows(ds, row), keys, false,
                           d.q.of(b, h) + first * d.q.row, d.q.row);
            if (d.k.data)
                product<B>(most, s.depth, rows, left_columns(ds, row), from_row(queries), true, d.k.of(b, h),
                           d.k.row);
            if (d.v.data)
                product<B>(most, s.depth, rows, left_columns(p, row), from_row(upstream), true, d.v.of(b, h),
                           d.v.row);
        }
    });
}

}  // namespace

void forward(Queue& queue, const AttentionShape& s, AttentionRows<const float> q,
             AttentionRows<const float> k, AttentionRows<const float> v, AttentionRows<float> y,
             float* statistics) {
    if (cpu_isa() == Isa::avx512) return forward_with<16>(queue, s, q, k, v, y, statistics);
    forward_with<8>(queue, s, q, k, v, y, statistics);
}

void backward(Queue& queue, const AttentionShape& s, AttentionRows<const float> q,
              AttentionRows<const float> k, AttentionRows<const float> v, AttentionRows<const float> y,
              const float* statistics, AttentionRows<const float> dy, AttentionGradients<float> gradients) {
    if (cpu_isa() == Isa::avx512) return backward_with<16>(queue, s, q, k, v, y, statistics, dy, gradients);
    backward_with<8>(queue, s, q, k, v, y, statistics, dy, gradients);
}

}  // namespace lily::kernels::fast_attention
