// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <utility>

#include "framework/nn/module.h"

namespace lily::nn {

// One module after the other; their names are "0", "1", ...
class Sequential final : public Module {
  public:
    // net.add<Conv2d>(3, 64, 3, generator); returns the new module.
    template <class M, class... Args>
    M& add(Args&&... args) {
        M& module = register_module(std::to_string(modules_.size()),
                                    std::make_unique<M>(std::forward<Args>(args)...));
        modules_.push_back(&module);
        return module;
    }

    Tensor forward(const Tensor& x) override {
        Tensor y = x;
        for (Module* module : modules_) y = module->forward(y);
        return y;
    }

    size_t size() const { return modules_.size(); }
    Module& operator[](size_t i) { return *modules_.at(i); }

  private:
    std::vector<Module*> modules_;
};

// A function without parameters as a module: net.add<Function>(relu).
class Function final : public Module {
  public:
    explicit Function(std::function<Tensor(const Tensor&)> function) : function_(std::move(function)) {}
    Tensor forward(const Tensor& x) override { return function_(x); }

  private:
    std::function<Tensor(const Tensor&)> function_;
};

}  // namespace lily::nn
