// SPDX-License-Identifier: MIT
#include "framework/autograd.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <set>
#include <string>

#include "framework/autograd_node.h"

namespace lily {
namespace {

thread_local bool recording = true;

std::mutex names_mutex;
std::set<std::string>& op_names() {
    static std::set<std::string> names;
    return names;
}

}  // namespace

// Unlinks long chains without recursion: each node's destructor would otherwise call the next one's.
GradSlot::~GradSlot() {
    std::vector<std::shared_ptr<Node>> doomed;
    if (node) doomed.push_back(std::move(node));
    while (!doomed.empty()) {
        const std::shared_ptr<Node> current = std::move(doomed.back());
        doomed.pop_back();
        if (current.use_count() > 1) continue;
        auto inputs = std::move(current->inputs);
        current->backward = nullptr;
        for (auto& input : inputs) {
            if (input && input.use_count() == 1 && input->node) doomed.push_back(std::move(input->node));
            input.reset();  // of y·y both inputs are y: the second one is the last
        }
    }
}

Tensor Backward::output() const {
    check(node_.kept_output, "[backward] '{}' did not keep its output", node_.op);
    Tensor y = node_.output();
    if (const auto slot = node_.slot.lock()) {
        y = y.detach();
        y.set_grad_slot(slot);
    }
    return y;
}

Tensor record(const char* op, Tensor y, const std::vector<Tensor>& inputs, BackwardFunction backward,
              KeepOutput keep) {
    std::shared_ptr<const OpShapes> shapes;
    if (Profiler* profiler = Profiler::active()) shapes = profiler->op_ended(op, inputs, y);
    if (!recording) return y;
    const auto wants = [](const Tensor& t) { return t.defined() && t.requires_grad(); };
    if (std::none_of(inputs.begin(), inputs.end(), wants)) return y;

    static std::atomic<uint64_t> counter{0};
    auto slot = std::make_shared<GradSlot>();
    auto node = std::make_shared<Node>();
    node->op = op;
    node->order = ++counter;
    for (const Tensor& input : inputs) node->inputs.push_back(wants(input) ? input.grad_slot() : nullptr);
    node->backward = std::move(backward);
    node->output_shape = y.shape();
    node->shapes = std::move(shapes);
    node->slot = slot;
    node->kept_output = keep == KeepOutput::yes;
    if (node->kept_output) node->output = Saved(y.detach());
    slot->requires_grad = true;
    slot->node = std::move(node);
    y.set_grad_slot(std::move(slot));

    const std::lock_guard lock(names_mutex);
    op_names().insert(op);
    return y;
}

Saved::Saved(const Tensor& tensor) : tensor_(tensor), version_(tensor.storage()->version()) {}

const Tensor& Saved::operator()() const {
    check(tensor_.defined(), "[backward] a value was not saved by the forward pass");
    check(tensor_.storage()->version() == version_,
          "[backward] a tensor of shape {} that the gradient needs was changed in place, or moved to another "
          "device, after the forward pass",
          tensor_.shape());
    return tensor_;
}

Saved saved_if(bool condition, const Tensor& tensor) { return condition ? Saved(tensor) : Saved(); }

bool grad_enabled() { return recording; }
GradMode::GradMode(bool on) : before_(recording) { recording = on; }
GradMode::~GradMode() { recording = before_; }
NoGrad::NoGrad() : before_(recording) { recording = false; }
NoGrad::~NoGrad() { recording = before_; }

std::vector<std::string> recorded_ops() {
    const std::lock_guard lock(names_mutex);
    return {op_names().begin(), op_names().end()};
}

}  // namespace lily
