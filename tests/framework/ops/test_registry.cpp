// SPDX-License-Identifier: MIT
// Runs every check over every registered op case, and makes sure that no op is without a case.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>

#include "framework/autograd.h"
#include "tests/catch.h"
#include "tests/framework/check_edges.h"
#include "tests/framework/check_op.h"
#include "tests/kernels/buffer.h"

namespace lily::testing {
namespace {

template <class Case, class Check>
void run_all(const std::vector<Case>& cases, const Check& check_case) {
    REQUIRE(!cases.empty());
    for (const Case& c : cases) {
        std::string wrong;
        try {
            wrong = check_case(c);
        } catch (const std::exception& error) {
            wrong = fmt::format("threw: {}", error.what());
        }
        INFO(c.name << ": " << wrong);
        CHECK(wrong.empty());
    }
}

struct OpsInSources {
    std::set<std::string> names;
    int handed_on = 0;  // calls of record() whose name is a variable
};

// Wherever lines are broken: record("gram", …), and the first argument of functions that hand theirs on.
OpsInSources ops_in_sources() {
    OpsInSources found;
    const std::regex named(R"re(\b(record|unary|extremum|linear_op)\(\s*"(\w+)")re");
    const std::regex handed_on(R"re(\brecord\(\s*\w+,)re");
    for (const auto& file : std::filesystem::recursive_directory_iterator(LILY_SOURCE_DIR "/framework")) {
        if (file.path().extension() != ".cpp") continue;
        std::ifstream stream(file.path());
        const std::string text(std::istreambuf_iterator<char>(stream), {});
        const std::sregex_iterator end;
        for (std::sregex_iterator match(text.begin(), text.end(), named); match != end; ++match)
            found.names.insert((*match)[2]);
        found.handed_on +=
            static_cast<int>(std::distance(std::sregex_iterator(text.begin(), text.end(), handed_on), end));
    }
    return found;
}

}  // namespace

TEST_CASE("every op: gradients, and theirs, equal central differences in f64, fused equals composed",
          "[ops]") {
    run_all(all_op_cases(), check_f64);
}
TEST_CASE("every op: f32 in every memory format equals f64, gradients of gradients too", "[ops]") {
    run_all(all_op_cases(), check_f32);
}

// A GPU that this build or machine lacks has nothing to check.
TEST_CASE("every op on the software GPU", "[ops][simt]") {
    if (!is_available(Device::simt)) return;
    run_all(all_op_cases(), [](const OpCase& c) { return check_on_device(c, Device::simt); });
}
TEST_CASE("every op on the CUDA device", "[ops][cuda]") {
    if (!is_available(Device::cuda)) return;
    run_all(all_op_cases(), [](const OpCase& c) { return check_on_device(c, Device::cuda); });
}
TEST_CASE("every op's edge cases: fused and recorded, on every device", "[ops][edges][simt]") {
    for (const Device device : devices())
        run_all(all_edge_cases(), [&](const EdgeCase& c) {
            const std::string wrong = check_edge(c, device);
            return wrong.empty() ? wrong : fmt::format("{}: {}", name(device), wrong);
        });
}

TEST_CASE("every op of the sources has a case in the registry", "[ops]") {
    for (const OpCase& c : all_op_cases()) {
        run_to_third_order(c);
        const Tensor x = make_inputs(c, DType::f32)[0].set_requires_grad();
        x.to(DType::f64);
        for (const Device device : {Device::simt, Device::cuda})
            if (is_available(device)) x.to(device);
        if (x.rank() == 4) x.to(MemoryFormat::channels_last);
    }
    const auto recorded = recorded_ops();
    const OpsInSources sources = ops_in_sources();
    for (const char* op : {"gram", "exp", "linear_tanh", "maximum", "div", "conv2d_relu"})
        CHECK(sources.names.contains(op));
    INFO("record() is handed a name by unary, extremum and linear_rows: is there one more?");
    CHECK(sources.handed_on == 3);
    for (const std::string& op : sources.names) {
        if (op == "all_mean" || op == "all_gather")
            continue;  // of several processes: tests/models/test_processes.cpp
        if (op == "to_device" && !is_available(Device::simt) && !is_available(Device::cuda)) continue;
        INFO("no case in tests/framework/ops runs '" << op << "'");
        CHECK(std::count(recorded.begin(), recorded.end(), op) == 1);
    }
}

TEST_CASE("the checks find a wrong gradient", "[ops]") {
    // y = x², but with the gradient of 3x: the checker must not accept it
    const OpCase wrong{.name = "wrong square", .shapes = {{5}}, .op = [](const Tensors& x) {
                           return record("wrong", square(x[0].detach()), {x[0]},
                                         [](const Backward& g) { return Gradients{g.dy * 3.0}; });
                       }};
    CHECK(check_f64(wrong).find("f64: input 0") == 0);
    // y = x², right in f64; in f32 only the gradient of the gradient is wrong, and only of blocked maps
    const OpCase blocked{
        .name = "wrong in blocks", .shapes = {{1, 8, 2, 1}}, .op = [](const Tensors& x) {
            const bool in_blocks = x[0].format() == MemoryFormat::blocked8;
            return record("wrong", square(x[0].detach()), {x[0]}, [=](const Backward& g) {
                return Gradients{g.dy * (in_blocks && grad_enabled() ? x[0].detach() : x[0]) * 2.0};
            });
        }};
    CHECK(check_f64(blocked).empty());
    CHECK(check_f32(blocked).find("f32, blocked8, against f64: gradient of gradient, input 0") == 0);
    // NaN in the result is an error, not "not larger than the tolerance"
    const Tensor nan = full({3}, std::numeric_limits<double>::quiet_NaN());
    CHECK(!difference(nan, zeros({3}), 1).empty());
}

}  // namespace lily::testing
