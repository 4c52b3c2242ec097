// SPDX-License-Identifier: MIT
// The kernels of the tests: *.cu of this directory. They compile with nvcc too.
#pragma once

#include <cuda_runtime.h>

#include <cstdint>

namespace lily::testing {

// The threads of a launch, and where it goes.
struct Shape {
    dim3 grid = 1, block = 1;
    size_t shared = 0;
    cudaStream_t stream = nullptr;
};

template <class... Exp, class... Act>
cudaError_t launch(const Shape& shape, void (*kernel)(Exp...), Act... args) {
    cudaLaunchConfig_t config{};
    config.gridDim = shape.grid;
    config.blockDim = shape.block;
    config.dynamicSmemBytes = shape.shared;
    config.stream = shape.stream;
    return cudaLaunchKernelEx(&config, kernel, static_cast<Exp>(args)...);
}

// faults.cu: in each, the line that is wrong bears the comment "fault: <name>"
cudaError_t read_beyond(const Shape&, const float* x, float* y, int shift);  // y[i] = x[i + shift]
cudaError_t write_beyond(const Shape&, float* y, int shift);                 // y[i + shift] = 1
cudaError_t read_shared_beyond(const Shape&, float* y, int shift);           // 64 floats, static
cudaError_t write_shared_beyond(const Shape&, float* y, int shift);          // dynamic
cudaError_t read_unwritten_shared(const Shape&, float* y);
cudaError_t shared_race(const Shape&, float* y, bool barrier);          // neighbours through shared memory
cudaError_t global_race(const Shape&, float* y, bool atomic);           // all blocks write y[0]
cudaError_t neighbours_in_place(const Shape&, float* y, bool barrier);  // a race in global memory
cudaError_t half_a_barrier(const Shape&, float* y);
cudaError_t two_barriers(const Shape&, float* y);
cudaError_t early_exit_shuffle(const Shape&, float* y, int n);
cudaError_t divergent_shuffle(const Shape&, float* y);
cudaError_t misaligned(const Shape&, const float* x, float* y);  // a float4 at x + 1
cudaError_t give_up(const Shape&, int at);
cudaError_t copy_by_memcpy(const Shape&, const unsigned char* x, unsigned char* y, int bytes);
cudaError_t fill_by_memset(const Shape&, unsigned char* y, int bytes);
cudaError_t call_nothing(const Shape&, int* y, bool nothing);  // through a function pointer
cudaError_t divide(const Shape&, const int* x, int* y);        // y = 100 / x
cudaError_t recurse(const Shape&, int* y, int depth);
cudaError_t spin_on_block(const Shape&, unsigned* flags, unsigned raised_by);  // all others wait for that one
cudaError_t spin_in_block(const Shape&, unsigned* y, bool raise);              // thread 0 waits for the last
cudaError_t grid_barrier(const Shape&, unsigned* count, int* x, int* y);       // of atomics
cudaError_t no_end(const Shape&, int* y, int wanted);
cudaError_t host_reads_device(const float* x, float* result);  // no kernel

// features.cu
cudaError_t scale(const Shape&, float* y, const float* x, float factor, int n);
cudaError_t coordinates(const Shape&, int* out);                       // 9 numbers per thread
cudaError_t block_sum(const Shape&, const float* x, float* y, int n);  // warp shuffles and shared memory
cudaError_t reverse_dynamic(const Shape&, const int* x, int* y);       // per block, dynamic shared memory
cudaError_t predicates(const Shape&, int* out);                        // __syncthreads_count, _and, _or
cudaError_t shuffles(const Shape&, int* out);
cudaError_t wide_shuffles(const Shape&, double* d, long long* l, float* f);
cudaError_t votes(const Shape&, unsigned* out);
cudaError_t reductions(const Shape&, int* out);
cudaError_t half_warps(const Shape&, int* out);  // two groups of lanes at once
cudaError_t atomics(const Shape&, int* i, float* f, double* d, unsigned* u);
cudaError_t transpose(const Shape&, const float* x, float* y, int width, int height, bool padded);
cudaError_t copy_vectors(const Shape&, const float* x, float* y, int n4);  // float4
cudaError_t copy_strided(const Shape&, const float* x, float* y, int stride);
cudaError_t copy_bytes(const Shape&, const uint8_t* x, uint8_t* y, int n);
cudaError_t bits_and_numbers(const Shape&, unsigned* u, float* f);
cudaError_t last_block_sum(const Shape&, const float* x, float* partial, unsigned* ticket, float* y);
cudaError_t warp_exchange(const Shape&, int* out);  // shared memory and __syncwarp

// sgemm.cu: C = A B, n x n
cudaError_t naive_sgemm(const Shape&, const float* a, const float* b, float* c, int n);
cudaError_t tiled_sgemm(const Shape&, const float* a, const float* b, float* c, int n);

// of reverse_dynamic's kernel
cudaError_t occupancy(int* blocks, int threads, size_t shared);
cudaError_t best_block(int* grid, int* block);

}  // namespace lily::testing
