// SPDX-License-Identifier: MIT
#include "framework/distributed/all_gather.h"

#include "framework/autograd.h"
#include "framework/distributed/all_mean.h"
#include "framework/ops/arithmetic.h"
#include "framework/ops/cat.h"
#include "framework/ops/slice.h"

namespace lily::distributed {

Tensor all_gather(const Tensor& x, ProcessGroup& group) {
    if (group.is_alone()) return x;
    const int64_t n = x.size(0), begin = group.rank() * n;
    Tensor y;
    {
        const NoGrad no_grad;
        const auto nothing = [&](int64_t rows) {
            Shape shape = x.shape();
            shape[0] = rows;
            return zeros(shape, {.dtype = x.dtype()});
        };
        // A sum of which all parts but one are 0: exact.
        y = cat({nothing(begin), x.detach().contiguous(), nothing((group.size() - 1) * n - begin)}, 0);
    }
    begin_sum(group, y, 1).wait();
    return record("all_gather", y, {x}, [n, begin, size = group.size()](const Backward& g) {
        return Gradients{slice(g.dy, 0, begin, begin + n) * static_cast<double>(size)};
    });
}

}  // namespace lily::distributed
