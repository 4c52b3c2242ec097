// SPDX-License-Identifier: MIT
#include "framework/distributed/share.h"

#include "framework/ops/shape.h"
#include "framework/ops/slice.h"

namespace lily::distributed {

Tensor own_share(const Tensor& of_all, const ProcessGroup& group, int64_t parts) {
    if (group.is_alone()) return of_all;
    check(of_all.size(0) % (parts * group.size()) == 0,
          "[own_share] {} rows cannot be shared by {} processes in {} parts", of_all.size(0), group.size(),
          parts);
    const Tensor mine = slice(of_all.reshape({parts, group.size(), -1}), 1, group.rank(), group.rank() + 1);
    Shape shape = of_all.shape();
    shape[0] /= group.size();
    return mine.reshape(shape);
}

}  // namespace lily::distributed
