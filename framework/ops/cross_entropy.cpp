// SPDX-License-Identifier: MIT
#include "framework/ops/cross_entropy.h"

#include "framework/ops/arithmetic.h"
#include "framework/ops/reduce.h"
#include "framework/ops/softmax.h"

namespace lily {

Tensor cross_entropy(const Tensor& logits, const Tensor& labels) {
    check(logits.rank() == 2 && labels.rank() == 1 && labels.size(0) == logits.size(0) &&
              labels.dtype() == DType::i64,
          "[cross_entropy] expected logits (N,classes) and labels (N) of i64, got {} and {} of {}",
          logits.shape(), labels.shape(), name(labels.dtype()));
    const int64_t n = logits.size(0), classes = logits.size(1);
    std::vector<float> one_hot(static_cast<size_t>(n * classes));
    const std::vector<int64_t> of_row = labels.to(Device::cpu).to_vector<int64_t>();
    for (int64_t i = 0; i < n; ++i) {
        const int64_t label = of_row[static_cast<size_t>(i)];
        check(label >= 0 && label < classes, "[cross_entropy] label {} of {} classes", label, classes);
        one_hot[static_cast<size_t>(i * classes + label)] = 1;
    }
    const Tensor chosen = from_vector(one_hot, {n, classes}).to(logits.dtype()).to(logits.device());
    return sum(log_softmax(logits, 1) * chosen) * (-1.0 / static_cast<double>(n));
}

}  // namespace lily
