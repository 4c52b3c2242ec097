// SPDX-License-Identifier: MIT
// Runs the registry of ops on one device: a line per op, and an exit status that is 0 only if all of them are
// right. For machines without the sources, or on the first day with a GPU.
#include <CLI/CLI.hpp>
#include <chrono>
#include <cstring>
#include <map>

#include "framework/autograd.h"
#include "framework/device_choice.h"
#include "framework/error.h"
#include "tests/framework/check_edges.h"
#include "tests/framework/check_op.h"
#if __has_include("simt/simt.h")
#include "simt/simt.h"
#define LILY_SCHEDULES 1
#else
#define LILY_SCHEDULES 0
#endif

namespace lily::testing {
namespace {

struct Result {
    int cases = 0, failed = 0;
    double seconds = 0;
    std::string first_fault;  // "gram (2,3,4,5): …"
};

// "gram (2,3,4,5)" and "gram by hand" are cases of gram.
std::string op_of(const std::string& name) { return name.substr(0, name.find_first_of(" ,(")); }

std::string check_case(const OpCase& c, Device device) {
    if (device != Device::cpu) return check_on_device(c, device);
    const std::string wrong = check_f64(c);
    return wrong.empty() ? check_f32(c) : wrong;
}

// Adds to its op's line. `check` says what is wrong, or nothing.
void run_case(const std::string& name, const std::function<std::string()>& check,
              std::map<std::string, Result>& ops) {
    Result& result = ops[op_of(name)];
    const auto start = std::chrono::steady_clock::now();
    std::string wrong;
    try {
        wrong = check();
    } catch (const std::exception& error) {
        wrong = fmt::format("threw: {}", error.what());
    }
    result.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    ++result.cases;
    if (!wrong.empty() && ++result.failed == 1) result.first_fault = name + ": " + wrong;
}

// The case in as many orders of threads and blocks: every bit has to be the same.
std::string check_schedules(const OpCase& c, Device device, int schedules) {
#if LILY_SCHEDULES
    const Tensors wanted = results_on_device(c, device);
    std::string wrong;
    for (int seed = 1; seed < schedules && wrong.empty(); ++seed) {
        simt::set_schedule(static_cast<uint64_t>(seed));
        const Tensors got = results_on_device(c, device);
        for (size_t i = 0; i < wanted.size() && wrong.empty(); ++i) {
            if (!wanted[i].defined() || wanted[i].dtype() != DType::f32) continue;
            const float *a = wanted[i].data<float>(), *b = got[i].data<float>();
            const auto n = static_cast<size_t>(wanted[i].numel());
            for (size_t at = 0; at < n && wrong.empty(); ++at)
                if (std::memcmp(a + at, b + at, sizeof(float)) != 0)
                    wrong = fmt::format(
                        "depends on the order of threads: {} {} is {:.9g} in order, {:.9g} with "
                        "LILY_SIMT_SCHEDULE={}",
                        i == 0 ? "element" : fmt::format("gradient {}, element", i - 1), at, a[at], b[at],
                        seed);
        }
    }
    simt::set_schedule(0);
    return wrong;
#else
    (void)c, (void)device, (void)schedules;
    fail("this build has no software GPU");
#endif
}

// y = x² with the gradient of 3x: to see that a failure is one.
OpCase wrong_case() {
    return {.name = "wrong softmax", .shapes = {{5}}, .op = [](const Tensors& x) {
                return record("wrong", square(x[0].detach()), {x[0]},
                              [](const Backward& g) { return Gradients{g.dy * 3.0}; });
            }};
}

int run(const std::string& wanted, const std::string& filter, int schedules) {
    const DeviceChoice chosen = choose_device(wanted);
    fmt::print("{}\n", chosen.reason);
    std::map<std::string, Result> ops;
    for (const OpCase& c : all_op_cases()) {
        if (c.name.find(filter) == std::string::npos) continue;
        if (c.uses_f64 && chosen.device != Device::cpu) continue;  // GPUs have f32
        run_case(
            c.name,
            [&] {
                const std::string wrong = check_case(c, chosen.device);
                return wrong.empty() && schedules > 1 ? check_schedules(c, chosen.device, schedules) : wrong;
            },
            ops);
    }
    for (const EdgeCase& c : all_edge_cases())
        if (c.name.find(filter) != std::string::npos)
            run_case(
                c.name, [&] { return check_edge(c, chosen.device); }, ops);
    int cases = 0, failed = 0;
    for (const auto& [op, result] : ops) {
        cases += result.cases;
        failed += result.failed;
        fmt::print("{} {:<24} {:>3} cases {:8.2f} s{}{}\n", result.failed ? "FAIL" : "ok  ", op, result.cases,
                   result.seconds, result.failed ? fmt::format("  {} failed; ", result.failed) : "",
                   result.first_fault);
    }
    fmt::print("{} ops, {} cases on {}: {} failed\n", ops.size(), cases, name(chosen.device), failed);
    if (cases == 0) fail("no case has '{}' in its name", filter);
    return failed == 0 ? 0 : 1;
}

}  // namespace
}  // namespace lily::testing

int main(int argc, char** argv) {
    CLI::App app{
        "Checks every operation on a device: values, gradients, gradients of gradients, against f64 loops "
        "and the CPU.",
        "lily_op_tests"};
    std::string device = "auto", filter;
    app.add_option("--device", device, "where: a GPU, the software GPU, the CPU")
        ->option_text("auto|cuda|simt|cpu [auto]")
        ->check(CLI::IsMember({"auto", "cpu", "simt", "cuda"}));
    bool with_a_wrong_op = false;
    app.add_flag("--with-a-wrong-op", with_a_wrong_op, "also one that has to fail: a test of this program");
    app.add_option("--filter", filter, "only the cases with WORD in their names")->option_text("WORD");
    int schedules = 1;
    app.add_option("--schedules", schedules,
                   "on the software GPU: in N orders of threads and blocks, bit-equal")
        ->option_text("N [1]")
        ->check(CLI::Range(1, 1000));
    CLI11_PARSE(app, argc, argv);
    try {
        if (with_a_wrong_op) lily::testing::all_op_cases().push_back(lily::testing::wrong_case());
        return lily::testing::run(device, filter, schedules);
    } catch (const std::exception& error) {
        fmt::print(stderr, "lily_op_tests: {}\n", error.what());
        return 1;
    }
}
