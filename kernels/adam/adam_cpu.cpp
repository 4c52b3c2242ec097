// SPDX-License-Identifier: MIT
#include <cmath>
#include <type_traits>
#include <vector>

#include "kernels/adam/adam.h"
#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// Elements [begin, end) of one parameter. What is the same for all of them is computed in double, once.
template <class T>
void update_piece(const AdamSettings& s, const AdamParameter<T>& a, int64_t begin, int64_t end) {
    const double correction1 = 1 - std::pow(s.beta1, static_cast<double>(a.step));
    const double correction2 = 1 - std::pow(s.beta2, static_cast<double>(a.step));
    const T beta1 = static_cast<T>(s.beta1), rest1 = static_cast<T>(1 - s.beta1);
    const T beta2 = static_cast<T>(s.beta2), rest2 = static_cast<T>(1 - s.beta2);
    const T keep = static_cast<T>(s.decoupled ? 1 - s.lr * s.weight_decay : 1);
    const T decay = static_cast<T>(s.decoupled ? 0 : s.weight_decay);
    // lr m̂ / (√v̂ + ε) with one division: both sides of the fraction times √(1 - β₂ᵗ)
    const double root2 = std::sqrt(correction2);
    const T step_size = static_cast<T>(s.lr / correction1 * root2);
    const T eps = static_cast<T>(s.eps_uncorrected ? s.eps : s.eps * root2);
    T* __restrict p = a.p;
    T* __restrict m = a.m;
    T* __restrict v = a.v;
    const T* __restrict grad = a.g;
    const auto run = [&](auto decays) {
        vectorised(begin, end, [=](int64_t first, int64_t last) {
            for (int64_t i = first; i < last; ++i) {
                const T g = decays ? grad[i] + decay * p[i] : grad[i];  // not 0 · inf
                const T m_new = beta1 * m[i] + rest1 * g;
                const T v_new = beta2 * v[i] + rest2 * g * g;
                m[i] = m_new;
                v[i] = v_new;
                p[i] = keep * p[i] - step_size * (m_new / (std::sqrt(v_new) + eps));
            }
        });
    };
    decay != 0 ? run(std::true_type{}) : run(std::false_type{});
}

template <class T>
void update(Queue&, const AdamSettings& settings, std::span<const AdamParameter<T>> parameters) {
    // One loop over the pieces of all parameters, so that many small ones cost one fork.
    struct Piece {
        size_t parameter;
        int64_t begin;
    };
    std::vector<Piece> pieces;
    for (size_t k = 0; k < parameters.size(); ++k)
        for (int64_t i = 0; i < parameters[k].n; i += kGrain) pieces.push_back({k, i});
    parallel_for(static_cast<int64_t>(pieces.size()), 1, [&](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const Piece& piece = pieces[static_cast<size_t>(i)];
            const AdamParameter<T>& a = parameters[piece.parameter];
            update_piece(settings, a, piece.begin, std::min(a.n, piece.begin + kGrain));
        }
    });
}

}  // namespace

template <class T>
const AdamKernels<T>& adam(Device device) {
    static const AdamKernels<T> cpu{update<T>};
    return choose(
        "adam", device, cpu, [](auto gpu) -> const auto& { return adam_on(gpu); });
}
template const AdamKernels<float>& adam(Device);
template const AdamKernels<double>& adam(Device);

}  // namespace lily::kernels
