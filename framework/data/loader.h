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
    Tensor pixels;                 // (N, picture_size) f32 in [-1,1]
    std::vector<int64_t> labels;   // (N); empty: none
    std::vector<int64_t> indices;  // (N): their numbers in the set, for captions and what else it has
    int64_t position = 0;          // of the first one in the sequence of samples
    int64_t epoch = 0;             // that it is of, from 0
};

struct LoaderOptions {
    int64_t batch_size = 64;  // of each rank
    uint64_t seed = 0;
    int64_t rank = 0, world_size = 1;  // of the processes that share each step
    // A step's samples are so many equal parts, and every rank has its share of each: what belongs together
    // a part's length apart (a group of a minibatch's standard deviation) is on one rank.
    int64_t parts = 1;
    bool mirror = false;  // every other picture, by chance, has left and right exchanged
};

// Batches of a sequence of samples without an end: epoch after epoch each picture once, in an order that the
// seed and the epoch make. A step takes the next world_size · batch_size samples, rank r the r-th batch of
// them (of each part of them), so that all ranks together see what a single one with their batch sees. A
// batch may reach from one epoch into the next. What is done to a sample depends on the seed and its place in
// the sequence only, so the state is one number: how many samples all ranks have taken. With it a run goes on
// with another number of ranks, or another batch size, at the same sample. A thread prepares the next two
// batches.
class Loader {
  public:
    // Refers to `set`.
    Loader(const Dataset& set, const LoaderOptions& options);
    Loader(const Dataset& set, int64_t batch_size, uint64_t seed)
        : Loader(set, LoaderOptions{.batch_size = batch_size, .seed = seed}) {}
    ~Loader();
    Loader(const Loader&) = delete;
    Loader& operator=(const Loader&) = delete;

    Batch next(Device device = Device::cpu);  // throws what the thread has thrown while it made this batch

    // Steps, rounded down.
    int64_t batches_per_epoch() const { return set_.count / per_step(); }
    int64_t position() const { return position_; }  // samples that all ranks have taken so far
    void set_position(int64_t position);

  private:
    struct Prepared;
    void start();
    void stop();
    void work(int64_t position);
    int64_t per_step() const { return options_.batch_size * options_.world_size; }

    const Dataset& set_;
    const LoaderOptions options_;
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
