// SPDX-License-Identifier: MIT
#pragma once

#include <set>
#include <string>

#include "framework/io/tensors.h"

namespace lily::optim {

// Reads a state dict entry by entry: each must be there, of the right shape and dtype; finish() complains
// about entries that nobody asked for.
class StateReader {
  public:
    StateReader(const char* reader, const StateDict& state) : reader_(reader), state_(state) {}

    bool has(const std::string& name) const { return state_.contains(name); }
    Tensor tensor(const std::string& name, const Tensor& like);  // a copy, laid out like `like`
    double number(const std::string& name);                      // f64, rank 0
    int64_t integer(const std::string& name);                    // i64, rank 0
    std::vector<double> numbers(const std::string& name);        // f64, rank 1
    std::vector<int64_t> integers(const std::string& name);      // i64, rank 1
    void finish() const;

  private:
    const Tensor& at(const std::string& name, DType dtype);

    const char* reader_;
    const StateDict& state_;
    std::set<std::string> read_;
};

}  // namespace lily::optim
