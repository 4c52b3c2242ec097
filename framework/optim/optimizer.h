// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "framework/io/tensors.h"

namespace lily::optim {

class StateReader;

// Computes the loss afresh: zero_grad(), forward, backward(); returns the loss.
using Closure = std::function<double()>;

// Parameters with settings of their own.
struct ParamGroup {
    std::vector<Tensor> params;
    std::optional<double> lr = {}, weight_decay = {};  // default: those of the optimiser's options
    // The steps are lr · lr_multiplier, whoever sets lr: an equalised learning rate, a slower mapping
    // network.
    double lr_multiplier = 1;
};

// Changes parameters in place, by their gradients. Parameters without a gradient are left alone. A step that
// throws has changed nothing: neither parameters nor state.
class Optimizer {
  public:
    virtual ~Optimizer() = default;
    Optimizer(const Optimizer&) = delete;
    Optimizer& operator=(const Optimizer&) = delete;

    const std::vector<Tensor>& parameters() const { return parameters_; }  // group by group
    void zero_grad();  // gradients become undefined, not zero

    // Further parameters; those of the constructor are group 0. Before schedulers are made and states loaded.
    virtual void add_param_group(const ParamGroup& group);
    size_t group_count() const { return groups_.size(); }

    virtual void step() = 0;                      // with the gradients that are there
    virtual double step(const Closure& closure);  // returns the first loss that the closure computed

    double lr(size_t group = 0) const { return groups_.at(group).lr; }  // without its multiplier
    void set_lr(double lr);                                             // of all groups
    void set_lr(size_t group, double lr);
    // lr before the first scheduler changed it; makes it so now, if there was none.
    double initial_lr(size_t group);

    // Everything that the next step depends on, except the parameters and the options other than lr:
    // saved and loaded, training goes on with the same bits. The tensors share memory with the optimiser.
    virtual StateDict state_dict() const = 0;
    // Copies; throws, and changes nothing, if `state` is not one of this optimiser with these parameters.
    virtual void load_state_dict(const StateDict& state) = 0;

  protected:
    Optimizer(const char* name, const std::vector<Tensor>& parameters, double lr, double weight_decay = 0);
    struct Group {
        size_t begin, end;  // parameters
        double lr, lr_multiplier, weight_decay;
        std::optional<double> initial_lr = {};
        double rate() const { return lr * lr_multiplier; }
    };
    const std::vector<Group>& groups() const { return groups_; }
    const Group& group_of(size_t parameter) const;
    // Their lr as state: "lr" (groups), and with several "group_sizes", so that another split is refused.
    void put_lr(StateDict& state) const;
    std::vector<double> read_lr(StateReader& reader) const;
    void set_lr(const std::vector<double>& lr);  // a group each

    const char* name() const { return name_; }
    Tensor gradient(size_t i) const;  // of parameter i, in its memory format; undefined where there is none
    // A captured step writes a state where it is: new values go into the same memory; undefined: zeros.
    static void load_in_place(Tensor& state, const Tensor& loaded);

  private:
    const char* name_;
    std::vector<Tensor> parameters_;
    double default_lr_, default_weight_decay_;
    std::vector<Group> groups_;
};

}  // namespace lily::optim
