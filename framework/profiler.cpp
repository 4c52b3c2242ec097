// SPDX-License-Identifier: MIT
#include "framework/profiler.h"

#include <algorithm>
#include <utility>

#include "framework/tensor.h"

namespace lily {

std::string_view name(ProfilePass pass) {
    switch (pass) {
        case ProfilePass::forward:
            return "forward";
        case ProfilePass::backward:
            return "backward";
        case ProfilePass::other:
            break;
    }
    return "other";
}

std::string OpShapes::text() const {
    const auto words = [](const Shape& shape) {
        return shape.rank() == 0 ? std::string("scalar") : fmt::format("{}", fmt::join(shape.dims(), "x"));
    };
    std::string text;
    for (size_t i = 0; i < inputs.size(); ++i) text += (given[i] ? words(inputs[i]) : "-") + " ";
    return text + "-> " + words(output);
}

Profiler::Profiler() : before_(std::exchange(active_, this)) {}

Profiler::~Profiler() {
    active_ = before_;
    if (before_) before_->last_mark_ = Clock::now();
}

std::vector<ProfileRow> Profiler::rows() const {
    std::vector<ProfileRow> result;
    for (const auto& [key, row] : rows_) result.push_back(row);
    std::stable_sort(result.begin(), result.end(),
                     [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
    return result;
}

double Profiler::seconds() const {
    double sum = 0;
    for (const auto& [key, row] : rows_) sum += row.seconds;
    return sum;
}

// The clock stops while the row is looked up.
void Profiler::mark(const char* op, ProfilePass pass, const std::shared_ptr<const OpShapes>& shapes) {
    const std::chrono::duration<double> passed = Clock::now() - last_mark_;
    ProfileRow& row = rows_[{op, pass, shapes ? shapes->text() : std::string()}];
    if (row.calls == 0) row = {.op = op, .pass = pass, .shapes = shapes};
    ++row.calls;
    row.seconds += passed.count();
    last_mark_ = Clock::now();
}

std::shared_ptr<const OpShapes> Profiler::op_ended(const char* op, const std::vector<Tensor>& inputs,
                                                   const Tensor& y) {
    auto shapes = std::make_shared<OpShapes>();
    for (const Tensor& input : inputs) {
        shapes->given.push_back(input.defined());
        shapes->inputs.push_back(input.defined() ? input.shape() : Shape{});
    }
    shapes->output = y.shape();
    if (nodes_ == 0) mark(op, passes_ > 0 ? ProfilePass::backward : ProfilePass::forward, shapes);
    return shapes;
}

void Profiler::rest_ended(const char* name) {
    if (nodes_ == 0) mark(name, ProfilePass::other, nullptr);
}

ProfiledPass::ProfiledPass() : profiler_(Profiler::active()) {
    if (profiler_) ++profiler_->passes_;
}

ProfiledPass::~ProfiledPass() {
    if (!profiler_) return;
    if (profiler_->nodes_ == 0) profiler_->mark("autograd", ProfilePass::backward, nullptr);
    --profiler_->passes_;
}

void ProfiledNode::begin(const char* op, const std::shared_ptr<const OpShapes>& shapes) {
    op_ = op;
    shapes_ = shapes;
    if (profiler_->nodes_++ == 0) profiler_->mark("autograd", ProfilePass::backward, nullptr);
}

void ProfiledNode::end() {
    if (--profiler_->nodes_ == 0) profiler_->mark(op_, ProfilePass::backward, shapes_);
}

}  // namespace lily
