// SPDX-License-Identifier: MIT
// Sums of many terms on the CPU, in double, with the same bits for any number of threads.
#pragma once

#include <cstdint>

#include "kernels/common/parallel.h"
#include "kernels/common/queue.h"

namespace lily::kernels {

// Σ term(i) over [0, n): 16 lanes side by side per piece of kGrain, then the pieces in order.
template <class Term>
double sum_terms(Queue& queue, int64_t n, const Term& term) {
    constexpr int kLanes = 16;
    const int64_t pieces = ceil_div(n, kGrain);
    const auto scratch = queue.scratch<double>(pieces);
    double* partials = scratch.data();
    parallel_for(n, kGrain, [=](int64_t begin, int64_t end) {
        double lane[kLanes] = {};
        int64_t i = begin;
        for (; i + kLanes <= end; i += kLanes)
            for (int k = 0; k < kLanes; ++k) lane[k] += term(i + k);
        double total = 0;
        for (int k = 0; k < kLanes; ++k) total += lane[k];
        for (; i < end; ++i) total += term(i);
        partials[begin / kGrain] = total;
    });
    double total = 0;
    for (int64_t i = 0; i < pieces; ++i) total += partials[i];
    return total;
}

}  // namespace lily::kernels
