// SPDX-License-Identifier: MIT
// Where the time goes: how long each op took, by name and shape, forward and backward.
//
// The ops of a thread run one after the other, so one clock is enough: each mark gives the time since the
// mark before to what has just ended. record() marks the end of an op, the engine the end of a node's
// backward function, profile_rest() the end of anything else. What an op computed before it called another
// one counts as the inner one's, and what lies between two ops as the later one's. Everything that a backward
// function does is its node's, ops inside it too. No time is counted twice, and none is lost but that of the
// marks themselves.
//
// An op on a GPU returns when its kernels are queued. A profiler of a GPU reads the GPU's clock: each mark is
// an event in the device's queue, and a row has the time from one to the next as the GPU came to them, which
// is what its kernels took, and what the GPU waited for them.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "framework/shape.h"
#include "kernels/common/device.h"

namespace lily {

class Tensor;

enum class ProfilePass : uint8_t { forward, backward, other };
std::string_view name(ProfilePass pass);

// What one call of an op worked on.
struct OpShapes {
    std::vector<Shape> inputs;
    std::vector<bool> given;  // per input: false is a tensor left out (a convolution without bias)
    Shape output;

    // "1x3x64x64 64x3x3x3 64 -> 1x64x64x64"; "scalar" for rank 0, "-" for an input left out. No commas.
    std::string text() const;
};

struct ProfileRow {
    std::string op;  // as record() names it; "autograd": the engine between nodes; or profile_rest()'s name
    ProfilePass pass = ProfilePass::forward;
    std::shared_ptr<const OpShapes> shapes;  // null for "autograd" and profile_rest()
    int64_t calls = 0;
    double seconds = 0;  // of all calls
};

// While one lives, the ops of this thread are timed. One that is made while another lives takes its place;
// the outer one's clock stands still meanwhile. They end in reverse order, on their thread.
class Profiler {
  public:
    explicit Profiler(Device device = Device::cpu);  // whose clock is read; not inside of a captured step
    ~Profiler();
    Profiler(const Profiler&) = delete;
    Profiler& operator=(const Profiler&) = delete;

    std::vector<ProfileRow> rows() const;  // the slowest first; waits for the GPU
    double seconds() const;                // of all rows

    // This thread's; null: nothing is timed, and that test is all that a hook costs.
    static Profiler* active() { return active_; }

    // The hooks of record() and of the engine. op_ended returns the shapes, for the op's node to keep.
    std::shared_ptr<const OpShapes> op_ended(const char* op, const std::vector<Tensor>& inputs,
                                             const Tensor& y);
    void rest_ended(const char* name);

  private:
    friend class ProfiledPass;
    friend class ProfiledNode;
    using Clock = std::chrono::steady_clock;
    using Key = std::tuple<std::string, ProfilePass, std::string>;  // op, pass, shapes

    class GpuClock;

    void mark(const char* op, ProfilePass pass, const std::shared_ptr<const OpShapes>& shapes);

    static inline thread_local Profiler* active_ = nullptr;
    Profiler* before_;
    std::unique_ptr<GpuClock> gpu_;  // null: the CPU's clock
    Clock::time_point last_mark_ = Clock::now();
    std::map<Key, ProfileRow> rows_;
    int passes_ = 0, nodes_ = 0;  // backward passes and nodes that are running, one inside the other
};

// Gives the time since the last mark to `name`: what a program does between ops ("optimizer").
inline void profile_rest(const char* name) {
    if (Profiler* profiler = Profiler::active()) profiler->rest_ended(name);
}

// While one lives, a backward pass is running; its time outside of the nodes is "autograd"'s.
class ProfiledPass {
  public:
    ProfiledPass();
    ~ProfiledPass();
    ProfiledPass(const ProfiledPass&) = delete;
    ProfiledPass& operator=(const ProfiledPass&) = delete;

  private:
    Profiler* profiler_;
};

// While one lives, the backward function of a node is running. `shapes`: what op_ended returned; null if the
// op ran before the profiler.
class ProfiledNode {
  public:
    ProfiledNode(const char* op, const std::shared_ptr<const OpShapes>& shapes) {
        if ((profiler_ = Profiler::active())) begin(op, shapes);
    }
    ~ProfiledNode() {
        if (profiler_) end();
    }
    ProfiledNode(const ProfiledNode&) = delete;
    ProfiledNode& operator=(const ProfiledNode&) = delete;

  private:
    void begin(const char* op, const std::shared_ptr<const OpShapes>& shapes);
    void end();

    Profiler* profiler_;
    const char* op_ = nullptr;
    std::shared_ptr<const OpShapes> shapes_;
};

}  // namespace lily
