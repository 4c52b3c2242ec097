// SPDX-License-Identifier: MIT
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/common/device.h"

namespace lily {

// Where a queue takes scratch memory from; the framework's caching allocator is one.
class MemoryPool {
  public:
    virtual ~MemoryPool() = default;
    virtual void* allocate(size_t bytes) = 0;  // 64-byte aligned, uninitialised
    virtual void release(void* memory, size_t bytes) noexcept = 0;
    // The same for a short while: may be a larger block that is lying idle.
    virtual void* allocate_scratch(size_t bytes) = 0;
};

namespace kernels {

// Memory that lives as long as one kernel call.
template <class T>
class Scratch {
  public:
    Scratch(MemoryPool& pool, int64_t count)
        : pool_(pool),
          bytes_(static_cast<size_t>(count) * sizeof(T)),
          data_(static_cast<T*>(pool.allocate_scratch(bytes_))) {}
    ~Scratch() { pool_.release(data_, bytes_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    T* data() const { return data_; }
    T& operator[](int64_t i) const { return data_[i]; }

  private:
    MemoryPool& pool_;
    size_t bytes_;
    T* data_;
};

// The order in which work is done on a device. On the CPU each kernel has finished when its call returns;
// a GPU's queue is a stream (a cudaStream_t, which this header does not need to know).
class Queue {
  public:
    Queue(Device device, MemoryPool& pool, void* stream = nullptr)
        : device_(device), pool_(pool), stream_(stream) {}
    Device device() const { return device_; }
    void* stream() const { return stream_; }

    template <class T>
    Scratch<T> scratch(int64_t count) {
        return Scratch<T>(pool_, count);
    }

  private:
    Device device_;
    MemoryPool& pool_;
    void* stream_;
};

}  // namespace kernels
}  // namespace lily
