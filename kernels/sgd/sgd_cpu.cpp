// SPDX-License-Identifier: MIT
#include "kernels/sgd/sgd.h"

#include <vector>

#include "kernels/common/parallel.h"

namespace lily::kernels {
namespace {

// Elements [begin, end) of one parameter.
template <class T>
void update_piece(const SgdSettings& s, const SgdParameter<T>& a, int64_t begin, int64_t end) {
    const T lr = static_cast<T>(s.lr), decay = static_cast<T>(s.weight_decay);
    const T momentum = static_cast<T>(s.momentum), add = static_cast<T>(1 - s.dampening);
    const bool is_first = a.is_first, nesterov = s.nesterov;
    T* __restrict p = a.p;
    T* __restrict b = a.b;
    const T* __restrict grad = a.g;
    vectorised(begin, end, [=](int64_t first, int64_t last) {
        for (int64_t i = first; i < last; ++i) {
            const T g = decay != 0 ? grad[i] + decay * p[i] : grad[i];  // not 0 · inf
            T step = g;
            if (b) {
                b[i] = is_first ? g : momentum * b[i] + add * g;
                step = nesterov ? g + momentum * b[i] : b[i];
            }
            p[i] -= lr * step;
        }
    });
}

template <class T>
void update(Queue&, const SgdSettings& settings, std::span<const SgdParameter<T>> parameters) {
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
            const SgdParameter<T>& a = parameters[piece.parameter];
            update_piece(settings, a, piece.begin, std::min(a.n, piece.begin + kGrain));
        }
    });
}

}  // namespace

template <class T>
const SgdKernels<T>& sgd(Device device) {
    static const SgdKernels<T> cpu{update<T>};
    return choose(
        "sgd", device, cpu, [](auto gpu) -> const auto& { return sgd_on(gpu); });
}
template const SgdKernels<float>& sgd(Device);
template const SgdKernels<double>& sgd(Device);

}  // namespace lily::kernels
