// SPDX-License-Identifier: MIT
// Data-parallel gradients: their mean over all processes, computed while the backward pass still runs.
#pragma once

#include <unordered_map>
#include <vector>

#include "framework/distributed/process_group.h"
#include "framework/grad_bucket.h"

namespace lily::distributed {

//     GradientReducer reducer(model.parameters(), group);
//     loss.backward(reducer.options());
//     reducer.finish();                    // .grad() of every parameter is the mean over the processes
//     adam.step();
// The gradients lie in buckets of about a megabyte. A bucket is sent as soon as all of its gradients that the
// pass before had are there; what is left goes in finish(). Alone it does nothing.
class GradientReducer {
  public:
    GradientReducer(const std::vector<Tensor>& parameters, ProcessGroup& group);

    BackwardOptions options();
    void finish();
    // Before a pass that reaches other parameters than the last one.
    void expect_others();

  private:
    struct Bucket {
        GradBucket gradients;
        size_t expected = 0, ready = 0;  // gradients in the pass before; in this one
        bool sent = false;
        ProcessGroup::Pending sum = {};
    };
    void note_ready(const Tensor& leaf);
    void send(Bucket& bucket);

    ProcessGroup& group_;
    std::vector<Bucket> buckets_;  // of the last parameters first, which are ready first
    std::unordered_map<const void*, size_t> bucket_of_;
};

}  // namespace lily::distributed
