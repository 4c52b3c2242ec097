// SPDX-License-Identifier: MIT
// Reverse-mode differentiation on a tape. Every differentiable op ends with `record(...)`, which hangs a Node
// with the op's backward function on the result. Backward functions are written with ops, so a gradient can
// be differentiated again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "framework/tensor.h"

namespace lily {

struct Node;

// A tensor's place in the graph. It holds no data of the tensor, so keeping the graph does not keep
// activations.
struct GradSlot {
    bool requires_grad = false;
    Shape shape;  // of a leaf, as is the device
    Device device = Device::cpu;
    std::weak_ptr<void> leaf;    // the tensor itself: Tensor::of_leaf
    Tensor grad;                 // filled by backward(), leaves only
    Tensor place;                // where grad lives if that is in a GradBucket
    std::shared_ptr<Node> node;  // what computed the tensor; null for a leaf
    ~GradSlot();
};

// What a backward function is given.
class Backward {
  public:
    Backward(Tensor dL_dy, const Node& node, const std::vector<bool>& needed,
             const std::vector<Tensor>& so_far)
        : dy(std::move(dL_dy)), node_(node), needed_(needed), so_far_(so_far) {}

    const Tensor dy;                                           // dL/dy, in the shape of the op's result
    bool needs(size_t input) const { return needed_[input]; }  // is dL/d(input) asked for?
    Tensor output() const;                                     // y itself; for ops recorded with keep_output
    // What other ops have given to dL/d(input) so far. An op may add to it in place and return it, instead of
    // a gradient of its own that has to be added. Undefined: there is none, or somebody else holds it too.
    Tensor sum_so_far(size_t input) const { return so_far_[input]; }

  private:
    const Node& node_;
    const std::vector<bool>& needed_;
    const std::vector<Tensor>& so_far_;
};

using Gradients = std::vector<Tensor>;  // one per input; undefined where not needed
using BackwardFunction = std::function<Gradients(const Backward&)>;
enum class KeepOutput : bool { no, yes };

// Connects the result of an op to its inputs: if one of them requires a gradient (and gradients are enabled),
// `backward` will be called with dL/dy. Returns y. An op whose gradient uses y itself asks for it with
// KeepOutput::yes instead of capturing it, which would be a cycle of ownership.
Tensor record(const char* op, Tensor y, const std::vector<Tensor>& inputs, BackwardFunction backward,
              KeepOutput keep = KeepOutput::no);

// A tensor captured by a backward function. Reading it throws if it was changed in place, or moved by to_,
// since the forward pass.
class Saved {
  public:
    Saved() = default;
    explicit Saved(const Tensor& tensor);
    const Tensor& operator()() const;

  private:
    Tensor tensor_;
    uint64_t version_ = 0;
};
// Saves the tensor only if the condition holds: activations whose gradient's use is not needed are not kept
// alive.
Saved saved_if(bool condition, const Tensor& tensor);

// Is the tape on? Inside a backward function: is the gradient going to be differentiated (create_graph)?
bool grad_enabled();

// While one lives, no op on this thread is recorded.
class NoGrad {
  public:
    NoGrad();
    ~NoGrad();
    NoGrad(const NoGrad&) = delete;
    NoGrad& operator=(const NoGrad&) = delete;

  private:
    bool before_;
};

// Adds dL/dx to .grad() of every leaf x, for L the sum of <dL_droot, root> over all roots, in one pass: what
// several losses have in common is passed once. An undefined dL_droot, or none at all: 1, for a root of one
// element. The roots may depend on each other.
void backward(const std::vector<Tensor>& roots, const std::vector<Tensor>& dL_droots = {},
              const BackwardOptions& options = {});

struct GradOptions {
    Tensor dL_dy = {};  // undefined: 1, for a y of one element
    bool retain_graph = false;
    bool create_graph = false;
    bool allow_unused = false;  // an x that y does not depend on: an undefined gradient instead of an error
};
// dL/dx for each x; accumulates nowhere.
std::vector<Tensor> grad(const Tensor& y, const std::vector<Tensor>& xs, const GradOptions& options = {});

// Names of all ops that were ever recorded in this process (the tests check that each is covered).
std::vector<std::string> recorded_ops();

}  // namespace lily
