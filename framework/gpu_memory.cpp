// SPDX-License-Identifier: MIT
// Memory of the GPUs. All work of a device is in one stream, so a block can be lent again as soon as it is
// given back: what used it before comes before what uses it next.
#include <array>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "framework/block_cache.h"
#include "framework/error.h"
#include "kernels/common/gpu.h"

namespace lily {
namespace {

// LILY_GPU_CACHE=off in the environment: every tensor has memory of its own from the runtime, so that
// compute-sanitizer sees its borders. So it is on the software GPU, whose own checks are the reason to use
// it, unless the variable is `on`.
bool wants_cache(Device device) {
    const char* text = std::getenv("LILY_GPU_CACHE");
    if (text && std::string_view(text) == "off") return false;
    if (text && std::string_view(text) == "on") return true;
    check(!text, "LILY_GPU_CACHE is on or off, not '{}'", text ? text : "");
    return device != Device::simt;
}

class GpuAllocator final : public BlockCache {
  public:
    GpuAllocator(Device device, const kernels::GpuRuntime& gpu)
        : BlockCache(!wants_cache(device)), device_(device), gpu_(gpu), stream_(gpu.make_stream()) {}
    void* stream() const { return stream_; }

  private:
    void* ask_system(size_t size) override { return gpu_.allocate(stream_, size); }
    void give_back(void* memory) noexcept override { gpu_.release(stream_, memory); }
    void fill_with_nan(void* memory, size_t size) override {
        // the software GPU's new memory is poisoned, and reading it is a fault: it must stay unwritten
        if (device_ == Device::simt && !wants_cache(device_)) return;
        gpu_.fill_bytes(stream_, memory, 0xff, size);
    }
    std::string describe() const override {
        const kernels::GpuMemory memory = gpu_.memory();
        return fmt::format("on {} ({} of {} MB free)", gpu_.description(), memory.free_bytes >> 20,
                           memory.total_bytes >> 20);
    }

    Device device_;
    const kernels::GpuRuntime& gpu_;
    void* stream_;
};

struct GpuState {
    GpuAllocator allocator;
    Queue queue, recording;
    GpuState(Device device, const kernels::GpuRuntime& gpu)
        : allocator(device, gpu),
          queue(device, allocator, allocator.stream()),
          recording(device, allocator, gpu.make_stream()) {}
};

// Made when first asked for; never destroyed, because tensors in static objects may outlive main.
GpuState& state(Device device) {
    const std::string problem = device_problem(device);
    check(problem.empty(), "[device] {}", problem);
    const auto make = [](Device d) { return new GpuState(d, kernels::gpu(d)); };
    if (device == Device::simt) {
        static auto& simt = *make(Device::simt);
        return simt;
    }
    static auto& cuda = *make(Device::cuda);
    return cuda;
}

thread_local const GpuState* recording = nullptr;  // the device in whose second queue this thread records

}  // namespace

BlockCache& gpu_allocator(Device device) { return state(device).allocator; }
Queue& gpu_queue(Device device) {
    GpuState& s = state(device);
    return recording == &s ? s.recording : s.queue;
}

RecordingQueue::RecordingQueue(Device device) { recording = &state(device); }
RecordingQueue::~RecordingQueue() { recording = nullptr; }

}  // namespace lily
