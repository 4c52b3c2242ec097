// SPDX-License-Identifier: MIT
#include "framework/profiler.h"

#include <algorithm>
#include <utility>

#include "framework/capture.h"
#include "framework/device.h"
#include "framework/tensor.h"
#include "kernels/common/gpu.h"

namespace lily {

// The events of a queue that were not read yet, and whose time each of them ends.
class Profiler::GpuClock {
  public:
    explicit GpuClock(Device device) : gpu_(kernels::gpu(device)), stream_(default_queue(device).stream()) {
        restart();
    }
    ~GpuClock() {
        for (const Mark& mark : marks_) gpu_.destroy_event(mark.event);
        gpu_.destroy_event(last_);
    }
    GpuClock(const GpuClock&) = delete;
    GpuClock& operator=(const GpuClock&) = delete;

    // What the queue has done since the last mark is the row's, whose address stays.
    void mark(ProfileRow& row) {
        constexpr size_t kMost = 4096;
        marks_.push_back({record(), &row});
        if (marks_.size() == kMost) settle();
    }
    // The time since the last mark is nobody's.
    void restart() {
        settle();
        void* const now = record();
        if (last_) gpu_.destroy_event(last_);
        last_ = now;
    }
    void settle() {
        for (const Mark& mark : marks_) {
            mark.row->seconds += gpu_.seconds_between(last_, mark.event);
            gpu_.destroy_event(std::exchange(last_, mark.event));
        }
        marks_.clear();
    }

  private:
    struct Mark {
        void* event;
        ProfileRow* row;
    };
    void* record() {
        refuse_in_capture("profiler", "be timed by its ops: profile it without capture()");
        return gpu_.record_event(stream_);
    }

    const kernels::GpuRuntime& gpu_;
    void* stream_;
    void* last_ = nullptr;
    std::vector<Mark> marks_;
};

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

Profiler::Profiler(Device device) : before_(active_) {
    if (device != Device::cpu) gpu_ = std::make_unique<GpuClock>(device);
    active_ = this;
}

Profiler::~Profiler() {
    active_ = before_;
    if (!before_) return;
    if (before_->gpu_) before_->gpu_->restart();
    before_->last_mark_ = Clock::now();
}

std::vector<ProfileRow> Profiler::rows() const {
    if (gpu_) gpu_->settle();
    std::vector<ProfileRow> result;
    for (const auto& [key, row] : rows_) result.push_back(row);
    std::stable_sort(result.begin(), result.end(),
                     [](const ProfileRow& a, const ProfileRow& b) { return a.seconds > b.seconds; });
    return result;
}

double Profiler::seconds() const {
    if (gpu_) gpu_->settle();
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
    if (gpu_) return gpu_->mark(row);
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
