// SPDX-License-Identifier: MIT
#pragma once

#include <functional>
#include <utility>

#include "framework/nn/module_list.h"

namespace lily::nn {

// One module after the other; their names are "0", "1", ...
class Sequential final : public ModuleList<> {
  public:
    Tensor forward(const Tensor& x) override {
        Tensor y = x;
        for (Module* module : *this) y = module->forward(y);
        return y;
    }
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
