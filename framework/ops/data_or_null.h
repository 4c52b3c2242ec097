// SPDX-License-Identifier: MIT
// The elements of a tensor that may be undefined: kernels take null for what there is not, or is not wanted.
#pragma once

#include "framework/tensor.h"

namespace lily {

template <class T>
const T* data_or_null(const Tensor& x) {
    return x.defined() ? x.data<T>() : nullptr;
}
template <class T>
T* mutable_or_null(Tensor& x) {
    return x.defined() ? x.mutable_data<T>() : nullptr;
}

}  // namespace lily
