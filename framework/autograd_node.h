// SPDX-License-Identifier: MIT
// The tape from inside: for autograd.cpp, which records, and backward.cpp, which runs it.
#pragma once

#include <memory>
#include <vector>

#include "framework/autograd.h"
#include "framework/profiler.h"

namespace lily {

struct Node {
    const char* op;
    uint64_t order;  // inputs are always older than the node: descending order is a topological order
    std::vector<std::shared_ptr<GradSlot>> inputs;
    BackwardFunction backward;
    Shape output_shape;
    Saved output;                  // with KeepOutput: detached, so that there is no cycle
    std::weak_ptr<GradSlot> slot;  // of the output
    bool kept_output = false, released = false;
    std::shared_ptr<const OpShapes> shapes;  // for the profiler; null without one
};

// While one lives, ops on this thread are recorded, or are not.
class GradMode {
  public:
    explicit GradMode(bool on);
    ~GradMode();
    GradMode(const GradMode&) = delete;
    GradMode& operator=(const GradMode&) = delete;

  private:
    bool before_;
};

}  // namespace lily
