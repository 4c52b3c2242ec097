// SPDX-License-Identifier: MIT
// Ops where random inputs never come: at kinks, ties, infinities, NaN, subnormals and sums that cancel.
// Values and gradients are given, and are wanted from every device, in f32 and f64, by the fused backward
// function and the recorded one.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/ops.h"

namespace lily::testing {

// Numbers and how they lie; without a shape a vector.
struct EdgeInput {
    std::vector<double> values;
    Shape shape = {static_cast<int64_t>(values.size())};
};

struct EdgeCase {
    std::string name;  // the op comes first: "log at a subnormal number"
    std::vector<EdgeInput> inputs;
    std::function<Tensor(const std::vector<Tensor>&)> op;
    std::vector<double> want;                         // y, row-major; NaN wants NaN
    std::vector<std::vector<double>> gradients = {};  // of the first inputs; an empty one is not looked at
    std::vector<double> dy = {};                      // one number is for all; none: 1
    double tolerance = 0;                             // relative to the largest finite value wanted
};

std::vector<EdgeCase>& all_edge_cases();
struct AddEdges {
    explicit AddEdges(std::vector<EdgeCase> cases);
};

// What an op gives for a case on a device: y, and by one of the two backward functions the inputs' gradients.
struct EdgeResult {
    std::vector<double> y;
    std::vector<std::vector<double>> gradients;
};
EdgeResult run_edge(const EdgeCase& c, DType dtype, Device device, bool recorded);

// "" or what is wrong: f32, on the CPU f64 too, fused and recorded.
std::string check_edge(const EdgeCase& c, Device device);

}  // namespace lily::testing
