// SPDX-License-Identifier: MIT
#include "framework/ops/pool2d.h"

#include "framework/autograd.h"
#include "framework/ops/data_or_null.h"
#include "kernels/pool2d/pool2d.h"

namespace lily {
namespace {

using kernels::Pool2dShape;

// What a pooling does to an x of this shape and format.
struct Pooling {
    Pool2dShape s;
    Shape x_shape, y_shape;
    TensorOptions options;  // of x, y and both gradients
    bool count_padding = true;
};

Pooling pooling(const char* op, const Shape& x, const TensorOptions& options, Pool2dSize kernel,
                Pool2dSize stride, Pool2dSize padding) {
    check(x.rank() == 4, "[{}] expected (N,C,H,W), got {}", op, x);
    check(is_floating(options.dtype), "[{}] expected a tensor of f32 or f64, got {}", op,
          name(options.dtype));
    Pooling p{{}, x, x, options};
    p.s.lanes = options.format == MemoryFormat::channels_last ? x[1] : channel_block(options.format);
    p.s.planes = p.s.lanes == 0 ? 0 : x[0] * x[1] / p.s.lanes;
    p.s.h = x[2];
    p.s.w = x[3];
    p.s.kernel = kernel.size;
    p.s.padding = padding.size;
    for (size_t axis = 0; axis < 2; ++axis) {
        p.s.stride[axis] = stride.size[axis] == 0 ? kernel.size[axis] : stride.size[axis];
        check(kernel.size[axis] >= 1, "[{}] expected kernel >= 1, got ({})", op, fmt::join(kernel.size, ","));
        check(p.s.stride[axis] >= 1, "[{}] expected stride >= 0, got ({})", op, fmt::join(stride.size, ","));
        check(padding.size[axis] >= 0 && 2 * padding.size[axis] <= kernel.size[axis],
              "[{}] expected 0 <= padding <= kernel/2, got padding ({}) and kernel ({})", op,
              fmt::join(padding.size, ","), fmt::join(kernel.size, ","));
    }
    check(x[2] > 0 && x[3] > 0, "[{}] expected maps that are not empty, got {}", op, x);
    p.y_shape[2] = p.s.out_h();
    p.y_shape[3] = p.s.out_w();
    check(p.s.out_h() > 0 && p.s.out_w() > 0,
          "[{}] a kernel of {}x{} does not fit into x {} with padding ({})", op, kernel.size[0],
          kernel.size[1], x, fmt::join(padding.size, ","));
    return p;
}

// call(kernels, T{}) for the pooling's dtype, unless there is nothing to pool.
template <class Call>
Tensor run(const Pooling& p, const Shape& shape, const Call& call) {
    Tensor result = empty(shape, p.options);
    if (p.x_shape.numel() == 0) return result;
    visit_floating("pool2d", p.options.dtype,
                   [&](auto zero) { call(kernels::pool2d<decltype(zero)>(p.options.device), zero, result); });
    return result;
}

Tensor in_format(const Pooling& p, const Tensor& x) {
    const NoGrad no_grad;
    return x.to(p.options.format);
}

Tensor max_gather(const Pooling& p, const Tensor& index, const Tensor& x);

// The transpose of max_gather: dx = dy where the maxima were, else 0.
Tensor max_scatter(const Pooling& p, const Tensor& index, const Tensor& dy) {
    const Tensor from = in_format(p, dy);
    const Tensor dx = run(p, p.x_shape, [&](const auto& kernel, auto zero, Tensor& result) {
        using T = decltype(zero);
        kernel.max_scatter(dy.queue(), p.s, from.data<T>(), index.data<uint8_t>(), result.mutable_data<T>());
    });
    return record("max_pool2d_backward", dx, {dy},
                  [p, index](const Backward& g) { return Gradients{max_gather(p, index, g.dy)}; });
}

// y = x at the places of the maxima.
Tensor max_gather(const Pooling& p, const Tensor& index, const Tensor& x) {
    const Tensor from = in_format(p, x);
    const Tensor y = run(p, p.y_shape, [&](const auto& kernel, auto zero, Tensor& result) {
        using T = decltype(zero);
        kernel.max_gather(x.queue(), p.s, from.data<T>(), index.data<uint8_t>(), result.mutable_data<T>());
    });
    return record("max_pool2d_gather", y, {x},
                  [p, index](const Backward& g) { return Gradients{max_scatter(p, index, g.dy)}; });
}

Tensor mean_backward(const Pooling& p, const Tensor& dy);

Tensor mean(const Pooling& p, const Tensor& x) {
    const Tensor from = in_format(p, x);
    const Tensor y = run(p, p.y_shape, [&](const auto& kernel, auto zero, Tensor& result) {
        using T = decltype(zero);
        kernel.mean(x.queue(), p.s, p.count_padding, from.data<T>(), result.mutable_data<T>());
    });
    return record("avg_pool2d", y, {x},
                  [p](const Backward& g) { return Gradients{mean_backward(p, g.dy)}; });  // y = A x
}

Tensor mean_backward(const Pooling& p, const Tensor& dy) {
    const Tensor from = in_format(p, dy);
    const Tensor dx = run(p, p.x_shape, [&](const auto& kernel, auto zero, Tensor& result) {
        using T = decltype(zero);
        kernel.mean_backward(dy.queue(), p.s, p.count_padding, from.data<T>(), result.mutable_data<T>());
    });
    return record("avg_pool2d_backward", dx, {dy},
                  [p](const Backward& g) { return Gradients{mean(p, g.dy)}; });  // dx = Aᵀ dy
}

}  // namespace

Tensor max_pool2d(const Tensor& x, Pool2dSize kernel, Pool2dSize stride, Pool2dSize padding) {
    const Pooling p = pooling("max_pool2d", x.shape(), x.options(), kernel, stride, padding);
    check(kernel.size[0] * kernel.size[1] <= kernels::kMaxPoolTaps,
          "[max_pool2d] expected a kernel of at most {} positions, got {}x{}", kernels::kMaxPoolTaps,
          kernel.size[0], kernel.size[1]);
    Tensor index;  // one byte per output, in y's order; only if there will be a gradient
    if (grad_enabled() && x.requires_grad())
        index = empty({p.y_shape.numel()}, {.dtype = DType::u8, .device = x.device()});
    const Tensor y = run(p, p.y_shape, [&](const auto& kernel_table, auto zero, Tensor& result) {
        using T = decltype(zero);
        kernel_table.max(x.queue(), p.s, x.data<T>(), result.mutable_data<T>(),
                         mutable_or_null<uint8_t>(index));
    });
    return record("max_pool2d", y, {x}, [p, index](const Backward& g) {  // y = x[index]
        return Gradients{max_scatter(p, index, g.dy)};
    });
}

Tensor max_pool2d_backward(const Tensor& dy, const Tensor& index, const Shape& x_shape, Pool2dSize kernel,
                           Pool2dSize stride, Pool2dSize padding) {
    const char* op = "max_pool2d_backward";
    const Pooling p = pooling(op, x_shape, dy.options(), kernel, stride, padding);
    check(dy.shape() == p.y_shape, "[{}] x {} is pooled to {}, got dy {}", op, x_shape, p.y_shape,
          dy.shape());
    check(index.dtype() == DType::u8 && index.numel() == dy.numel(),
          "[{}] expected an index of {} u8, got {} of {}", op, dy.numel(), index.numel(),
          name(index.dtype()));
    return max_scatter(p, index, dy);
}

Tensor avg_pool2d(const Tensor& x, Pool2dSize kernel, Pool2dSize stride, Pool2dSize padding,
                  bool count_include_pad) {
    Pooling p = pooling("avg_pool2d", x.shape(), x.options(), kernel, stride, padding);
    p.count_padding = count_include_pad;
    return mean(p, x);
}

}  // namespace lily
