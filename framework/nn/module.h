// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/io/tensors.h"

namespace lily::nn {

// Parameters, buffers and other modules by name, and what is done to all of them. A module registers them in
// its constructor:
//     weight = register_parameter("weight", zeros({out, in}));
//     register_module("features", features_);
// Names and their order are PyTorch's: "features.0.weight".
class Module {
  public:
    using Named = std::vector<std::pair<std::string, Tensor>>;  // own ones first, then module by module

    virtual ~Module() = default;
    Module(const Module&) = delete;  // its members are registered by address
    Module& operator=(const Module&) = delete;

    // For modules of one input and one output; others have functions of their own.
    virtual Tensor forward(const Tensor& x);
    Tensor operator()(const Tensor& x) { return forward(x); }

    std::vector<Tensor> parameters() const;
    Named named_parameters() const;
    std::vector<Tensor> buffers() const;
    Named named_buffers() const;
    int64_t parameter_count() const;  // elements in all parameters

    std::vector<Module*> modules();  // this one, then module by module, each before those below it
    // f(module) for all of them, those below first; the way to begin with other weights.
    Module& apply(const std::function<void(Module&)>& f);

    // The tensors of the state dict share memory with the module.
    StateDict state_dict() const;
    struct Differences {
        std::vector<std::string> missing;     // names that the state does not have
        std::vector<std::string> unexpected;  // names that the module does not have
    };
    // Copies the values, to the module's dtypes. Throws, before anything is changed, if shapes differ or
    // (strict) names do, and lists them; not strict: returns the names.
    Differences load_state_dict(const StateDict& state, bool strict = true);

    void to(Device device);      // moves all parameters, gradients and buffers
    void train(bool on = true);  // of all modules below too
    void eval() { train(false); }
    bool is_training() const { return training_; }
    void requires_grad_(bool value = true);  // of all parameters; false freezes a network
    void zero_grad();                        // gradients become undefined, not zero

  protected:
    Module() = default;

    // The handle to keep as a member; it requires a gradient.
    Tensor register_parameter(const std::string& name, Tensor value);
    // State that is saved but has no gradient.
    Tensor register_buffer(const std::string& name, Tensor value);
    // A member of this module, or one that this module is to own.
    void register_module(const std::string& name, Module& module);
    template <class M>
    M& register_module(const std::string& name, std::unique_ptr<M> module) {
        M& reference = *module;
        register_module(name, static_cast<Module&>(reference));
        owned_.push_back(std::move(module));
        return reference;
    }

  private:
    struct Child {
        std::string name;
        Module* module;
    };
    template <class Visit>
    void visit(const std::string& prefix, const Visit& visit_module) const;
    void check_name(const std::string& name) const;

    Named parameters_, buffers_;
    std::vector<Child> children_;
    std::vector<std::unique_ptr<Module>> owned_;
    bool training_ = true;
};

}  // namespace lily::nn
