// SPDX-License-Identifier: MIT
// races.cu: kernels whose blocks or warps race, each with a twin that does not. What stands behind a comma is
// the fault.
#pragma once

#include "tests/simt/kernels.h"

namespace lily::testing {

enum class Fence { none, block, device };

// y[i] += x[i + 1]; in place where x = y: over the edge of a block the neighbour may be new already
cudaError_t neighbour_sum(const Shape&, const float* x, float* y, int n);
// y = x, then z = y backwards: by one kernel with a barrier of the block, or the two parts
enum class Part { both, first, second };
cudaError_t copy_and_reverse(const Shape&, const float* x, float* y, float* z, Part part);
// y[0] = max of x: exchanged with the larger of the two, or by compare-and-swap
cudaError_t exchange_max(const Shape&, const float* x, float* y, bool exchange);
// The last block adds up what the others have written: it knows that it is the last by a ticket, or by its
// number
cudaError_t last_block_adds(const Shape&, float* partial, unsigned* ticket, float* y, Fence fence,
                            bool take_ticket);
// The same, each thread of a block with a part: a barrier before the ticket, and who fences
cudaError_t last_block_adds_all(const Shape&, float* partial, unsigned* ticket, float* y, bool barrier,
                                bool all_fence);
// Block 0 writes data and raises a flag, block 1 waits for it. How the flag is raised and seen:
enum class Flag { is_volatile, exchange, exchange_in_block, ref, ref_relaxed, ref_in_block };
cudaError_t message(const Shape&, float* data, unsigned* flag, float* y, Flag how, Fence fence,
                    bool fence_after);
// Block 0 to block 1 to block 2: what was acquired is handed on
cudaError_t relay(const Shape&, float* data, unsigned* flags, float* y, bool fence);
cudaError_t same_value(const Shape&, int* y, bool atomic);  // all blocks set y[0] = 7
cudaError_t count_in_block(const Shape&, unsigned* y);      // atomicAdd_block
// Thread t writes byte t of shared or global memory; then thread 2 reads the byte of thread 0
cudaError_t bytes(const Shape&, unsigned char* x, unsigned char* y, bool barrier, bool shared);
cudaError_t many_barriers(const Shape&, int* y, int rounds, bool last_barrier);
cudaError_t volatile_reduction(const Shape&, const float* x, float* y,
                               bool sync);  // of a warp, in shared memory
// all blocks read x[0] into z; the last one sets y[0]
cudaError_t write_after_read(const Shape&, const float* x, float* y, float* z);
cudaError_t arrivals(const Shape&, unsigned* count, int* y);  // y[k] = the thread that took ticket k
cudaError_t divergent_counts(const Shape&, const float* x, float* y,
                             int n);  // clean: rows of different lengths

}  // namespace lily::testing
