// SPDX-License-Identifier: MIT
// docs/kinks.md: our gradients at kinks, ties, poles, infinities and NaN, and PyTorch's
// (tests/golden/kinks.json).
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>

#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_edges.h"
#include "tests/framework/check_op.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

using Op = std::function<Tensor(const Tensors&)>;

constexpr const char* kDocs = LILY_SOURCE_DIR "/docs/kinks.md";

Tensor one_weight(const Tensor& like, const Shape& shape) { return ones(shape, like.options()); }
Tensor weighted(const Tensor& y) {  // 1, 2, …
    const Tensor weights = reshape(arange(y.numel()) + 1.0, y.shape());
    return y * weights.to(y.dtype()).to(y.device());
}

// Those that are not the registry's case of the same name and one number.
const std::map<std::string, Op>& special_ops() {
    using V = const Tensors&;
    static const std::map<std::string, Op> all{
        {"pow(x, 0)", [](V x) { return pow(x[0], 0); }},
        {"pow(x, 0.5)", [](V x) { return pow(x[0], 0.5); }},
        {"pow(x, 1)", [](V x) { return pow(x[0], 1); }},
        {"pow(x, -1)", [](V x) { return pow(x[0], -1); }},
        {"clamp(x, -1, 1)", [](V x) { return clamp(x[0], -1, 1); }},
        {"x / 0", [](V x) { return x[0] / 0.0; }},
        {"leaky_relu(x, 0.25)", [](V x) { return leaky_relu(x[0], 0.25); }},
        {"linear_relu",
         [](V x) {
             return linear_relu(x[0], one_weight(x[0], {1, 1}));
         }},
        {"linear_leaky_relu, slope 0.25",
         [](V x) {
             return linear_leaky_relu(x[0], one_weight(x[0], {1, 1}), {}, 0.25);
         }},
        {"linear_tanh",
         [](V x) {
             return linear_tanh(x[0], one_weight(x[0], {1, 1}));
         }},
        {"conv2d_relu",
         [](V x) {
             return conv2d_relu(x[0], one_weight(x[0], {1, 1, 1, 1}), {});
         }},
        {"conv2d_relu_max_pool2d",
         [](V x) {
             return conv2d_relu_max_pool2d(x[0], one_weight(x[0], {1, 1, 1, 1}), {});
         }},
        {"maximum", [](V x) { return maximum(x[0], x[1]); }},
        {"minimum", [](V x) { return minimum(x[0], x[1]); }},
        {"div", [](V x) { return div(x[0], x[1]); }},
        {"amax", [](V x) { return amax(x[0], {0}); }},
        {"max_pool2d",
         [](V x) {
             return max_pool2d(x[0], {1, 3});
         }},
        {"softmax, gradient 1, 2, 3 from above", [](V x) { return weighted(softmax(x[0], 0)); }},
        {"log_softmax, gradient 1, 2, 3 from above", [](V x) { return weighted(log_softmax(x[0], 0)); }},
        {"total_variation", [](V x) { return total_variation(x[0]); }},
        {"binary_cross_entropy_with_logits",
         [](V x) { return binary_cross_entropy_with_logits(x[0], x[1]); }},
        {"mse_loss", [](V x) { return mse_loss(x[0], x[1]); }},
        {"instance_norm, eps 0.01, gradient 1, 2 from above",
         [](V x) { return weighted(instance_norm(x[0], 0.01)); }},
        {"instance_norm, eps 0, gradient 1, 2 from above",
         [](V x) { return weighted(instance_norm(x[0], 0)); }},
        {"batch_norm, eps 0.01, gradient 1, 2 from above",
         [](V x) { return weighted(batch_norm(x[0], {}, {}, {}, {}, {.training = true, .eps = 0.01})); }},
        {"batch_norm with statistics 0, 0.25",
         [](V x) {
             const TensorOptions o = x[0].options();
             return batch_norm(x[0], zeros({1}, o), full({1}, 0.25, o), {}, {}, {.eps = 1e-30});
         }},
    };
    return all;
}

Op op_named(const std::string& name) {
    if (special_ops().contains(name)) return special_ops().at(name);
    for (const OpCase& c : all_op_cases())
        if (c.name == name + " (1)") return c.op;
    fail("[kinks] neither a registered case '{} (1)' nor a special one", name);
}

double number(const nlohmann::json& value) {
    return value.is_string() ? std::strtod(value.get<std::string>().c_str(), nullptr) : value.get<double>();
}
std::vector<double> numbers(const nlohmann::json& list) {
    std::vector<double> values;
    for (const auto& value : list) values.push_back(number(value));
    return values;
}

// "0.5, 0.5; inf": a gradient per input
std::string text(const std::vector<std::vector<double>>& gradients) {
    std::string all;
    for (const auto& gradient : gradients) {
        all += all.empty() ? "" : "; ";
        for (size_t i = 0; i < gradient.size(); ++i)
            all += fmt::format("{}{}", i == 0 ? "" : ", ",
                               std::isnan(gradient[i]) ? "NaN" : fmt::format("{:.4g}", gradient[i] + 0.0));
    }
    return all;
}

EdgeCase edge_case(const nlohmann::json& c) {
    EdgeCase edge{
        .name = fmt::format("{} at {}", c.at("op").get<std::string>(), c.at("where").get<std::string>()),
        .inputs = {},
        .op = op_named(c.at("op").get<std::string>()),
        .want = {}};
    for (const auto& input : c.at("inputs"))
        edge.inputs.push_back(
            {numbers(input.at("values")), Shape(input.at("shape").get<std::vector<int64_t>>())});
    return edge;
}

// What all devices, both dtypes and both backward functions agree on; else each with its name.
std::string our_gradient(const EdgeCase& edge) {
    std::map<std::string, std::string> found;
    for (const Device device : devices())
        for (const DType dtype : {DType::f32, DType::f64})
            for (const bool recorded : {false, true}) {
                if (dtype == DType::f64 && device != Device::cpu) continue;
                found[text(run_edge(edge, dtype, device, recorded).gradients)] +=
                    fmt::format("{} {} {}, ", name(device), name(dtype), recorded ? "recorded" : "fused");
            }
    if (found.size() == 1) return found.begin()->first;
    std::string all = "differs:";
    for (const auto& [gradient, where] : found) all += fmt::format(" {} ({})", gradient, where);
    return all;
}

std::vector<std::string> table_rows(const std::vector<std::string>& lines) {
    std::vector<std::string> rows;
    for (const std::string& line : lines)
        if (line.starts_with("| ")) rows.push_back(line);
    return rows;
}

}  // namespace

// With LILY_WRITE_DOCS=1 in the environment the table is written instead.
TEST_CASE("docs/kinks.md has our gradients at kinks, the same for all devices, beside PyTorch's",
          "[ops][edges][kinks][simt]") {
    std::ifstream golden(LILY_SOURCE_DIR "/tests/golden/kinks.json");
    const nlohmann::json file = nlohmann::json::parse(golden);
    std::vector<std::string> rows{
        fmt::format("| op | where | ours | PyTorch {} |", file.at("torch").get<std::string>())};
    for (const auto& c : file.at("cases")) {
        const EdgeCase edge = edge_case(c);
        std::vector<std::vector<double>> theirs;
        for (const auto& gradient : c.at("gradients")) theirs.push_back(numbers(gradient));
        rows.push_back(fmt::format("| {} | {} | {} | {} |", c.at("op").get<std::string>(),
                                   c.at("where").get<std::string>(), our_gradient(edge), text(theirs)));
    }
    std::ifstream page(kDocs);
    std::vector<std::string> lines;
    for (std::string line; std::getline(page, line);) lines.push_back(line);
    if (std::getenv("LILY_WRITE_DOCS")) {
        std::ofstream out(kDocs);
        for (const std::string& line : lines)
            if (!line.starts_with("|")) out << line << "\n";
        out << rows[0] << "\n|---|---|---|---|\n";
        for (size_t i = 1; i < rows.size(); ++i) out << rows[i] << "\n";
        return;
    }
    CHECK(table_rows(lines) == rows);
}

// The kernels that take a ReLU's gradient along, against relu's own: loops, few channels, Winograd, GPUs.
TEST_CASE("conv2d_relu: where its y is NaN, both backward functions let the gradient through",
          "[ops][conv2d][simt]") {
    for (const Device device : devices())
        for (const DType dtype : {DType::f32, DType::f64})
            for (const int64_t channels : {3, 32}) {
                if (dtype == DType::f64 && device != Device::cpu) continue;
                INFO(lily::name(device) << ", " << lily::name(dtype) << ", " << channels << " channels");
                const TensorOptions options{.dtype = dtype, .device = device};
                const Tensor x = full({1, channels, 12, 12}, std::nan(""), options).set_requires_grad();
                const Tensor weight = full({32, channels, 3, 3}, 0.25, options);
                for (const bool pooled : {false, true}) {
                    const Tensor y = pooled ? conv2d_relu_max_pool2d(x, weight, {}, {.padding = {1, 1}})
                                            : conv2d_relu(x, weight, {}, {.padding = {1, 1}});
                    if (!std::isnan(y.to_vector()[0])) continue;  // a library's ReLU has made 0 of it
                    const auto gradient = [&](bool recorded) {
                        return grad(y, {x},
                                    {.dL_dy = ones(y.shape(), y.options()),
                                     .retain_graph = true,
                                     .create_graph = recorded})[0];
                    };
                    CHECK(difference(gradient(false), gradient(true), 1e-5) == "");
                    // each of 6x6 windows gives 1 to one z, or each z has it, and each has up to 9 x per
                    // channel
                    CHECK(amax(gradient(false), {}).item<double>() >= 0.25 * 32);
                }
            }
}

}  // namespace lily::testing
