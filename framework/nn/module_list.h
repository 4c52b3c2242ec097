// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "framework/nn/module.h"

namespace lily::nn {

// Modules of kind M by number, for a module that calls them in its own way; their names are "0", "1", ...
//     register_module("blocks", blocks_);
//     for (int i = 0; i < 12; ++i) blocks_.add(width, generator);
//     for (Block* block : blocks_) x = block->forward(x);
template <class M = Module>
class ModuleList : public Module {
  public:
    // A new module at the end, of a kind derived from M where that is named: add<Conv2d>(3, 64, 3,
    // generator).
    template <class Kind = M, class... Args>
    Kind& add(Args&&... args) {
        Kind& module =
            register_module(std::to_string(size()), std::make_unique<Kind>(std::forward<Args>(args)...));
        modules_.push_back(&module);
        return module;
    }

    size_t size() const { return modules_.size(); }
    M& operator[](size_t i) { return *modules_.at(i); }
    auto begin() const { return modules_.begin(); }
    auto end() const { return modules_.end(); }

  private:
    std::vector<M*> modules_;
};

}  // namespace lily::nn
