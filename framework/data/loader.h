// SPDX-License-Identifier: MIT
#pragma once

#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "framework/data/dataset.h"
#include "framework/tensor.h"

namespace lily::data {

struct Batch {
    Tensor pixels;                // (N, picture_size) f32 in [-1,1]
    std::vector<int64_t> labels;  // (N); empty: none
    int64_t epoch = 0;            // from 0
    int64_t index = 0;            // of the batch in its epoch
};

// Batches in random order: every epoch each picture once, but for the last few that fill no batch. A thread
// prepares the next two. The order depends on the seed and the epoch only, so the state is one number: how
// many batches were taken.
class Loader {
  public:
    // Refers to `set`.
    Loader(const Dataset& set, int64_t batch_size, uint64_t seed);
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    Batch next(Device device = Device::cpu);  // throws what the thread has thrown while it made this batch

    int64_t batches_per_epoch() const { return set_.count / batch_size_; }
    int64_t position() const { return position_; }  // batches taken so far
    void set_position(int64_t position);

  private:
    struct Prepared;
    void start();
    void stop();
    void work(int64_t position);
    std::vector<int64_t> order(int64_t epoch) const;

    const Dataset& set_;
    const int64_t batch_size_;
    const uint64_t seed_;
    int64_t position_ = 0;

    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<std::unique_ptr<Prepared>> ready_;
    bool stopping_ = false;
    std::exception_ptr failed_;  // what ended the thread
    std::thread worker_;
};

// Pictures `indices` of the set, or those from `begin` to before `end`, as Batch::pixels has them.
Tensor to_pixels(const Dataset& set, const std::vector<int64_t>& indices);
Tensor to_pixels(const Dataset& set, int64_t begin, int64_t end);

}  // namespace lily::data
