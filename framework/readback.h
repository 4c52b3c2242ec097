// SPDX-License-Identifier: MIT
#pragma once

#include <memory>
#include <vector>

#include "framework/tensor.h"

namespace lily {

// A few numbers on their way from a device to the host. The copy is asked for when this is made; who wants
// the values waits for it, and for nothing that was asked of the device since: looked at a step later they
// are there.
class Readback {
  public:
    static constexpr int64_t kMost = 64;

    Readback() = default;
    explicit Readback(const Tensor& x);  // f32, at most kMost elements
    const std::vector<float>& values() const;

  private:
    struct State;
    std::shared_ptr<State> state_;
};

}  // namespace lily
