// SPDX-License-Identifier: MIT
#include "framework/readback.h"

#include <utility>

#include "framework/capture.h"
#include "kernels/common/gpu.h"

namespace lily {

struct Readback::State {
    Device device;
    std::vector<float> values;
    void* under_way = nullptr;  // null: the values are there

    explicit State(Device d) : device(d) {}
    ~State() {
        if (under_way) kernels::gpu(device).end_read(under_way, nullptr, 0);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;
};

Readback::Readback(const Tensor& x) {
    check(x.numel() <= kMost, "[readback] expected at most {} numbers, got {}", kMost, x.shape());
    static_assert(kMost * sizeof(float) <= kernels::GpuRuntime::kReadBytes);
    refuse_in_capture("copy", kReadsBack);
    state_ = std::make_shared<State>(x.device());
    if (x.device() == Device::cpu)
        state_->values = x.to_vector();
    else
        state_->under_way =
            kernels::gpu(x.device()).begin_read(x.queue().stream(), x.contiguous().data<float>(), x.nbytes());
    if (state_->under_way) state_->values.resize(static_cast<size_t>(x.numel()));
}

const std::vector<float>& Readback::values() const {
    check(state_ != nullptr, "[readback] nothing was asked for");
    State& s = *state_;
    if (void* const read = std::exchange(s.under_way, nullptr))
        kernels::gpu(s.device).end_read(read, s.values.data(), s.values.size() * sizeof(float));
    return s.values;
}

}  // namespace lily
