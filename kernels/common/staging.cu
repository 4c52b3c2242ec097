// SPDX-License-Identifier: MIT
// By way of pinned memory: a ring of slots, each of which is written again only when the copy out of it has
// happened. A large copy goes through them like a bucket chain: the host fills one while others are on their
// way. What comes back has a slot of its own for as long as it is on its way.
#include "kernels/common/staging.h"

#include <algorithm>
#include <cstring>
#include <mutex>
#include <vector>

#include "kernels/common/gpu.h"

namespace lily::kernels::LILY_CUDA_DEVICE {
namespace {

constexpr int kSlots = 8;
constexpr size_t kSlotBytes = size_t{1} << 20;

struct Ring {
    std::mutex mutex;
    char* memory = nullptr;
    cudaEvent_t copied[kSlots] = {};
    int next = 0;

    explicit Ring(const char* who) {
        void* pinned = nullptr;
        check(cudaMallocHost(&pinned, kSlots * kSlotBytes), who);
        memory = static_cast<char*>(pinned);
        for (cudaEvent_t& event : copied)
            check(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), who);
    }
};

Ring& ring(const char* who) {
    static auto& made = *new Ring(who);  // for the life of the process
    return made;
}

}  // namespace

void upload(const char* who, cudaStream_t stream, void* to, const void* from, size_t bytes) {
    Ring& slots = ring(who);
    const std::lock_guard lock(slots.mutex);
    for (size_t done = 0; done < bytes; done += kSlotBytes) {
        const size_t part = std::min(kSlotBytes, bytes - done);
        const int slot = slots.next;
        slots.next = (slot + 1) % kSlots;
        check(cudaEventSynchronize(slots.copied[slot]), who);
        char* const pinned = slots.memory + static_cast<size_t>(slot) * kSlotBytes;
        std::memcpy(pinned, static_cast<const char*>(from) + done, part);
        check(cudaMemcpyAsync(static_cast<char*>(to) + done, pinned, part, cudaMemcpyHostToDevice, stream),
              who);
        check(cudaEventRecord(slots.copied[slot], stream), who);
    }
}

struct Download {
    void* pinned = nullptr;
    cudaEvent_t copied = nullptr;
};

namespace {

struct Idle {
    std::mutex mutex;
    std::vector<Download*> list;
};
Idle& idle() {
    static auto& made = *new Idle;  // for the life of the process
    return made;
}

Download* take(const char* who) {
    {
        const std::lock_guard lock(idle().mutex);
        if (!idle().list.empty()) {
            Download* const last = idle().list.back();
            idle().list.pop_back();
            return last;
        }
    }
    auto* const made = new Download;
    check(cudaMallocHost(&made->pinned, GpuRuntime::kReadBytes), who);
    check(cudaEventCreateWithFlags(&made->copied, cudaEventDisableTiming), who);
    return made;
}

void give_back(Download* done) {
    const std::lock_guard lock(idle().mutex);
    idle().list.push_back(done);
}

}  // namespace

Download* download(const char* who, cudaStream_t stream, const void* from, size_t bytes) {
    Download* const taken = take(who);
    check(cudaMemcpyAsync(taken->pinned, from, bytes, cudaMemcpyDeviceToHost, stream), who);
    check(cudaEventRecord(taken->copied, stream), who);
    return taken;
}

// What nobody waited for is lent again all the same: the next copy into it comes later in the stream.
void finish_download(const char* who, Download* download, void* to, size_t bytes) {
    if (to) {
        check(cudaEventSynchronize(download->copied), who);
        std::memcpy(to, download->pinned, bytes);
    }
    give_back(download);
}

}  // namespace lily::kernels::LILY_CUDA_DEVICE
