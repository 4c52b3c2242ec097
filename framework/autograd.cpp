// SPDX-License-Identifier: MIT
#include "framework/autograd.h"

#include <algorithm>
#include <atomic>
#include <map>
#include <mutex>
#include <queue>
#include <set>
#include <string>
#include <unordered_map>
#include <unordered_set>

#include "framework/capture.h"
#include "framework/ops/arithmetic.h"
#include "framework/profiler.h"

namespace lily {

struct Node {
    const char* op;
    uint64_t order;  // inputs are always older than the node: descending order is a topological order
    std::vector<std::shared_ptr<GradSlot>> inputs;
    BackwardFunction backward;
    Shape output_shape;
    Saved output;                  // with KeepOutput: detached, so that there is no cycle
    std::weak_ptr<GradSlot> slot;  // of the output
    bool kept_output = false, released = false;
    std::shared_ptr<const OpShapes> shapes;  // for the profiler; null without one
};

namespace {

thread_local bool recording = true;

std::mutex names_mutex;
std::set<std::string>& op_names() {
    static std::set<std::string> names;
    return names;
}

class GradMode {
  public:
    explicit GradMode(bool on) : before_(recording) { recording = on; }
    ~GradMode() { recording = before_; }
    GradMode(const GradMode&) = delete;
    GradMode& operator=(const GradMode&) = delete;

  private:
    bool before_;
};

// All nodes that y depends on, oldest first.
std::vector<Node*> nodes_below(const GradSlot& y) {
    std::vector<Node*> found, open;
    std::unordered_set<Node*> seen;
    if (y.node) open.push_back(y.node.get());
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

// One run of backpropagation from y, either into the leaves' .grad (targets empty) or to the given targets.
class BackwardPass {
  public:
    BackwardPass(const std::vector<GradSlot*>& targets, bool retain, bool create_graph)
        : targets_(targets.begin(), targets.end()), retain_(retain), create_graph_(create_graph) {}

    void run(const Tensor& y, Tensor dL_dy) {
        const auto& root = y.grad_slot();
        mark_needed(*root);
        accumulate(root, std::move(dL_dy));
        const GradMode mode(create_graph_);
        while (!ready_.empty()) {
            const std::shared_ptr<GradSlot> slot = ready_.top();
            ready_.pop();
            step(slot);
        }
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

    // With targets, only what lies between y and a target is computed.
    void mark_needed(const GradSlot& root) {
        if (targets_.empty()) return;
        needed_.insert(targets_.begin(), targets_.end());
        for (Node* node : nodes_below(root)) {
            const auto is_needed = [&](const auto& input) { return input && needed_.contains(input.get()); };
            if (std::any_of(node->inputs.begin(), node->inputs.end(), is_needed))
                if (const auto slot = node->slot.lock()) needed_.insert(slot.get());
        }
    }

    void accumulate(const std::shared_ptr<GradSlot>& slot, Tensor gradient) {
        Tensor& sum = pending_[slot.get()];
        if (sum.defined()) {
            sum = add(sum, gradient.to(sum.format()));
            return;
        }
        sum = std::move(gradient);
        if (slot->node)
            ready_.push(slot);
        else
            finish_leaf(slot);
    }

    void finish_leaf(const std::shared_ptr<GradSlot>& slot) { leaves_.push_back(slot); }

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

  public:
    // backward(): adds to .grad of every leaf; grad(): collects the targets that are leaves.
    void finish() {
        const GradMode mode(create_graph_);
        for (const auto& slot : leaves_) check_gradient(*slot);  // all before any is changed
        for (const auto& slot : leaves_) {
            Tensor gradient = std::move(pending_[slot.get()]);
            if (!targets_.empty()) {
                if (targets_.contains(slot.get())) results_[slot.get()] = gradient;
            } else {
                if (slot->grad.defined() && !gradient_is_of_capture(slot))
                    refuse_in_capture("backward", "add to a gradient from before it; clear it first");
                if (slot->grad.defined())
                    gradient = add(slot->grad, gradient);
                else if (!gradient.is_only_owner())  // of a + b both gradients are dy: two tensors, not one
                    gradient = gradient.clone();
                slot->grad = std::move(gradient);
                keep_gradient_in_capture(slot);
            }
        }
    }

  private:
    void check_gradient(const GradSlot& leaf) {
        const Tensor& gradient = pending_[&leaf];
        check(gradient.shape() == leaf.shape, "[backward] a leaf {} was given a gradient {}", leaf.shape,
              gradient.shape());
        check(gradient.device() == leaf.device,
              "[backward] a leaf {} was moved to {} after the forward pass, its gradient is on {}; move it "
              "before",
              leaf.shape, name(leaf.device), name(gradient.device()));
    }

    const ProfiledPass timed_;
    std::unordered_set<const GradSlot*> targets_, needed_;
    bool retain_, create_graph_;
    std::unordered_map<const GradSlot*, Tensor> pending_, results_;
    std::priority_queue<std::shared_ptr<GradSlot>, std::vector<std::shared_ptr<GradSlot>>, Older> ready_;
    std::vector<std::shared_ptr<GradSlot>> leaves_;
};

Tensor initial_gradient(const char* who, const Tensor& y, const Tensor& dL_dy) {
    check(y.requires_grad(), "[{}] the tensor does not depend on anything that requires a gradient", who);
    if (!dL_dy.defined()) {
        check(y.numel() == 1, "[{}] expected a tensor of one element (a loss), got {}; or pass dL_dy", who,
              y.shape());
        return ones_like(y);
    }
    check(dL_dy.shape() == y.shape(), "[{}] dL_dy has shape {}, the tensor {}", who, dL_dy.shape(),
          y.shape());
    check(dL_dy.dtype() == y.dtype(), "[{}] dL_dy is {}, the tensor {}; convert it with to()", who,
          name(dL_dy.dtype()), name(y.dtype()));
    check_same_device(who, y, dL_dy);
    return dL_dy;
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
NoGrad::NoGrad() : before_(recording) { recording = false; }
NoGrad::~NoGrad() { recording = before_; }

void Tensor::backward(BackwardOptions options) const {
    BackwardPass pass({}, options.retain_graph || options.create_graph, options.create_graph);
    pass.run(*this, initial_gradient("backward", *this, {}));
    pass.finish();
}

std::vector<Tensor> grad(const Tensor& y, const std::vector<Tensor>& xs, const GradOptions& options) {
    std::vector<GradSlot*> targets;
    for (const Tensor& x : xs) {
        check(x.requires_grad(), "[grad] an x of shape {} does not require a gradient", x.shape());
        targets.push_back(x.grad_slot().get());
    }
    check(!targets.empty(), "[grad] expected at least one x");
    BackwardPass pass(targets, options.retain_graph || options.create_graph, options.create_graph);
    pass.run(y, initial_gradient("grad", y, options.dL_dy));
    pass.finish();
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

std::vector<std::string> recorded_ops() {
    const std::lock_guard lock(names_mutex);
    return {op_names().begin(), op_names().end()};
}

}  // namespace lily
