// SPDX-License-Identifier: MIT
// A step of static shapes, recorded once and replayed as one piece of work.
//
//     auto step = capture(device, [&] { loss = model(x); loss.backward(); });
//     for (;;) { x.copy_(next); step.replay(); … }
//
// Each replay() does what one call of the function does, with the same bits. On a GPU the function itself
// runs in the first few of them, until it asks for no memory that it has not asked for before, and once more
// to be recorded as a CUDA graph; after that a replay is the launch of that graph, in which every kernel
// reads and writes the same addresses: tensors that the function uses from outside have to be changed in
// place, and what it leaves behind (results, gradients) is written again by each replay, in the same memory.
// That memory lives as long as the step, or longer if tensors hold it. On the CPU the function runs every
// time.
//
// What would not be the same in a replay is an error in all of them: reading results back, waiting, copying
// from the host (but scalars, which are constants then), random numbers, an optimiser's step, batch norm in
// training, adding to a gradient that was there before the step.
#pragma once

#include <functional>
#include <memory>

#include "framework/device.h"

namespace lily {

struct GradSlot;

class CapturedStep {
  public:
    void replay();
    bool recorded() const;     // from now on replay() is one launch
    int64_t launches() const;  // kernels and copies in the recording, 0 before

  private:
    friend CapturedStep capture(Device device, std::function<void()> step);
    struct State;
    explicit CapturedStep(std::shared_ptr<State> state) : state_(std::move(state)) {}
    std::shared_ptr<State> state_;
};

CapturedStep capture(Device device, std::function<void()> step);

// Throws "[op] a captured step cannot …" if this thread is inside of one on a GPU.
void refuse_in_capture(const char* op, const char* what);

// A step that is being recorded here will read this memory in every replay: it lives as long as the step.
void keep_in_capture(std::shared_ptr<const void> memory);

// backward() sets the gradients of leaves, which a recording of kernels does not: each replay sets those
// again that the recorded run has left. Only what a step has made itself may be added to in it.
void keep_gradient_in_capture(const std::shared_ptr<GradSlot>& leaf);
bool gradient_is_of_capture(const std::shared_ptr<GradSlot>& leaf);

// While one lives, memory is everybody's again and uploads are allowed: for tables that are made once and
// kept, and that a step may be the first to need. Refuses while the step is being recorded.
class OutsideOfCapture {
  public:
    explicit OutsideOfCapture(const char* op);
    ~OutsideOfCapture();
    OutsideOfCapture(const OutsideOfCapture&) = delete;
    OutsideOfCapture& operator=(const OutsideOfCapture&) = delete;

  private:
    void* before_;
};

}  // namespace lily
