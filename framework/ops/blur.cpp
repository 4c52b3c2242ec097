// SPDX-License-Identifier: MIT
#include "framework/ops/blur.h"

#include <algorithm>
#include <numeric>

#include "framework/autograd.h"
#include "framework/ops/planes.h"
#include "kernels/blur/blur.h"

namespace lily {
namespace {

using kernels::BlurFilter;

Tensor filtered(const Tensor& x, const BlurFilter& filter) {
    Tensor y = empty_like(x);
    visit_floating("blur", x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::blur<T>(x.device())
            .forward(x.queue(), planes_of("blur", x), filter, x.data<T>(), y.mutable_data<T>());
    });
    return record("blur", y, {x}, [filter](const Backward& g) {  // y[i] = Σ f[a] x[i+a-r]
        BlurFilter turned = filter;
        std::reverse(turned.tap.begin(), turned.tap.begin() + turned.taps);
        return Gradients{filtered(g.dy, turned)};
    });
}

}  // namespace

Tensor blur(const Tensor& x, const std::vector<double>& filter) {
    const size_t taps = filter.size();
    check(taps % 2 == 1 && taps <= BlurFilter::kMaxTaps,
          "[blur] expected an odd number of taps up to {}, got {}", BlurFilter::kMaxTaps, taps);
    const double total = std::accumulate(filter.begin(), filter.end(), 0.0);
    check(total != 0, "[blur] the taps {} add up to 0: the filter cannot be normalised",
          fmt::join(filter, " "));
    BlurFilter normalised{static_cast<int>(taps), {}};
    for (size_t t = 0; t < taps; ++t) normalised.tap[t] = filter[t] / total;
    return filtered(x, normalised);
}

}  // namespace lily
