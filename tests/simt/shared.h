// SPDX-License-Identifier: MIT
#pragma once

namespace lily::testing {

// The block's dynamic shared memory. A declaration of it has no C++ without nvcc, so it hides here.
template <class T>
__device__ T* dynamic_shared() {
#ifdef __CUDACC__
    extern __shared__ __align__(16) unsigned char memory[];
    return reinterpret_cast<T*>(memory);
#else
    return static_cast<T*>(lily_simt_dynamic_shared());
#endif
}

}  // namespace lily::testing
