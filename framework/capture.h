// SPDX-License-Identifier: MIT
// A step of static shapes, recorded once and replayed as one piece of work.
//
//     auto step = capture(device, [&] {
//         adam.zero_grad();
//         loss = mse_loss(dropout(model(x), random), y);
//         loss.backward();
//         adam.step();
//     });
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
// The host's part of a step is done before each replay: where a Generator is, an optimiser's step and
// learning rate, batch norm's count. Kernels find these numbers in the GPU's memory, where one copy puts
// them. What else would not be the same in a replay is an error in all of them, on the CPU too: reading
// results back, waiting, copying from the host (but scalars, which are constants then), changing a learning
// rate, adding to a gradient that was there before the step. What only a GPU could notice is
// `to(Device::cpu)`.
//
// A step belongs to one thread. While it is recorded, other threads may use the device.
#pragma once

#include <functional>
#include <memory>

#include "framework/device.h"

namespace lily {

struct GradSlot;
class Storage;

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

// Throws "[op] a captured step cannot …" if this thread is inside of one.
void refuse_in_capture(const char* op, const char* what);
// The same for what concerns the tensors of that device only.
void refuse_in_capture_on(Device device, const char* op, const char* what);
inline constexpr const char* kReadsBack = "read results back; do it after replay()";
inline constexpr const char* kCopiesFromHost = "copy from the host; do it before replay()";

// Numbers that the host knows and that each replay may find changed. While a step is being recorded: memory
// of the GPU that `compute` fills before every replay, the first one included; the caller leaves the host's
// state to it. Else null, and the caller does by itself what compute would have done.
void* each_replay(size_t bytes, std::function<void(void*)> compute);
template <class T>
const T* each_replay(size_t count, std::function<void(T*)> compute) {
    return static_cast<const T*>(
        each_replay(count * sizeof(T), [run = std::move(compute)](void* to) { run(static_cast<T*>(to)); }));
}
// A random op on `device` claims its numbers: a step's own device, or a replay would repeat them.
void require_device_of_capture(Device device);

// A step that is being recorded here will read this memory in every replay: it lives as long as the step.
void keep_in_capture(std::shared_ptr<const void> memory);
// … and will write this.
void note_write_in_capture(Storage& storage);

// backward() sets the gradients of leaves, which a recording of kernels does not: each replay sets those
// again that the recorded run has left. Only what a step has made itself may be added to in it.
void keep_gradient_in_capture(const std::shared_ptr<GradSlot>& leaf);
bool gradient_is_of_capture(const std::shared_ptr<GradSlot>& leaf);

// While one lives, memory is everybody's again and uploads are allowed: for tables and states that are made
// once and kept, and that a step may be the first to need. A step that is being recorded runs once more then,
// and is recorded later.
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
