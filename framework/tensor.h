// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <vector>

#include "framework/device.h"
#include "framework/dtype.h"
#include "framework/shape.h"
#include "framework/storage.h"

namespace lily {

// How the elements of a rank-4 tensor (N,C,H,W) lie in memory. `blocked8/16` keep 8 or 16 channels of a
// position side by side, (N, C/16, H, W, 16), as vector convolution wants them; only for C a multiple of the
// block, so there is no padding.
enum class MemoryFormat : uint8_t { contiguous, channels_last, blocked8, blocked16 };

std::string_view name(MemoryFormat format);
constexpr int64_t channel_block(MemoryFormat format) {
    return format == MemoryFormat::blocked16 ? 16 : format == MemoryFormat::blocked8 ? 8 : 1;
}

struct TensorOptions {
    DType dtype = DType::f32;
    Device device = Device::cpu;
    MemoryFormat format = MemoryFormat::contiguous;
    bool operator==(const TensorOptions&) const = default;
};

class Tensor;
struct GradSlot;  // a tensor's place in the graph of gradients: framework/autograd.h

struct BackwardOptions {
    bool retain_graph = false;
    bool create_graph = false;  // record the backward pass too, so that gradients can be differentiated
    // Called, on this thread, with each leaf as soon as its .grad() is final, while the pass still runs: the
    // parameters that were used last come first. Once per leaf and pass, however often the leaf was used;
    // not at all for a leaf that the roots do not reach, or of which no handle is left. What it throws ends
    // the pass: the leaves announced by then have their gradients, the others do not.
    std::function<void(const Tensor& leaf)> on_gradient_ready = {};
};

// An n-dimensional array: a cheap handle to shared memory, with value semantics like a Python variable.
// Always dense, without strided views: reshape, detach and what changes nothing share memory, the rest is
// new. Copying the handle copies no data.
class Tensor {
  public:
    Tensor() = default;  // undefined: "no tensor here"
    Tensor(Shape shape, TensorOptions options, std::shared_ptr<Storage> storage);

    bool defined() const { return impl_ != nullptr; }
    const Shape& shape() const { return impl().shape; }
    int64_t rank() const { return shape().rank(); }
    int64_t size(int64_t dim) const { return shape()[wrap_dim("size", dim, rank())]; }
    int64_t numel() const { return impl().numel; }
    DType dtype() const { return impl().options.dtype; }
    Device device() const { return impl().options.device; }
    MemoryFormat format() const { return impl().options.format; }
    TensorOptions options() const { return impl().options; }
    size_t nbytes() const { return static_cast<size_t>(numel()) * size_of(dtype()); }
    const std::shared_ptr<Storage>& storage() const { return impl().storage; }
    Queue& queue() const { return default_queue(device()); }

    // The elements in memory order; T must be the dtype. mutable_data counts as a change in place.
    template <class T>
    const T* data() const {
        check_dtype(dtype_of<T>());
        return static_cast<const T*>(storage()->data());
    }
    template <class T>
    T* mutable_data() {
        check_dtype(dtype_of<T>());
        storage()->bump_version();
        return static_cast<T*>(storage()->data());
    }

    template <class T = float>
    T item() const;  // the one element of a tensor of one element, converted to T
    template <class T = float>
    std::vector<T> to_vector() const;  // row-major copy on the host

    Tensor to(DType dtype) const;
    Tensor to(Device device) const;  // blocked formats become contiguous on a GPU
    Tensor to(MemoryFormat format) const;
    Tensor contiguous() const { return to(MemoryFormat::contiguous); }
    Tensor clone() const;  // differentiable copy

    // In place, outside of the graph (parameters under an optimiser, buffers).
    Tensor& copy_(const Tensor& source);
    Tensor& fill_(double value);
    Tensor& to_(Device device);  // with its gradient; all handles of this tensor follow

    // Gradients: see framework/autograd.h.
    bool requires_grad() const;
    Tensor& set_requires_grad(bool value = true);
    bool is_leaf() const;
    Tensor grad() const;
    void set_grad(Tensor grad);  // into its place, if that is in a GradBucket
    Tensor detach() const;       // the same memory outside of the graph
    // Adds dL/dx to .grad() of every leaf x. Without dL_dy this tensor is L itself, one element. With it, of
    // the shape, dtype and device of this tensor, it is any y.
    void backward(const BackwardOptions& options = {}) const;
    void backward(const Tensor& dL_dy, const BackwardOptions& options = {}) const;

    // The commonest ops as methods; all others are functions of framework/ops.h.
    Tensor reshape(const Shape& shape) const;  // one size may be -1
    Tensor flatten(int64_t start_dim = 0, int64_t end_dim = -1) const;
    Tensor transpose(int64_t dim0, int64_t dim1) const;
    Tensor matmul(const Tensor& other) const;
    Tensor sum() const;
    Tensor mean() const;

    const std::shared_ptr<GradSlot>& grad_slot() const { return impl().slot; }
    void set_grad_slot(std::shared_ptr<GradSlot> slot) { impl().slot = std::move(slot); }
    bool is_same(const Tensor& other) const { return impl_ == other.impl_; }
    bool is_only_owner() const {
        return impl_.use_count() == 1 && storage().use_count() == 1 && storage()->owns_memory();
    }
    // The leaf of that slot; undefined if no handle of it is left.
    static Tensor of_leaf(const GradSlot& slot);

  private:
    struct Impl {
        Shape shape;
        int64_t numel;
        TensorOptions options;
        std::shared_ptr<Storage> storage;
        std::shared_ptr<GradSlot> slot;  // null: a constant
    };

    Impl& impl() const {
        check(impl_ != nullptr, "[tensor] an undefined tensor was used");
        return *impl_;
    }
    void check_dtype(DType asked) const {
        check(asked == dtype(), "[data] the tensor holds {}, {} was asked for", name(dtype()), name(asked));
    }

    std::shared_ptr<Impl> impl_;
};

// "[matmul] expected tensors on one device, got CPU and CUDA; move one with to()"
void check_same_device(const char* op, const Tensor& a, const Tensor& b);

// Factories. `empty` is uninitialised.
Tensor empty(const Shape& shape, TensorOptions options = {});
Tensor empty_like(const Tensor& other);
Tensor full(const Shape& shape, double value, TensorOptions options = {});
Tensor zeros(const Shape& shape, TensorOptions options = {});
Tensor zeros_like(const Tensor& other);
Tensor ones(const Shape& shape, TensorOptions options = {});
Tensor ones_like(const Tensor& other);
Tensor scalar(double value, TensorOptions options = {});   // rank 0
Tensor arange(int64_t count, TensorOptions options = {});  // 0, 1, … count-1
// The elements first, first + 1, … of a vector, as a tensor that shares their memory.
Tensor flat_piece(const Tensor& flat, int64_t first, const Shape& shape,
                  MemoryFormat format = MemoryFormat::contiguous);
// A copy of row-major values, of dtype T.
template <class T>
Tensor from_vector(const std::vector<T>& values, const Shape& shape);

}  // namespace lily
