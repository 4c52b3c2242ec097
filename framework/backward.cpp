// SPDX-License-Identifier: MIT
// Runs the tape backwards.
#include <algorithm>
#include <limits>
#include <queue>
#include <unordered_map>
#include <unordered_set>

#include "framework/autograd_node.h"
#include "framework/capture.h"
#include "framework/grad_bucket.h"
#include "framework/ops/arithmetic.h"

namespace lily {
namespace {

// All nodes that the roots depend on, oldest first.
std::vector<Node*> nodes_below(const std::vector<Tensor>& roots) {
    std::vector<Node*> found, open;
    std::unordered_set<Node*> seen;
    for (const Tensor& root : roots)
        if (const auto& node = root.grad_slot()->node) open.push_back(node.get());
    while (!open.empty()) {
        Node* node = open.back();
        open.pop_back();
        if (!seen.insert(node).second) continue;
        found.push_back(node);
        for (const auto& input : node->inputs)
            if (input && input->node) open.push_back(input->node.get());
    }
    std::sort(found.begin(), found.end(), [](const Node* a, const Node* b) { return a->order < b->order; });
    return found;
}

// One run of backpropagation from the roots, either into the leaves' .grad (targets empty) or to the given
// targets.
class BackwardPass {
  public:
    using Announce = std::function<void(const Tensor&)>;

    BackwardPass(const std::vector<GradSlot*>& targets, bool retain, bool create_graph,
                 Announce announce = nullptr)
        : targets_(targets.begin(), targets.end()),
          retain_(retain),
          create_graph_(create_graph),
          announce_(std::move(announce)) {}

    void run(const std::vector<Tensor>& roots, std::vector<Tensor> dL_droots) {
        if (!targets_.empty()) mark_needed(roots);
        if (announce_) find_last_users(roots);
        const GradMode mode(create_graph_);
        for (size_t i = 0; i < roots.size(); ++i) accumulate(roots[i].grad_slot(), std::move(dL_droots[i]));
        if (announce_) announce_final();
        while (!ready_.empty()) {
            const std::shared_ptr<GradSlot> slot = ready_.top();
            ready_.pop();
            step(slot);
            if (announce_) announce_final();
        }
        if (!announce_) finish();
    }

    Tensor gradient(const GradSlot* slot) const {
        const auto found = results_.find(slot);
        return found == results_.end() ? Tensor{} : found->second;
    }

  private:
    struct Older {
        bool operator()(const std::shared_ptr<GradSlot>& a, const std::shared_ptr<GradSlot>& b) const {
            return a->node->order < b->node->order;
        }
    };

    bool needed(const GradSlot* slot) const {
        if (!slot || !slot->requires_grad) return false;
        return targets_.empty() || needed_.contains(slot);
    }

    // With targets, only what lies between the roots and a target is computed.
    void mark_needed(const std::vector<Tensor>& roots) {
        needed_.insert(targets_.begin(), targets_.end());
        for (Node* node : nodes_below(roots)) {
            const auto is_needed = [&](const auto& input) { return input && needed_.contains(input.get()); };
            if (std::any_of(node->inputs.begin(), node->inputs.end(), is_needed))
                if (const auto slot = node->slot.lock()) needed_.insert(slot.get());
        }
    }

    // The leaves below the roots, each with the oldest node that uses it: nodes run in descending order, so
    // that one is the last to add to the leaf's gradient. awaited_ ends with the leaf that is final first.
    void find_last_users(const std::vector<Tensor>& roots) {
        std::unordered_set<const GradSlot*> seen;
        const auto find = [&](const std::shared_ptr<GradSlot>& slot, uint64_t user) {
            if (!needed(slot.get()) || slot->node || !seen.insert(slot.get()).second) return;
            awaited_.push_back({user, slot});
        };
        for (const Node* node : nodes_below(roots))
            for (auto input = node->inputs.rbegin(); input != node->inputs.rend(); ++input)
                find(*input, node->order);
        for (auto root = roots.rbegin(); root != roots.rend(); ++root)
            find(root->grad_slot(), std::numeric_limits<uint64_t>::max());
    }

    // No node that is still to run has an order above that of the first in ready_.
    void announce_final() {
        const uint64_t next = ready_.empty() ? 0 : ready_.top()->node->order;
        while (!awaited_.empty() && awaited_.back().last_user > next) {
            const std::shared_ptr<GradSlot> leaf = std::move(awaited_.back().leaf);
            awaited_.pop_back();
            if (!pending_.contains(leaf.get())) continue;  // it was given none
            check_gradient(leaf);
            keep(leaf);
            if (const Tensor tensor = Tensor::of_leaf(*leaf); tensor.defined()) announce_(tensor);
        }
    }

    void accumulate(const std::shared_ptr<GradSlot>& slot, Tensor gradient) {
        Tensor& sum = pending_[slot.get()];
        if (sum.defined()) {
            // One of the two is reordered. What made a map of another format than contiguous reads that
            // format.
            const bool keeps = !slot->node || sum.format() != MemoryFormat::contiguous;
            const MemoryFormat format = keeps ? sum.format() : gradient.format();
            sum = add(sum.to(format), gradient.to(format));
            return;
        }
        sum = std::move(gradient);
        if (slot->node)
            ready_.push(slot);
        else
            leaves_.push_back(slot);
    }

    void step(const std::shared_ptr<GradSlot>& slot) {
        const auto entry = pending_.find(slot.get());
        const Tensor dL_dy = std::move(entry->second);
        pending_.erase(entry);
        if (targets_.contains(slot.get())) results_[slot.get()] = dL_dy;

        const std::shared_ptr<Node> node = slot->node;
        std::vector<bool> wanted(node->inputs.size());
        for (size_t i = 0; i < wanted.size(); ++i) wanted[i] = needed(node->inputs[i].get());
        if (std::none_of(wanted.begin(), wanted.end(), [](bool w) { return w; })) return;

        check(!node->released,
              "[backward] the graph behind '{}' was freed by an earlier backward; pass retain_graph = true "
              "to that one",
              node->op);
        check(dL_dy.shape() == node->output_shape, "[backward] '{}' made {}, but its gradient has shape {}",
              node->op, node->output_shape, dL_dy.shape());
        const std::vector<Tensor> so_far = lend_sums(*node, wanted);
        const Gradients gradients = run_node(*node, Backward(dL_dy, *node, wanted, so_far));
        check(gradients.size() == wanted.size(), "[backward] '{}' returned {} gradients for {} inputs",
              node->op, gradients.size(), wanted.size());
        if (!retain_) release(*node);
        for (size_t i = 0; i < wanted.size(); ++i) {
            if (so_far[i].defined()) pending_[node->inputs[i].get()] = so_far[i];
            if (!wanted[i] || !gradients[i].defined()) continue;
            if (so_far[i].defined() && gradients[i].is_same(so_far[i])) continue;  // added in place
            accumulate(node->inputs[i], gradients[i]);
        }
    }

    // The sums that a node may add to in place: those that nobody else holds. (pending_ lends them out.)
    std::vector<Tensor> lend_sums(const Node& node, const std::vector<bool>& wanted) {
        std::vector<Tensor> sums(wanted.size());
        for (size_t i = 0; i < wanted.size() && !create_graph_; ++i) {
            const auto entry = wanted[i] ? pending_.find(node.inputs[i].get()) : pending_.end();
            if (entry == pending_.end() || !entry->second.defined() || !entry->second.is_only_owner())
                continue;
            sums[i] = std::move(entry->second);
        }
        return sums;
    }

    static Gradients run_node(const Node& node, const Backward& given) {
        const ProfiledNode timed(node.op, node.shapes);
        return node.backward(given);
    }

    // Frees what the forward pass saved. The edges stay, so that a later backward finds the freed node and
    // throws, instead of taking it for the end of the graph.
    static void release(Node& node) {
        node.released = true;
        node.backward = nullptr;
        node.output = {};
    }

    // backward(): adds to .grad of every leaf; grad(): collects the targets that are leaves.
    void finish() {
        for (const auto& slot : leaves_) check_gradient(slot);  // all before any is changed
        for (const auto& slot : leaves_) {
            if (targets_.empty())
                keep(slot);
            else if (targets_.contains(slot.get()))
                results_[slot.get()] = std::move(pending_[slot.get()]);
        }
    }

    // .grad += the pending gradient
    void keep(const std::shared_ptr<GradSlot>& slot) {
        const auto entry = pending_.find(slot.get());
        Tensor gradient = std::move(entry->second);
        pending_.erase(entry);
        if (slot->place.defined())
            add_in_place(*slot, gradient);
        else if (slot->grad.defined())
            slot->grad = add(slot->grad, gradient);
        else  // of a + b both gradients are dy: two tensors, not one
            slot->grad = gradient.is_only_owner() ? std::move(gradient) : gradient.clone();
        keep_gradient_in_capture(slot);
    }

    void check_gradient(const std::shared_ptr<GradSlot>& slot) {
        const GradSlot& leaf = *slot;
        const Tensor& gradient = pending_[slot.get()];
        check(gradient.shape() == leaf.shape, "[backward] a leaf {} was given a gradient {}", leaf.shape,
              gradient.shape());
        check(gradient.device() == leaf.device,
              "[backward] a leaf {} was moved to {} after the forward pass, its gradient is on {}; move it "
              "before",
              leaf.shape, name(leaf.device), name(gradient.device()));
        if (!targets_.empty()) return;
        check(!create_graph_ || !leaf.place.defined(),
              "[backward] the gradient of a leaf {} lives in a GradBucket and cannot be differentiated; use "
              "grad(), or backward without create_graph",
              leaf.shape);
        if (leaf.grad.defined() && !gradient_is_of_capture(slot))
            refuse_in_capture("backward", "add to a gradient from before it; clear it first");
    }

    struct Awaited {
        uint64_t last_user;
        std::shared_ptr<GradSlot> leaf;
    };

    const ProfiledPass timed_;
    std::unordered_set<const GradSlot*> targets_, needed_;
    bool retain_, create_graph_;
    const Announce announce_;
    std::unordered_map<const GradSlot*, Tensor> pending_, results_;
    std::priority_queue<std::shared_ptr<GradSlot>, std::vector<std::shared_ptr<GradSlot>>, Older> ready_;
    std::vector<std::shared_ptr<GradSlot>> leaves_;
    std::vector<Awaited> awaited_;  // with announce_: leaves whose gradient is not final yet
};

// dL/dy: what was given, or 1. `what`: how messages call y.
Tensor initial_gradient(const char* who, const std::string& what, const Tensor& y, const Tensor& dL_dy) {
    check(y.defined(), "[{}] {} is undefined", who, what);
    check(y.requires_grad(), "[{}] {} does not depend on anything that requires a gradient", who, what);
    if (!dL_dy.defined()) {
        check(y.numel() == 1, "[{}] expected one element (a loss), {} is {}; or pass dL_dy", who, what,
              y.shape());
        return ones_like(y);
    }
    check(dL_dy.shape() == y.shape(), "[{}] dL_dy has shape {}, {} {}", who, dL_dy.shape(), what, y.shape());
    check(dL_dy.dtype() == y.dtype(), "[{}] dL_dy is {}, {} {}; convert it with to()", who,
          name(dL_dy.dtype()), what, name(y.dtype()));
    check_same_device(who, y, dL_dy);
    return dL_dy;
}

}  // namespace

void backward(const std::vector<Tensor>& roots, const std::vector<Tensor>& dL_droots,
              const BackwardOptions& options) {
    check(!roots.empty(), "[backward] expected at least one root");
    check(dL_droots.empty() || dL_droots.size() == roots.size(),
          "[backward] expected a dL_dy for each of {} roots, got {}", roots.size(), dL_droots.size());
    std::vector<Tensor> gradients;
    for (size_t i = 0; i < roots.size(); ++i)
        gradients.push_back(initial_gradient("backward",
                                             roots.size() == 1 ? "the tensor" : fmt::format("root {}", i),
                                             roots[i], dL_droots.empty() ? Tensor{} : dL_droots[i]));
    BackwardPass pass({}, options.retain_graph || options.create_graph, options.create_graph,
                      options.on_gradient_ready);
    pass.run(roots, std::move(gradients));
}

void Tensor::backward(const Tensor& dL_dy, const BackwardOptions& options) const {
    lily::backward({*this}, {dL_dy}, options);
}
void Tensor::backward(const BackwardOptions& options) const { lily::backward({*this}, {}, options); }

std::vector<Tensor> grad(const Tensor& y, const std::vector<Tensor>& xs, const GradOptions& options) {
    std::vector<GradSlot*> targets;
    for (const Tensor& x : xs) {
        check(x.requires_grad(), "[grad] an x of shape {} does not require a gradient", x.shape());
        targets.push_back(x.grad_slot().get());
    }
    check(!targets.empty(), "[grad] expected at least one x");
    BackwardPass pass(targets, options.retain_graph || options.create_graph, options.create_graph);
    pass.run({y}, {initial_gradient("grad", "the tensor", y, options.dL_dy)});
    std::vector<Tensor> gradients;
    for (const Tensor& x : xs) {
        gradients.push_back(pass.gradient(x.grad_slot().get()));
        check(gradients.back().defined() || options.allow_unused,
              "[grad] y does not depend on an x of shape {}; pass allow_unused = true for an undefined "
              "gradient",
              x.shape());
    }
    return gradients;
}

}  // namespace lily
