// SPDX-License-Identifier: MIT
#include "framework/ops/region.h"

#include "framework/autograd.h"
#include "framework/ops/blocked.h"
#include "kernels/copy/copy.h"

namespace lily {
namespace {

using kernels::StridedCopy;

// `small` has the region's sizes, `large` contains it; both are row-major. Returns where the region begins.
int64_t region_strides(const Region& region, const Shape& small, const Shape& large, StridedCopy& s,
                       std::array<int64_t, StridedCopy::kMaxRank>& small_stride,
                       std::array<int64_t, StridedCopy::kMaxRank>& large_stride) {
    check(small.rank() <= StridedCopy::kMaxRank, "[slice] at most {} dimensions, got {}",
          StridedCopy::kMaxRank, small);
    s.rank = static_cast<int>(small.rank());
    int64_t step = 1, large_step = 1, offset = 0;
    for (int d = s.rank - 1; d >= 0; --d) {
        const auto at = static_cast<size_t>(d);
        s.size[at] = small[d];
        small_stride[at] = step;
        large_stride[at] = large_step * region.step[at];
        offset += large_step * region.start[at];
        step *= small[d];
        large_step *= large[d];
    }
    return offset;
}

// The channel block in which a region of these sizes is made of whole blocks; 1: of elements.
int64_t block_of(const Region& region, const Shape& sizes, MemoryFormat format) {
    const int64_t block = channel_block(format);
    const bool whole =
        block > 1 && region.step[1] == 1 && region.start[1] % block == 0 && sizes[1] % block == 0;
    return whole ? block : 1;
}

// The same region of a map's memory (framework/ops/blocked.h).
Region in_memory(Region region, int64_t block) {
    if (block == 1) return region;
    region.start[1] /= block;
    region.start.push_back(0);
    region.step.push_back(1);
    return region;
}

}  // namespace

Region whole(const Shape& shape, int64_t dim, int64_t start, int64_t step) {
    const auto rank = static_cast<size_t>(shape.rank());
    Region region{std::vector<int64_t>(rank, 0), std::vector<int64_t>(rank, 1)};
    if (rank > 0) {
        region.start[static_cast<size_t>(dim)] = start;
        region.step[static_cast<size_t>(dim)] = step;
    }
    return region;
}

void copy_into_region(const Tensor& x, const Region& region, Tensor& y) {
    const NoGrad no_grad;
    const int64_t block = channel_block(y.format());
    const Tensor source = x.to(y.format());
    StridedCopy s;
    const int64_t offset = region_strides(in_memory(region, block), memory_shape(x.shape(), block),
                                          memory_shape(y), s, s.from_stride, s.to_stride);
    if (x.numel() == 0) return;
    visit_any(x.dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::copy<T>(x.device()).strided(x.queue(), s, source.data<T>(), y.mutable_data<T>() + offset);
    });
}

Tensor take_region(const Tensor& x, const Region& region, const Shape& shape) {
    const int64_t block = block_of(region, shape, x.format());
    const Tensor source = [&] {
        const NoGrad no_grad;
        return block > 1 ? x : x.contiguous();
    }();
    Tensor y = empty(shape, source.options());
    StridedCopy s;
    const int64_t offset = region_strides(in_memory(region, block), memory_shape(shape, block),
                                          memory_shape(source), s, s.to_stride, s.from_stride);
    if (y.numel() > 0)
        visit_any(x.dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::copy<T>(x.device())
                .strided(x.queue(), s, source.data<T>() + offset, y.mutable_data<T>());
        });
    return record("take_region", y, {x},
                  [region, from = x.shape()](const Backward& g) {  // y(k) = x(start + k·step)
                      return Gradients{put_region(g.dy, region, from, 0)};
                  });
}

Tensor put_region(const Tensor& x, const Region& region, const Shape& shape, double value) {
    TensorOptions options = x.options();
    if (block_of(region, x.shape(), x.format()) == 1 || shape[1] % channel_block(x.format()) != 0)
        options.format = MemoryFormat::contiguous;
    Tensor y = full(shape, value, options);
    copy_into_region(x, region, y);
    return record("put_region", y, {x},
                  [region, from = x.shape()](const Backward& g) {  // y(start + k·step) = x(k)
                      return Gradients{take_region(g.dy, region, from)};
                  });
}

}  // namespace lily
