// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/io/tensors.h"

namespace lily::optim {

// Computes the loss afresh: zero_grad(), forward, backward(); returns the loss.
using Closure = std::function<double()>;

// Changes parameters in place, by their gradients. Parameters without a gradient are left alone. A step that
// throws has changed nothing: neither parameters nor state.
class Optimizer {
  public:
    virtual ~Optimizer() = default;
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;

    const std::vector<Tensor>& parameters() const { return parameters_; }
    void zero_grad();  // gradients become undefined, not zero

    virtual void step() = 0;                      // with the gradients that are there
    virtual double step(const Closure& closure);  // returns the first loss that the closure computed

    double lr() const { return lr_; }
    void set_lr(double lr);

    // Everything that the next step depends on, except the parameters and the options other than lr:
    // saved and loaded, training goes on with the same bits. The tensors share memory with the optimiser.
    virtual StateDict state_dict() const = 0;
    // Copies; throws, and changes nothing, if `state` is not one of this optimiser with these parameters.
    virtual void load_state_dict(const StateDict& state) = 0;

  protected:
    Optimizer(const char* name, std::vector<Tensor> parameters, double lr);

    const char* name() const { return name_; }
    Tensor gradient(size_t i) const;  // of parameter i, in its memory format; undefined where there is none

  private:
    const char* name_;
    std::vector<Tensor> parameters_;
    double lr_;
};

}  // namespace lily::optim
