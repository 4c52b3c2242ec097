// SPDX-License-Identifier: MIT
// The proof of an op, from one line per case: values, gradients and gradients of gradients.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "framework/ops.h"

namespace lily::testing {

using Tensors = std::vector<Tensor>;

// Where an op's inputs are drawn from: away from its kinks and poles, so that central differences mean
// something.
enum class Domain { any, positive, away_from_zero, distinct };  // distinct: all values at least 0.01 apart

struct OpCase {
    std::string name;
    std::vector<Shape> shapes;
    std::function<Tensor(const Tensors&)> op;
    Domain domain = Domain::any;
    double scale = 1;         // typical size of the inputs
    double tolerance = 2e-5;  // f32 against f64, relative to the largest magnitude in the result
    bool uses_f64 = false;    // whatever the inputs are, and so runs on the CPU only
    bool formats = true;      // inputs of rank 4 are also tried in every other memory format
    bool differences = true;  // false: too slow for them, and other cases of the op prove its f64 gradient
    std::function<Tensor(const Tensors&)> reference =
        nullptr;  // the same function composed of other ops, compared in f64
};

// All cases of all ops. A test file adds its own with `const AddCases gram_cases{...}`.
std::vector<OpCase>& all_op_cases();
struct AddCases {
    explicit AddCases(std::vector<OpCase> cases);
};

// One case per standard shape (scalar, 1, 31, 32, 33, 1023, empty, rank 2 to 4) of an elementwise function.
std::vector<OpCase> pointwise_cases(const std::string& name, const std::function<Tensor(const Tensor&)>& f,
                                    Domain domain = Domain::any, double scale = 1);

// A case's result and first gradients in f32 on a device, on the CPU afterwards: what may not depend on a
// schedule.
Tensors results_on_device(const OpCase& c, Device device);

// Inputs of a case, the same for the same case: f64 values rounded to f32, with an outlier or two.
Tensors make_inputs(const OpCase& c, DType dtype, Device device = Device::cpu);

// Empty if |got - want| <= tolerance · max(|want|'s largest, least) everywhere; else what differs, where.
std::string difference(const Tensor& got, const Tensor& want, double tolerance, double least = 1e-3);

// Each returns "" or what is wrong. Fresh memory is poisoned with NaN while they run. The f64 results of a
// registered case are computed once and kept.

// f64 on the CPU: values = reference; gradients, and theirs, = central differences; fused = composed.
std::string check_f64(const OpCase& c);
// f32 = f64 on the CPU, in every memory format: values, both kinds of gradients, gradients of gradients.
std::string check_f32(const OpCase& c);
// f32 on a GPU = f64 on the CPU: the same.
std::string check_on_device(const OpCase& c, Device device);

// Records the op, its backward, and the backward of that.
void run_to_third_order(const OpCase& c);

}  // namespace lily::testing
