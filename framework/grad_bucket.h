// SPDX-License-Identifier: MIT
// Gradients of many leaves side by side in one vector, for those who send or reduce them together.
//
//     GradBucket bucket(model.parameters());
//     loss.backward({.on_gradient_ready = [&](const Tensor& leaf) { … }});
//     all_reduce(bucket.flat());
#pragma once

#include <vector>

#include "framework/tensor.h"

namespace lily {

struct GradSlot;

// While one lives, .grad() of its leaves is a piece of `flat`: backward() writes it there or adds to what is
// there, and set_grad() copies. A leaf still has no gradient before the first backward and after zero_grad(),
// which writes nothing. The pieces are dense, in the format of their leaves, and begin at multiples of 64
// bytes. A leaf in a bucket cannot be moved, nor be differentiated into by backward(create_graph).
class GradBucket {
  public:
    // Elements of a flat vector for these leaves.
    static int64_t size(const std::vector<Tensor>& leaves);

    // leaves: of one floating dtype and device, each in one bucket at most. flat: a vector of at least size()
    // elements of that dtype and device; undefined: a new one. Gradients that are there already move in.
    explicit GradBucket(std::vector<Tensor> leaves, Tensor flat = {});
    ~GradBucket();  // the gradients stay where they are
    GradBucket(GradBucket&&) = default;
    GradBucket& operator=(GradBucket&&) = delete;

    const std::vector<Tensor>& leaves() const { return leaves_; }
    // The whole vector, with zeros for leaves without a gradient and between the pieces.
    Tensor flat();
    // Gives each leaf its piece as gradient, if it had one or not: after a sum over processes, in another of
    // which it may have had one.
    void set_grads();

  private:
    std::vector<Tensor> leaves_;
    Tensor flat_;
};

// For Tensor and backward(): writes into, or adds to, the place of a leaf, and makes that its gradient.
void put_in_place(GradSlot& leaf, const Tensor& gradient);
void add_in_place(GradSlot& leaf, const Tensor& gradient);

}  // namespace lily
