// SPDX-License-Identifier: MIT
#include <algorithm>

#include "kernels/common/parallel.h"
#include "kernels/linear/activation.h"
#include "kernels/linear/linear_fast.h"
#include "kernels/matmul/matmul.h"

namespace lily::kernels {
namespace {

// y = f(s y + b) after the product.
template <class T>
void forward(Queue& queue, LinearShape s, LinearActivation activation, const T* x, const T* weight,
             const T* bias, T* y) {
    if constexpr (std::is_same_v<T, float>)
        if (fast_linear::fits()) return fast_linear::forward(queue, s, activation, x, weight, bias, y);
    matmul<T>(queue.device())
        .product(queue, matmul_shape(s.rows, s.out, s.in, false, true), x, weight, T(0), y);
    if (activation.function == Activation::none && !bias && s.weight_scale == 1) return;
    const int64_t rows_per_piece = std::max<int64_t>(1, kGrain / std::max<int64_t>(1, s.out));
    const T scale = static_cast<T>(s.weight_scale);
    visit_activation<T>(activation, [=](auto f) {
        parallel_for(s.rows, rows_per_piece, [=](int64_t begin, int64_t end) {
            for (int64_t r = begin; r < end; ++r) {
                T* line = y + r * s.out;
                for (int64_t o = 0; o < s.out; ++o)
                    line[o] = f.value(bias ? scale * line[o] + bias[o] : scale * line[o]);
            }
        });
    });
}

// One pass over dy: s dz with dz = dy f'(y), db = Σ_rows dz, and s dz turned as kernels/linear/linear_fast.h
// wants it, where not null; 48 columns to a task.
template <class T>
void activation_backward(LinearShape s, LinearActivation activation, const T* y, const T* dy, T* dz,
                         T* turned, T* db) {
    constexpr int64_t turn = fast_linear::kTurnedRows, columns = 8 * turn;
    const int64_t groups = (s.out + columns - 1) / columns;
    const T scale = static_cast<T>(s.weight_scale);
    const T* from = y ? y : dy;  // the identity's gradient does not look at it
    const int64_t grain = std::max<int64_t>(1, kGrain / (columns * std::max<int64_t>(1, s.rows)));
    visit_activation<T>(activation, [=](auto f) {
        parallel_for(groups, grain, [=](int64_t begin, int64_t end) {
            const auto local = f;  // in registers: what is written might be f, for all the compiler knows
            const auto group = [=](int64_t first, auto width) {
                double total[columns] = {};
                for (int64_t r = 0; r < s.rows; ++r) {
                    const int64_t at = r * s.out + first;
                    T line[columns] = {};
                    for (int64_t i = 0; i < width; ++i) line[i] = local.gradient(from[at + i], dy[at + i]);
                    if (db)
                        for (int64_t i = 0; i < width; ++i) total[i] += line[i];
                    for (int64_t i = 0; i < width; ++i) line[i] *= scale;
                    if (dz)
                        for (int64_t i = 0; i < width; ++i) dz[at + i] = line[i];
                    if (turned)
                        for (int64_t i = 0; i < width; i += turn)
                            std::copy_n(line + i, turn, turned + (first + i) * s.rows + r * turn);
                }
                if (db)
                    for (int64_t i = 0; i < width; ++i) db[first + i] = static_cast<T>(total[i]);
            };
            for (int64_t i = begin; i < end; ++i) {
                const int64_t first = i * columns;
                if (first + columns <= s.out)
                    group(first, std::integral_constant<int64_t, columns>{});
                else
                    group(first, s.out - first);
            }
        });
    });
}

template <class T>
void backward(Queue& queue, LinearShape s, LinearActivation activation, const T* x, const T* weight,
              const T* y, const T* dy, LinearGradients<T> gradient) {
    const bool activated = activation.function != Activation::none;
    const bool fast = std::is_same_v<T, float> && fast_linear::fits();
    const bool changes = activated || s.weight_scale != 1;
    const bool wants_dz = changes && (gradient.x || (gradient.weight && !fast));
    const bool wants_turned = fast && gradient.weight;
    const auto dz_scratch = queue.scratch<T>(wants_dz ? s.rows * s.out : 0);
    const auto turned_scratch = queue.scratch<T>(wants_turned ? fast_linear::turned_size(s) : 0);
    T* changed = wants_dz ? dz_scratch.data() : nullptr;
    T* turned = wants_turned ? turned_scratch.data() : nullptr;
    if (changed || turned || gradient.bias)
        activation_backward(s, activation, activated ? y : nullptr, dy, changed, turned, gradient.bias);
    const T* dz = changed ? changed : dy;
    if (!gradient.x && !gradient.weight) return;
    if constexpr (std::is_same_v<T, float>)
        if (fast) return fast_linear::products(queue, s, x, weight, dz, turned, gradient.x, gradient.weight);
    const auto& k = matmul<T>(queue.device());
    if (gradient.x) k.product(queue, matmul_shape(s.rows, s.in, s.out), dz, weight, T(0), gradient.x);
    if (gradient.weight)
        k.product(queue, matmul_shape(s.out, s.in, s.rows, true, false), dz, x, T(0), gradient.weight);
}

}  // namespace

template <class T>
const LinearKernels<T>& linear(Device device) {
    static const LinearKernels<T> cpu{forward<T>, backward<T>};
    return choose(
        "linear", device, cpu, [](auto gpu) -> const auto& { return linear_on(gpu); });
}
template const LinearKernels<float>& linear(Device);
template const LinearKernels<double>& linear(Device);

}  // namespace lily::kernels
