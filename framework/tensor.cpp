// SPDX-License-Identifier: MIT
#include "framework/tensor.h"

#include <algorithm>

#include "framework/autograd.h"
#include "framework/capture.h"
#include "framework/grad_bucket.h"
#include "kernels/copy/convert.h"
#include "kernels/copy/copy.h"
#include "kernels/copy/number.h"
#include "kernels/elementwise/elementwise.h"

namespace lily {

std::string_view name(MemoryFormat format) {
    switch (format) {
        case MemoryFormat::contiguous:
            return "contiguous";
        case MemoryFormat::channels_last:
            return "channels_last";
        case MemoryFormat::blocked8:
            return "blocked8";
        case MemoryFormat::blocked16:
            return "blocked16";
    }
    return "unknown";
}

Shape broadcast_shapes(const char* op, const Shape& a, const Shape& b) {
    Shape result = a.rank() >= b.rank() ? a : b;
    const Shape& shorter = a.rank() >= b.rank() ? b : a;
    const int64_t offset = result.rank() - shorter.rank();
    for (int64_t i = 0; i < shorter.rank(); ++i) {
        int64_t& size = result[offset + i];
        const int64_t other = shorter[i];
        check(size == other || size == 1 || other == 1, "[{}] shapes {} and {} do not broadcast", op, a, b);
        if (size == 1) size = other;
    }
    return result;
}

Tensor::Tensor(Shape shape, TensorOptions options, std::shared_ptr<Storage> storage)
    : impl_(std::make_shared<Impl>(Impl{std::move(shape), 0, options, std::move(storage), nullptr})) {
    int64_t numel = 1;
    for (const int64_t size : impl_->shape) {
        check(size >= 0, "[tensor] negative size in shape {}", impl_->shape);
        check(!__builtin_mul_overflow(numel, size, &numel), "[tensor] shape {} has too many elements",
              impl_->shape);
    }
    impl_->numel = numel;
    check(nbytes() <= impl_->storage->bytes(), "[tensor] shape {} needs {} bytes, the storage has {}",
          impl_->shape, nbytes(), impl_->storage->bytes());
    if (options.format == MemoryFormat::contiguous) return;
    check(impl_->shape.rank() == 4, "[tensor] format {} expects (N,C,H,W), got {}", name(options.format),
          impl_->shape);
    check(impl_->shape[1] % channel_block(options.format) == 0,
          "[tensor] format {} expects a multiple of {} channels, got {}", name(options.format),
          channel_block(options.format), impl_->shape);
}

template <class T>
T Tensor::item() const {
    check(numel() == 1, "[item] expected a tensor of one element, got {}", shape());
    refuse_in_capture_on(device(), "copy", kReadsBack);
    if (device() != Device::cpu) return detach().to(Device::cpu).item<T>();
    return visit_any(dtype(), [&](auto zero) { return kernels::number<T>(*data<decltype(zero)>()); });
}
template float Tensor::item<float>() const;
template double Tensor::item<double>() const;
template int64_t Tensor::item<int64_t>() const;
template uint8_t Tensor::item<uint8_t>() const;

template <class T>
std::vector<T> Tensor::to_vector() const {
    refuse_in_capture_on(device(), "copy", kReadsBack);
    const NoGrad no_grad;
    const Tensor row_major = to(Device::cpu).contiguous();
    std::vector<T> values(static_cast<size_t>(numel()));
    visit_any(dtype(), [&](auto zero) {
        const auto* from = row_major.data<decltype(zero)>();
        std::transform(from, from + numel(), values.begin(), [](auto v) { return kernels::number<T>(v); });
    });
    return values;
}
template std::vector<float> Tensor::to_vector<float>() const;
template std::vector<double> Tensor::to_vector<double>() const;
template std::vector<int64_t> Tensor::to_vector<int64_t>() const;
template std::vector<uint8_t> Tensor::to_vector<uint8_t>() const;

namespace {

// The values in another dtype, in the same order.
Tensor converted(const Tensor& x, DType wanted) {
    TensorOptions result = x.options();
    result.dtype = wanted;
    Tensor y = empty(x.shape(), result);
    visit_any(x.dtype(), [&](auto from) {
        visit_any(wanted, [&](auto to) {
            using From = decltype(from);
            using To = decltype(to);
            if constexpr (!std::is_same_v<From, To>)
                kernels::convert<From, To>(x.device())
                    .run(x.queue(), x.numel(), x.data<From>(), y.mutable_data<To>());
        });
    });
    return y;
}

// Blocked maps are the CPU's.
bool fits(MemoryFormat format, Device device) { return device == Device::cpu || channel_block(format) == 1; }

}  // namespace

Tensor Tensor::to(DType wanted) const {
    if (wanted == dtype()) return *this;
    Tensor y = converted(*this, wanted);
    if (!is_floating(dtype()) || !is_floating(wanted)) return y;
    return record("to_dtype", y, {*this},
                  [from = dtype()](const Backward& g) { return Gradients{g.dy.to(from)}; });
}

Tensor Tensor::to(Device wanted) const {
    if (wanted == device()) return *this;
    const std::string problem = device_problem(wanted);
    check(problem.empty(), "[to] {}", problem);
    const Tensor source = [&] {
        const NoGrad no_grad;
        return fits(format(), wanted) ? *this : contiguous();
    }();
    TensorOptions result = source.options();
    result.device = wanted;
    Tensor y = empty(shape(), result);
    if (rank() == 0 && device() == Device::cpu)  // as a kernel's argument: no copy, and a captured step may
        visit_any(dtype(), [&](auto zero) {
            using T = decltype(zero);
            kernels::copy<T>(wanted).fill(y.queue(), 1, *data<T>(), y.mutable_data<T>());
        });
    else
        copy_bytes(wanted, y.storage()->data(), device(), source.storage()->data(), nbytes());
    return record("to_device", y, {*this},
                  [from = device()](const Backward& g) { return Gradients{g.dy.to(from)}; });
}

Tensor& Tensor::to_(Device wanted) {
    check(is_leaf(), "[to_] only leaves can be moved in place");
    if (wanted == device()) return *this;
    check(!grad_slot() || !grad_slot()->place.defined(),
          "[to_] the gradient of a tensor {} lives in a GradBucket on {}; move the tensor first", shape(),
          name(device()));
    const NoGrad no_grad;
    const Tensor there = detach().to(wanted);
    const Tensor gradient = grad().defined() ? grad().to(wanted) : Tensor{};
    impl().storage = there.storage();
    impl().options = there.options();
    if (!grad_slot()) return *this;
    grad_slot()->device = wanted;
    grad_slot()->grad = gradient;
    return *this;
}

Tensor Tensor::to(MemoryFormat wanted) const {
    if (wanted == format()) return *this;
    check(fits(wanted, device()), "[to] {} is a format of the CPU, the tensor is on {}", name(wanted),
          name(device()));
    TensorOptions result = options();
    result.format = wanted;
    const bool same_order = rank() == 4 && (size(1) == 1 || size(2) * size(3) == 1);
    Tensor y = same_order ? Tensor(shape(), result, storage()) : empty(shape(), result);
    const auto layout = [](MemoryFormat f) {
        return f == MemoryFormat::channels_last ? kernels::kChannelsLast : channel_block(f);
    };
    if (!same_order)
        visit_any(dtype(), [&](auto zero) {
            using T = decltype(zero);
            const kernels::PlanesShape s{size(0), size(1), size(2) * size(3)};
            kernels::copy<T>(device()).reorder(queue(), s, layout(format()), layout(wanted), data<T>(),
                                               y.mutable_data<T>());
        });
    return record("to_format", y, {*this},
                  [from = format()](const Backward& g) { return Gradients{g.dy.to(from)}; });
}

Tensor Tensor::clone() const {
    Tensor y = empty(shape(), options());
    copy_bytes(device(), y.storage()->data(), device(), storage()->data(), nbytes());
    return record("clone", y, {*this}, [](const Backward& g) { return Gradients{g.dy}; });
}

Tensor& Tensor::copy_(const Tensor& source) {
    check(source.shape() == shape(), "[copy_] expected shape {}, got {}", shape(), source.shape());
    check(is_leaf(), "[copy_] only leaves can be changed in place");
    const NoGrad no_grad;
    Tensor same = source.to(dtype());
    // What lies as it is to lie is copied straight; a scalar of the CPU is a kernel's argument (see to()).
    if (same.format() != format() || same.rank() == 0) same = same.to(device()).to(format());
    storage()->bump_version();
    copy_bytes(device(), storage()->data(), same.device(), same.storage()->data(), nbytes());
    return *this;
}

Tensor& Tensor::fill_(double value) {
    check(is_leaf(), "[fill_] only leaves can be changed in place");
    visit_any(dtype(), [&](auto zero) {
        using T = decltype(zero);
        kernels::copy<T>(device()).fill(queue(), numel(), kernels::number<T>(value), mutable_data<T>());
    });
    return *this;
}

bool Tensor::requires_grad() const { return grad_slot() && grad_slot()->requires_grad; }
bool Tensor::is_leaf() const { return !grad_slot() || !grad_slot()->node; }

Tensor& Tensor::set_requires_grad(bool value) {
    check(is_leaf(), "[set_requires_grad] only a leaf can require a gradient: detach() it first");
    check(!value || is_floating(dtype()), "[set_requires_grad] a tensor of {} has no gradient",
          name(dtype()));
    if (!grad_slot()) set_grad_slot(std::make_shared<GradSlot>());
    grad_slot()->requires_grad = value;
    grad_slot()->shape = shape();
    grad_slot()->device = device();
    grad_slot()->leaf = impl_;
    return *this;
}

Tensor Tensor::of_leaf(const GradSlot& slot) {
    Tensor leaf;
    leaf.impl_ = std::static_pointer_cast<Impl>(slot.leaf.lock());
    return leaf;
}

Tensor Tensor::grad() const { return grad_slot() ? grad_slot()->grad : Tensor{}; }

void Tensor::set_grad(Tensor gradient) {
    check(!gradient.defined() || gradient.shape() == shape(), "[set_grad] expected shape {}, got {}", shape(),
          gradient.defined() ? gradient.shape() : Shape{});
    if (gradient.defined()) {
        check(gradient.dtype() == dtype(),
              "[set_grad] the gradient is {}, the tensor {}; convert it with to()", name(gradient.dtype()),
              name(dtype()));
        check_same_device("set_grad", *this, gradient);
    }
    if (!grad_slot()) set_grad_slot(std::make_shared<GradSlot>());
    if (gradient.defined() && grad_slot()->place.defined()) return put_in_place(*grad_slot(), gradient);
    grad_slot()->grad = std::move(gradient);
}

Tensor Tensor::detach() const { return Tensor(shape(), options(), storage()); }

void check_same_device(const char* op, const Tensor& a, const Tensor& b) {
    check(a.device() == b.device(), "[{}] expected tensors on one device, got {} and {}; move one with to()",
          op, name(a.device()), name(b.device()));
}

Tensor empty(const Shape& shape, TensorOptions options) {
    int64_t bytes = static_cast<int64_t>(size_of(options.dtype));
    for (const int64_t size : shape)
        check(size >= 0 && !__builtin_mul_overflow(bytes, size, &bytes),
              "[empty] shape {} is negative or too large", shape);
    return Tensor(shape, options, std::make_shared<Storage>(options.device, static_cast<size_t>(bytes)));
}
Tensor empty_like(const Tensor& other) { return empty(other.shape(), other.options()); }

Tensor full(const Shape& shape, double value, TensorOptions options) {
    return empty(shape, options).fill_(value);
}
Tensor zeros(const Shape& shape, TensorOptions options) { return full(shape, 0, options); }
Tensor zeros_like(const Tensor& other) { return zeros(other.shape(), other.options()); }
Tensor ones(const Shape& shape, TensorOptions options) { return full(shape, 1, options); }
Tensor ones_like(const Tensor& other) { return ones(other.shape(), other.options()); }
Tensor scalar(double value, TensorOptions options) { return full({}, value, options); }

Tensor arange(int64_t count, TensorOptions options) {
    refuse_in_capture_on(options.device, "copy", kCopiesFromHost);
    Tensor y = empty({count}, {.dtype = options.dtype});
    visit_any(options.dtype, [&](auto zero) {
        using T = decltype(zero);
        T* data = y.mutable_data<T>();
        for (int64_t i = 0; i < count; ++i) data[i] = static_cast<T>(i);
    });
    return y.to(options.device);
}

Tensor flat_piece(const Tensor& flat, int64_t first, const Shape& shape, MemoryFormat format) {
    check(flat.rank() == 1, "[flat_piece] expected a vector, got {}", flat.shape());
    check(first >= 0 && shape.numel() <= flat.numel() - first,
          "[flat_piece] a tensor {} at element {} does not fit into {}", shape, first, flat.numel());
    const size_t item = size_of(flat.dtype());
    return Tensor(shape, {flat.dtype(), flat.device(), format},
                  std::make_shared<Storage>(flat.storage(), static_cast<size_t>(first) * item,
                                            static_cast<size_t>(shape.numel()) * item));
}

template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape) {
    check(static_cast<int64_t>(values.size()) == shape.numel(), "[from_vector] {} values for shape {}",
          values.size(), shape);
    if (shape.rank() > 0) refuse_in_capture_on(Device::cpu, "copy", kCopiesFromHost);  // as on a GPU
    Tensor y = empty(shape, {.dtype = dtype_of<T>()});
    std::copy(values.begin(), values.end(), y.mutable_data<T>());
    return y;
}
template Tensor from_vector(const std::vector<float>&, const Shape&);
template Tensor from_vector(const std::vector<double>&, const Shape&);
template Tensor from_vector(const std::vector<int64_t>&, const Shape&);
template Tensor from_vector(const std::vector<uint8_t>&, const Shape&);

}  // namespace lily

auto fmt::formatter<lily::Shape>::format(const lily::Shape& shape, fmt::format_context& context) const
    -> fmt::format_context::iterator {
    return fmt::format_to(context.out(), "({})", fmt::join(shape.dims(), ","));
}
