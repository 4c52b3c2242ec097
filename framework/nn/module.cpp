// SPDX-License-Identifier: MIT
#include "framework/nn/module.h"

#include <algorithm>

#include "framework/io/file.h"

namespace lily::nn {
namespace {

constexpr size_t kMostListed = 10;

// "; 12 missing: 'a', 'b', ... and 2 more", or nothing.
std::string listing(const char* what, const std::vector<std::string>& items) {
    if (items.empty()) return "";
    const auto end = items.begin() + static_cast<std::ptrdiff_t>(std::min(items.size(), kMostListed));
    const std::string rest =
        items.size() > kMostListed ? fmt::format(" and {} more", items.size() - kMostListed) : "";
    return fmt::format("; {} {}: {}{}", items.size(), what, fmt::join(items.begin(), end, ", "), rest);
}

std::vector<std::string> quoted(std::vector<std::string> names) {
    for (std::string& name : names) name = io::in_quotes(name);
    return names;
}

std::vector<Tensor> tensors_of(const Module::Named& named) {
    std::vector<Tensor> tensors;
    for (const auto& [name, tensor] : named) tensors.push_back(tensor);
    return tensors;
}

}  // namespace

Tensor Module::forward(const Tensor&) {
    fail("[module] this module's forward does not take a single tensor");
}

// visit_module(prefix, module) for this module and all below, parents first.
template <class Visit>
void Module::visit(const std::string& prefix, const Visit& visit_module) const {
    visit_module(prefix, *this);
    for (const Child& child : children_) child.module->visit(prefix + child.name + ".", visit_module);
}

Module::Named Module::named_parameters() const {
    Named all;
    visit("", [&](const std::string& prefix, const Module& module) {
        for (const auto& [name, tensor] : module.parameters_) all.emplace_back(prefix + name, tensor);
    });
    return all;
}

Module::Named Module::named_buffers() const {
    Named all;
    visit("", [&](const std::string& prefix, const Module& module) {
        for (const auto& [name, tensor] : module.buffers_) all.emplace_back(prefix + name, tensor);
    });
    return all;
}

std::vector<Tensor> Module::parameters() const { return tensors_of(named_parameters()); }
std::vector<Tensor> Module::buffers() const { return tensors_of(named_buffers()); }

int64_t Module::parameter_count() const {
    int64_t count = 0;
    for (const Tensor& p : parameters()) count += p.numel();
    return count;
}

std::vector<Module*> Module::modules() {
    std::vector<Module*> all = {this};
    for (const Child& child : children_) {
        const std::vector<Module*> below = child.module->modules();
        all.insert(all.end(), below.begin(), below.end());
    }
    return all;
}

Module& Module::apply(const std::function<void(Module&)>& f) {
    for (const Child& child : children_) child.module->apply(f);
    f(*this);
    return *this;
}

StateDict Module::state_dict() const {
    StateDict state;
    for (const auto& [name, tensor] : named_parameters()) state.emplace(name, tensor.detach());
    for (const auto& [name, tensor] : named_buffers()) state.emplace(name, tensor.detach());
    return state;
}

Module::Differences Module::load_state_dict(const StateDict& state, bool strict) {
    Named own = named_parameters();
    for (auto& buffer : named_buffers()) own.push_back(buffer);

    Differences names;
    std::vector<std::string> shapes;
    std::map<std::string, Tensor> targets;
    for (const auto& [name, target] : own) {
        targets.emplace(name, target);
        const auto source = state.find(name);
        if (source == state.end())
            names.missing.push_back(name);
        else if (source->second.shape() != target.shape())
            shapes.push_back(fmt::format("{} is {}, expected {}", io::in_quotes(name), source->second.shape(),
                                         target.shape()));
    }
    for (const auto& [name, tensor] : state)
        if (!targets.contains(name)) names.unexpected.push_back(name);

    std::string problems = listing("of another shape", shapes);
    if (strict)
        problems = listing("missing", quoted(names.missing)) +
                   listing("unexpected", quoted(names.unexpected)) + problems;
    check(problems.empty(), "[load_state_dict] the tensors are not this module's{}", problems);
    for (auto& [name, target] : targets)
        if (const auto source = state.find(name); source != state.end()) target.copy_(source->second);
    return names;
}

void Module::to(Device device) {
    for (Tensor& p : parameters()) p.to_(device);
    for (Tensor& b : buffers()) b.to_(device);
}

void Module::train(bool on) {
    training_ = on;
    for (const Child& child : children_) child.module->train(on);
}

void Module::requires_grad_(bool value) {
    for (Tensor& p : parameters()) p.set_requires_grad(value);
}

void Module::zero_grad() {
    for (Tensor& p : parameters())
        if (p.grad().defined()) p.set_grad({});
}

void Module::check_name(const std::string& name) const {
    check(!name.empty() && name.find('.') == std::string::npos,
          "[module] a name must not be empty or contain a dot, got '{}'", name);
    const auto is_taken = [&](const Named& list) {
        return std::any_of(list.begin(), list.end(), [&](const auto& entry) { return entry.first == name; });
    };
    const bool child =
        std::any_of(children_.begin(), children_.end(), [&](const Child& c) { return c.name == name; });
    check(!is_taken(parameters_) && !is_taken(buffers_) && !child, "[module] '{}' is registered twice", name);
}

Tensor Module::register_parameter(const std::string& name, Tensor value) {
    check_name(name);
    parameters_.emplace_back(name, value.set_requires_grad());
    return value;
}

Tensor Module::register_buffer(const std::string& name, Tensor value) {
    check_name(name);
    buffers_.emplace_back(name, value);
    return value;
}

void Module::register_module(const std::string& name, Module& module) {
    check_name(name);
    children_.push_back({name, &module});
}

}  // namespace lily::nn
