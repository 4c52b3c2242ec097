// SPDX-License-Identifier: MIT
#include "tests/framework/check_edges.h"

#include <algorithm>
#include <cmath>

#include "framework/autograd.h"

namespace lily::testing {
namespace {

// `want` is rounded to the dtype first.
std::string difference_at(const std::vector<double>& got, std::vector<double> want, DType dtype,
                          double tolerance) {
    if (got.size() != want.size()) return fmt::format("{} values instead of {}", got.size(), want.size());
    double largest = 0;
    for (double& v : want) {
        if (dtype == DType::f32) v = static_cast<float>(v);
        if (std::isfinite(v)) largest = std::max(largest, std::fabs(v));
    }
    for (size_t i = 0; i < got.size(); ++i) {
        if (got[i] == want[i] || (std::isnan(got[i]) && std::isnan(want[i]))) continue;
        if (!(std::fabs(got[i] - want[i]) <= tolerance * largest))
            return fmt::format("element {}: {:.9g} instead of {:.9g}", i, got[i], want[i]);
    }
    return "";
}

}  // namespace

std::vector<EdgeCase>& all_edge_cases() {
    static std::vector<EdgeCase> cases;
    return cases;
}

AddEdges::AddEdges(std::vector<EdgeCase> cases) {
    auto& all = all_edge_cases();
    all.insert(all.end(), cases.begin(), cases.end());
}

EdgeResult run_edge(const EdgeCase& c, DType dtype, Device device, bool recorded) {
    std::vector<Tensor> x;
    for (const EdgeInput& input : c.inputs)
        x.push_back(from_vector(input.values, input.shape).to(dtype).to(device).set_requires_grad());
    const Tensor y = c.op(x);
    EdgeResult result{y.to_vector<double>(), {}};
    if (!y.requires_grad()) return result;
    const Tensor dy =
        c.dy.size() <= 1 ? full(y.shape(), c.dy.empty() ? 1 : c.dy[0]) : from_vector(c.dy, y.shape());
    for (const Tensor& dx :
         grad(y, x, {.dL_dy = dy.to(dtype).to(device), .create_graph = recorded, .allow_unused = true}))
        result.gradients.push_back(dx.defined() ? dx.to_vector<double>() : std::vector<double>{});
    return result;
}

std::string check_edge(const EdgeCase& c, Device device) {
    for (const DType dtype : {DType::f32, DType::f64})
        for (const bool recorded : {false, true}) {
            if (dtype == DType::f64 && device != Device::cpu) continue;  // GPUs have f32
            const EdgeResult result = run_edge(c, dtype, device, recorded);
            std::string wrong = difference_at(result.y, c.want, dtype, c.tolerance);
            if (!wrong.empty()) return fmt::format("{}, {}", name(dtype), wrong);
            for (size_t i = 0; i < c.gradients.size(); ++i) {
                if (c.gradients[i].empty()) continue;
                if (i >= result.gradients.size()) return "there is no gradient";
                wrong = difference_at(result.gradients[i], c.gradients[i], dtype, c.tolerance);
                if (!wrong.empty())
                    return fmt::format("{}, {} gradient of input {}, {}", name(dtype),
                                       recorded ? "recorded" : "fused", i, wrong);
            }
        }
    return "";
}

}  // namespace lily::testing
