// SPDX-License-Identifier: MIT
#include "tests/framework/check_op.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <optional>
#include <random>

#include "framework/autograd.h"

namespace lily::testing {
namespace {

constexpr double kStep = 1e-5;  // of central differences in f64
constexpr double kDifferenceTolerance = 2e-6;

// Elements per input whose difference quotient is computed; each costs two evaluations of the op.
int64_t probes(int64_t n) { return n > 2000 ? 4 : 32; }

class Poisoned {
  public:
    explicit Poisoned(Device device = Device::cpu) : device_(device) { set(true); }
    ~Poisoned() { set(false); }
    Poisoned(const Poisoned&) = delete;
    Poisoned& operator=(const Poisoned&) = delete;

  private:
    void set(bool on) {
        allocator(Device::cpu).poison(on);
        if (device_ != Device::cpu) allocator(device_).poison(on);
    }
    Device device_;
};

uint32_t seed_of(const OpCase& c) {
    return std::accumulate(c.name.begin(), c.name.end(), 17u,
                           [](uint32_t h, char ch) { return h * 31u + static_cast<uint8_t>(ch); });
}

std::vector<double> draw(std::mt19937& random, int64_t n, Domain domain, double scale, double shift = 0) {
    std::normal_distribution<double> normal;
    std::vector<double> values(static_cast<size_t>(n));
    for (double& v : values) v = normal(random);
    if (n > 8) values[static_cast<size_t>(n / 2)] *= 4;  // an outlier: not all results may look alike
    for (double& v : values) {
        if (domain == Domain::positive) v = 0.2 + std::fabs(v);
        if (domain == Domain::away_from_zero) v += std::copysign(0.2, v);
    }
    if (domain == Domain::distinct) {
        std::vector<double> ladder(values.size());
        for (size_t i = 0; i < ladder.size(); ++i)
            ladder[i] = 0.02 * (static_cast<double>(i) - static_cast<double>(n) / 2 + 0.3);
        std::shuffle(ladder.begin(), ladder.end(), random);
        values = ladder;
    }
    for (double& v : values) v = static_cast<float>(v * scale + shift);
    return values;
}

// For a tensor like y.
Tensor upstream(const Tensor& y, uint32_t seed) {
    std::mt19937 random(seed);
    return from_vector(draw(random, y.numel(), Domain::any, 1), y.shape()).to(y.dtype()).to(y.device());
}

Tensors leaves(const Tensors& values) {
    Tensors result;
    for (const Tensor& v : values) result.push_back(v.clone().set_requires_grad());
    return result;
}

// Σ y·r for fixed random r: a scalar whose gradient reaches every element of y.
Tensor loss_of(const OpCase& c, const Tensors& xs) {
    const Tensor y = c.op(xs);
    return sum(y * upstream(y, seed_of(c) + 1));
}

// Σ y·r + ½ y²: here dL/dy depends on x, so that the backward of a linear op is differentiated as well, and
// it has y's memory format.
Tensor curved_loss_of(const OpCase& c, const Tensors& xs) {
    const Tensor y = c.op(xs);
    return sum(y * (upstream(y, seed_of(c) + 1).to(y.format()) + 0.5 * y));
}

Tensors gradients_of(const OpCase& c, const Tensors& xs, bool create_graph,
                     Tensor (*loss_function)(const OpCase&, const Tensors&) = loss_of) {
    const Tensor loss = loss_function(c, xs);
    if (!loss.requires_grad()) return {};
    Tensors gradients = grad(loss, xs, {.create_graph = create_graph, .allow_unused = true});
    for (size_t i = 0; i < xs.size(); ++i)
        if (!gradients[i].defined()) gradients[i] = zeros_like(xs[i]);
    return gradients;
}

// dF/dx[i] by (F(x+h) - F(x-h)) / 2h for some elements of each input, against `analytic`.
std::string against_differences(const Tensors& at, const Tensors& analytic,
                                const std::function<double(const Tensors&)>& f) {
    for (size_t input = 0; input < at.size(); ++input) {
        const auto gradient = analytic[input].to_vector<double>();
        double largest = 0;
        for (const double g : gradient) largest = std::max(largest, std::fabs(g));
        const int64_t n = at[input].numel(), stride = std::max<int64_t>(1, n / probes(n));
        for (int64_t i = 0; i < n; i += stride) {
            const auto shifted = [&](double h) {
                Tensors xs = at;
                auto values = at[input].to_vector<double>();
                values[static_cast<size_t>(i)] += h;
                xs[input] = from_vector(values, at[input].shape());
                return f(xs);
            };
            const double quotient = (shifted(kStep) - shifted(-kStep)) / (2 * kStep);
            const double got = gradient[static_cast<size_t>(i)];
            if (!(std::fabs(got - quotient) <= kDifferenceTolerance * (1 + largest + std::fabs(quotient))))
                return fmt::format("input {}, element {}: gradient {:.9g}, central difference {:.9g}", input,
                                   i, got, quotient);
        }
    }
    return "";
}

std::string compare_all(const char* what, const Tensors& got, const Tensors& want, double tolerance,
                        double least = 1e-3) {
    for (size_t i = 0; i < got.size(); ++i) {
        const std::string wrong = difference(got[i], want[i], tolerance, least);
        if (!wrong.empty()) return fmt::format("{}, input {}: {}", what, i, wrong);
    }
    return "";
}

// F(x) = Σ_i <dL/dx_i, v_i> of the curved loss, itself a function of x; undefined where dL/dx is empty.
Tensor directional(const OpCase& c, const Tensors& xs, const Tensors& gradients) {
    Tensor total;
    for (size_t i = 0; i < gradients.size(); ++i) {
        const Tensor part = sum(gradients[i] * upstream(xs[i], seed_of(c) + 2 + static_cast<uint32_t>(i)));
        total = total.defined() ? total + part : part;
    }
    return total;
}

// What is compared between dtypes, formats and devices. Without y empty where there is no gradient.
struct Results {
    Tensor y;
    Tensors fused;   // dL/dx of Σ y·r
    Tensors curved;  // dL/dx of the curved loss, by backward functions that can be differentiated
    Tensors second;  // dF/dx
};

Results results_of(const OpCase& c, const Tensors& xs) {
    Results r{c.op(xs).detach(), gradients_of(c, xs, false), gradients_of(c, xs, true, curved_loss_of), {}};
    const Tensor f = directional(c, xs, r.curved);
    if (!f.defined()) return r;
    for (const Tensor& x : xs) r.second.push_back(zeros_like(x));
    if (f.requires_grad()) {
        const Tensors found = grad(f, xs, {.allow_unused = true});
        for (size_t i = 0; i < xs.size(); ++i)
            if (found[i].defined()) r.second[i] = found[i];
    }
    for (Tensor& gradient : r.curved) gradient = gradient.detach();
    return r;
}

// In f64 on the CPU, the oracle of all others. Those of registered cases are kept.
Results oracle(const OpCase& c) {
    const auto compute = [&] { return results_of(c, leaves(make_inputs(c, DType::f64))); };
    static std::vector<std::optional<Results>> kept(all_op_cases().size());
    const std::less<const OpCase*> before;
    const OpCase* const first = all_op_cases().data();
    if (before(&c, first) || !before(&c, first + kept.size())) return compute();
    std::optional<Results>& entry = kept[static_cast<size_t>(&c - first)];
    if (!entry) entry = compute();
    return *entry;
}

std::string compare(const OpCase& c, const Tensors& xs, const Results& want) {
    const Results got = results_of(c, xs);
    std::string wrong = difference(got.y, want.y, c.tolerance);
    if (!wrong.empty()) return "values: " + wrong;
    wrong = compare_all("gradient", got.fused, want.fused, 4 * c.tolerance);
    if (wrong.empty())  // dL/dy = r + y is of size 1, and may cancel
        wrong = compare_all("gradient of a curved loss", gradients_of(c, xs, false, curved_loss_of),
                            want.curved, 4 * c.tolerance, 1e-2);
    if (wrong.empty())
        wrong =
            compare_all("composed gradient of a curved loss", got.curved, want.curved, 4 * c.tolerance, 1e-2);
    if (wrong.empty())
        wrong = compare_all("gradient of gradient", got.second, want.second, 16 * c.tolerance, 1e-2);
    return wrong;
}

// The case with inputs of rank 4 in a format, as far as their channels fill its blocks: the first alone, or
// all. No value where that is no new case.
std::optional<OpCase> in_format(const OpCase& c, MemoryFormat format, bool all) {
    std::vector<bool> converted(c.shapes.size());
    for (size_t i = 0; i < (all ? converted.size() : 1); ++i)
        converted[i] = c.shapes[i].rank() == 4 && c.shapes[i][1] % channel_block(format) == 0;
    const auto count = std::count(converted.begin(), converted.end(), true);
    if (count == 0 || (all && count == 1 && converted[0])) return std::nullopt;
    OpCase result = c;
    result.op = [op = c.op, converted, format](const Tensors& xs) {
        Tensors inputs = xs;
        for (size_t i = 0; i < xs.size(); ++i)
            if (converted[i]) inputs[i] = xs[i].to(format);
        return op(inputs);
    };
    return result;
}

}  // namespace

std::vector<OpCase>& all_op_cases() {
    static std::vector<OpCase> cases;
    return cases;
}

AddCases::AddCases(std::vector<OpCase> cases) {
    auto& all = all_op_cases();
    all.insert(all.end(), cases.begin(), cases.end());
}

std::vector<OpCase> pointwise_cases(const std::string& name, const std::function<Tensor(const Tensor&)>& f,
                                    Domain domain, double scale) {
    std::vector<OpCase> cases;
    for (const Shape& shape : {Shape{}, Shape{1}, Shape{31}, Shape{32}, Shape{33}, Shape{1023}, Shape{0},
                               Shape{3, 0, 2}, Shape{5, 7}, Shape{2, 16, 3, 5}, Shape{17000}})
        cases.push_back({.name = fmt::format("{} {}", name, shape),
                         .shapes = {shape},
                         .op = [f](const Tensors& x) { return f(x[0]); },
                         .domain = domain,
                         .scale = scale,
                         .formats = shape.rank() == 4});
    return cases;
}

Tensors make_inputs(const OpCase& c, DType dtype, Device device) {
    std::mt19937 random(seed_of(c));
    Tensors inputs;
    for (const Shape& shape : c.shapes) {
        const double shift = c.domain == Domain::distinct ? 0.007 * static_cast<double>(inputs.size()) : 0;
        const Tensor values = from_vector(draw(random, shape.numel(), c.domain, c.scale, shift), shape);
        inputs.push_back(values.to(dtype).to(device));
    }
    return inputs;
}

std::string difference(const Tensor& got, const Tensor& want, double tolerance, double least) {
    if (got.shape() != want.shape()) return fmt::format("shape {} instead of {}", got.shape(), want.shape());
    const auto g = got.to_vector<double>(), w = want.to_vector<double>();
    double largest = 0, worst = 0;
    for (const double v : w)
        if (std::isfinite(v)) largest = std::max(largest, std::fabs(v));
    const double allowed = tolerance * std::max(largest, least);
    size_t where = g.size();
    for (size_t i = 0; i < g.size(); ++i) {
        if (g[i] == w[i]) continue;  // also equal infinities
        const double error = std::fabs(g[i] - w[i]);
        if (!(error <= allowed) && (where == g.size() || !(error <= worst))) worst = error, where = i;
    }
    if (where == g.size()) return "";
    return fmt::format("element {}: {:.9g} instead of {:.9g} (largest {:.3g}, allowed error {:.3g})", where,
                       g[where], w[where], largest, allowed);
}

std::string check_f64(const OpCase& c) {
    const Poisoned poisoned;
    const Results at = oracle(c);
    if (c.reference) {
        const std::string wrong = difference(at.y, c.reference(make_inputs(c, DType::f64)), 1e-12);
        if (!wrong.empty()) return "f64 against the reference: " + wrong;
    }
    if (at.fused.empty()) return "";
    const Tensors x = leaves(make_inputs(c, DType::f64));
    std::string wrong = compare_all("f64 composed against fused", gradients_of(c, x, true), at.fused, 1e-11);
    if (wrong.empty())
        wrong = compare_all("f64 fused against composed, of a curved loss",
                            gradients_of(c, x, false, curved_loss_of), at.curved, 1e-11);
    if (!wrong.empty() || !c.differences) return wrong;
    const Tensors inputs = make_inputs(c, DType::f64);
    wrong = against_differences(inputs, at.fused,
                                [&](const Tensors& xs) { return loss_of(c, xs).item<double>(); });
    if (!wrong.empty()) return "f64: " + wrong;
    wrong = against_differences(inputs, at.second, [&](const Tensors& values) {
        const Tensors xs = leaves(values);
        return directional(c, xs, gradients_of(c, xs, false, curved_loss_of)).item<double>();
    });
    return wrong.empty() ? "" : "f64, gradient of gradient: " + wrong;
}

std::string check_f32(const OpCase& c) {
    const Poisoned poisoned;
    const Results want = oracle(c);
    const auto inputs = [&] { return leaves(make_inputs(c, DType::f32)); };
    std::string wrong = compare(c, inputs(), want);
    if (!wrong.empty()) return "f32 against f64: " + wrong;
    for (const MemoryFormat format :
         {MemoryFormat::channels_last, MemoryFormat::blocked8, MemoryFormat::blocked16})
        for (const bool all : {false, true})
            if (const auto formatted = c.formats ? in_format(c, format, all) : std::nullopt) {
                wrong = compare(*formatted, inputs(), want);
                if (!wrong.empty())
                    return fmt::format("f32, {}{}, against f64: {}", name(format), all ? " all inputs" : "",
                                       wrong);
            }
    return "";
}

std::string check_on_device(const OpCase& c, Device device) {
    if (c.uses_f64) return "";
    const Poisoned poisoned(device);
    const Tensors x = leaves(make_inputs(c, DType::f32, device));
    const Tensor y = c.op(x);
    if (y.device() != device) return fmt::format("the result is on {}", name(y.device()));
    std::string wrong = difference(y, c.op(make_inputs(c, DType::f32)), 2 * c.tolerance);
    if (!wrong.empty()) return "against the CPU: " + wrong;
    wrong = compare(c, x, oracle(c));
    return wrong.empty() ? "" : "against the f64 loops: " + wrong;
}

Tensors results_on_device(const OpCase& c, Device device) {
    const Tensors x = leaves(make_inputs(c, DType::f32, device));
    Tensors results{c.op(x)};
    for (const Tensor& gradient : gradients_of(c, x, false)) results.push_back(gradient);
    for (Tensor& result : results)
        if (result.defined()) result = result.detach().to(Device::cpu).contiguous();
    return results;
}

void run_to_third_order(const OpCase& c) {
    const Tensors xs = leaves(make_inputs(c, DType::f64));
    Tensor total;
    for (const Tensor& gradient : gradients_of(c, xs, true, curved_loss_of))
        total = total.defined() ? total + sum(square(gradient)) : sum(square(gradient));
    if (total.defined() && total.requires_grad())
        grad(total, xs, {.create_graph = true, .allow_unused = true});
}

}  // namespace lily::testing
