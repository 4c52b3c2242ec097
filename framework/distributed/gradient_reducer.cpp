// SPDX-License-Identifier: MIT
#include "framework/distributed/gradient_reducer.h"

#include "framework/distributed/all_mean.h"

namespace lily::distributed {
namespace {

constexpr int64_t kBucketElements = int64_t{1} << 18;  // a megabyte of f32

}  // namespace

GradientReducer::GradientReducer(const std::vector<Tensor>& parameters, ProcessGroup& group) : group_(group) {
    if (group.is_alone()) return;
    for (const Tensor& p : parameters)
        check(p.device() == Device::cpu,
              "[distributed] expected parameters on the CPU, got {}: train with one "
              "process there",
              name(p.device()));
    std::vector<Tensor> leaves;
    int64_t elements = 0;
    const auto close = [&] {
        if (leaves.empty()) return;
        for (const Tensor& leaf : leaves) bucket_of_[leaf.grad_slot().get()] = buckets_.size();
        buckets_.push_back({GradBucket(std::move(leaves))});
        leaves.clear();
        elements = 0;
    };
    for (size_t i = parameters.size(); i-- > 0;) {
        leaves.push_back(parameters[i]);
        elements += parameters[i].numel();
        if (elements >= kBucketElements) close();
    }
    close();
}

BackwardOptions GradientReducer::options() {
    if (group_.is_alone()) return {};
    return {.on_gradient_ready = [this](const Tensor& leaf) { note_ready(leaf); }};
}

void GradientReducer::note_ready(const Tensor& leaf) {
    const auto found = bucket_of_.find(leaf.grad_slot().get());
    if (found == bucket_of_.end()) return;  // somebody else's
    Bucket& bucket = buckets_[found->second];
    check(!bucket.sent,
          "[distributed] a parameter {} has a gradient that the pass before had not; see "
          "expect_others()",
          leaf.shape());
    if (++bucket.ready == bucket.expected) send(bucket);
}

void GradientReducer::send(Bucket& bucket) {
    bucket.sum = begin_mean(group_, bucket.gradients.flat());
    bucket.sent = true;
}

void GradientReducer::finish() {
    // In the same order in all processes: they have run the same graph.
    for (Bucket& bucket : buckets_)
        if (!bucket.sent && bucket.ready > 0) send(bucket);
    for (Bucket& bucket : buckets_) {
        bucket.sum.wait();
        bucket.expected = bucket.ready;
        bucket.ready = 0;
        bucket.sent = false;
    }
}

void GradientReducer::expect_others() {
    for (Bucket& bucket : buckets_) bucket.expected = 0;
}

}  // namespace lily::distributed
