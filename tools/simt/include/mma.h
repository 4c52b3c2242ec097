// SPDX-License-Identifier: MIT
// Matrix fragments of a warp. Which lane holds which element is nobody's business, so here each is held once,
// in order.
#pragma once

#include "cuda_bf16.h"
#include "cuda_fp16.h"
#include "simt/device.h"

inline namespace simt_cuda {
namespace nvcuda::wmma {

struct matrix_a;
struct matrix_b;
struct accumulator;
struct row_major;
struct col_major;
namespace precision {
struct tf32;
}
enum layout_t { mem_row_major, mem_col_major };

template <class T>
struct storage_element {
    using type = T;
};
template <>
struct storage_element<precision::tf32> {
    using type = float;
};

template <class Use, int M, int N, int K, class T, class Layout = void>
class fragment {
    static constexpr bool kIsA = std::is_same_v<Use, matrix_a>, kIsB = std::is_same_v<Use, matrix_b>;
    static constexpr bool kShape = (M == 16 && N == 16) || (M == 32 && N == 8) || (M == 8 && N == 32);
    static constexpr bool kTf32 = std::is_same_v<T, precision::tf32>;
    static_assert(kIsA || kIsB || std::is_same_v<Use, accumulator>);
    static_assert((kShape && K == 16 && !kTf32) || (M == 16 && N == 16 && K == 8), "no such shape");

  public:
    using element_type = T;
    using storage_element_type = typename storage_element<T>::type;
    static constexpr int rows = kIsB ? K : M, columns = kIsA ? K : N;
    static constexpr int num_elements = rows * columns / 32;
    static constexpr bool by_column = std::is_same_v<Layout, col_major>;
    storage_element_type x[num_elements];
};

__forceinline__ float __float_to_tf32(float x) {
    return __builtin_bit_cast(float, (__builtin_bit_cast(uint32_t, x) + 0x1000u) & ~0x1fffu);
}

template <class F, class T>
__forceinline__ void fill_fragment(F& f, T value) {
    for (auto& x : f.x) x = value;
}

}  // namespace nvcuda::wmma
}  // namespace simt_cuda

namespace simt {

__forceinline__ unsigned lane_of_thread() {
    return ((threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x) % 32;
}

// Where lane's i-th element is in memory.
template <class F>
__forceinline__ size_t place(int i, unsigned ldm, bool by_column) {
    const int element = static_cast<int>(lane_of_thread()) * F::num_elements + i;
    const size_t row = static_cast<size_t>(element / F::columns),
                 column = static_cast<size_t>(element % F::columns);
    return by_column ? column * ldm + row : row * ldm + column;
}

template <class T>
__forceinline__ void check_matrix(const T* p, unsigned ldm) {
    if (reinterpret_cast<uintptr_t>(p) % 32 != 0) refuse("a matrix of wmma that is not aligned to 32 bytes");
    if (ldm * sizeof(T) % 16 != 0) refuse("a leading dimension of wmma that is not a multiple of 16 bytes");
}

// What a lane brings to the product.
template <class D, class A, class B, class C>
struct Product : Together {
    D* d;
    const A* a;
    const B* b;
    const C* c;

    // Looks at the other lanes' stacks, which is not what a kernel may do: not instrumented.
    __attribute__((no_sanitize("thread"))) static void multiply(Together* const* lanes) {
        float left[A::rows][A::columns], right[B::rows][B::columns];
        const auto value = [](auto x) {  // the tensor cores drop what tf32 has no bits for
            if constexpr (std::is_same_v<decltype(x), float>)
                return __builtin_bit_cast(float, __builtin_bit_cast(uint32_t, x) & ~0x1fffu);
            else
                return x.value();
        };
        for (int lane = 0; lane < 32; ++lane) {
            const auto* brought = static_cast<const Product*>(lanes[lane]);
            for (int i = 0; i < A::num_elements; ++i) {
                const int at = lane * A::num_elements + i;
                left[at / A::columns][at % A::columns] = value(brought->a->x[i]);
            }
            for (int i = 0; i < B::num_elements; ++i) {
                const int at = lane * B::num_elements + i;
                right[at / B::columns][at % B::columns] = value(brought->b->x[i]);
            }
        }
        for (int lane = 0; lane < 32; ++lane) {
            auto* brought = static_cast<Product*>(lanes[lane]);
            for (int i = 0; i < C::num_elements; ++i) {
                const int at = lane * C::num_elements + i;
                float sum = static_cast<float>(brought->c->x[i]);
                for (int k = 0; k < A::columns; ++k)
                    sum += left[at / C::columns][k] * right[k][at % C::columns];
                brought->d->x[i] = sum;
            }
        }
    }
};

}  // namespace simt

inline namespace simt_cuda {
namespace nvcuda::wmma {

template <class Use, int M, int N, int K, class T, class Layout>
__forceinline__ void load_matrix_sync(
    fragment<Use, M, N, K, T, Layout>& f,
    const typename fragment<Use, M, N, K, T, Layout>::storage_element_type* p, unsigned ldm) {
    using F = fragment<Use, M, N, K, T, Layout>;
    simt::check_matrix(p, ldm);
    __syncwarp();
    for (int i = 0; i < F::num_elements; ++i) f.x[i] = p[simt::place<F>(i, ldm, F::by_column)];
}
template <int M, int N, int K, class T>
__forceinline__ void load_matrix_sync(fragment<accumulator, M, N, K, T>& f, const T* p, unsigned ldm,
                                      layout_t layout) {
    using F = fragment<accumulator, M, N, K, T>;
    simt::check_matrix(p, ldm);
    __syncwarp();
    for (int i = 0; i < F::num_elements; ++i) f.x[i] = p[simt::place<F>(i, ldm, layout == mem_col_major)];
}
template <int M, int N, int K, class T>
__forceinline__ void store_matrix_sync(T* p, const fragment<accumulator, M, N, K, T>& f, unsigned ldm,
                                       layout_t layout) {
    using F = fragment<accumulator, M, N, K, T>;
    simt::check_matrix(p, ldm);
    for (int i = 0; i < F::num_elements; ++i) p[simt::place<F>(i, ldm, layout == mem_col_major)] = f.x[i];
    __syncwarp();
}

template <int M, int N, int K, class T, class LayoutA, class LayoutB, class D, class C>
__forceinline__ void mma_sync(fragment<accumulator, M, N, K, D>& d,
                              const fragment<matrix_a, M, N, K, T, LayoutA>& a,
                              const fragment<matrix_b, M, N, K, T, LayoutB>& b,
                              const fragment<accumulator, M, N, K, C>& c) {
    using Product = simt::Product<fragment<accumulator, M, N, K, D>, fragment<matrix_a, M, N, K, T, LayoutA>,
                                  fragment<matrix_b, M, N, K, T, LayoutB>, fragment<accumulator, M, N, K, C>>;
    Product mine;
    mine.run = Product::multiply;
    mine.d = &d;
    mine.a = &a;
    mine.b = &b;
    mine.c = &c;
    simt::together(mine);
}

}  // namespace nvcuda::wmma
}  // namespace simt_cuda
