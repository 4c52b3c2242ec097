// SPDX-License-Identifier: MIT
// By way of pinned memory: a ring of slots, each of which is written again only when the copy out of it has
// happened. A large copy goes through them like a bucket chain: the host fills one while others are on their
// way.
#include "kernels/common/staging.h"

#include <algorithm>
#include <cstring>
#include <mutex>

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

}  // namespace lily::kernels::LILY_CUDA_DEVICE
