// SPDX-License-Identifier: MIT
// Memory for kernels under test, on any device: results poisoned with NaN, and a fence on either side.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "framework/device.h"
#include "framework/storage.h"

namespace lily::testing {

// The devices of this build that can be used here.
inline std::vector<Device> devices() {
    std::vector<Device> usable;
    for (const Device device : {Device::cpu, Device::simt, Device::cuda})
        if (is_available(device)) usable.push_back(device);
    return usable;
}

template <class T>
class Buffer {
  public:
    // `shift` elements off any alignment
    explicit Buffer(int64_t size, int64_t shift = 0, Device device = Device::cpu)
        : device_(device),
          size_(size),
          start_(kFence + shift),
          memory_(static_cast<size_t>(size + shift + 2 * kFence), kFenceValue) {
        if (std::numeric_limits<T>::has_quiet_NaN)
            std::fill(data(), data() + size, std::numeric_limits<T>::quiet_NaN());
    }
    T* data() { return memory_.data() + start_; }
    const T* data() const { return memory_.data() + start_; }
    T& operator[](int64_t i) { return data()[i]; }

    // Where a kernel of the device finds what is in here now; fetch() brings back what it did.
    T* on_device() {
        if (device_ == Device::cpu) return data();
        if (!there_) there_ = std::make_unique<Storage>(device_, memory_.size() * sizeof(T));
        copy_bytes(device_, there_->data(), Device::cpu, memory_.data(), there_->bytes());
        return static_cast<T*>(there_->data()) + start_;
    }
    void fetch() {
        if (there_) copy_bytes(Device::cpu, memory_.data(), device_, there_->data(), there_->bytes());
    }

    void randomise(uint32_t seed) {  // multiples of 1/64: equal in f32 and f64
        std::mt19937 random(seed);
        for (int64_t i = 0; i < size_; ++i)
            data()[i] = static_cast<T>(static_cast<int>(random() % 257) - 128) / 64;
    }
    bool fences_stand() const {
        const auto stands = [](T v) { return v == kFenceValue; };
        return std::all_of(memory_.begin(), memory_.begin() + start_, stands) &&
               std::all_of(memory_.begin() + start_ + size_, memory_.end(), stands);
    }

  private:
    static constexpr int64_t kFence = 32;
    static constexpr T kFenceValue = static_cast<T>(-12345);
    Device device_;
    int64_t size_, start_;
    std::vector<T> memory_;
    std::unique_ptr<Storage> there_;
};

// The largest |got - want| relative to the largest |want|; NaN if any difference is.
template <class T>
double worst_error(const Buffer<T>& got, const Buffer<double>& want, int64_t n) {
    double worst = 0, largest = 1e-30;
    for (int64_t i = 0; i < n; ++i) {
        const double error = std::fabs(static_cast<double>(got.data()[i]) - want.data()[i]);
        largest = std::max(largest, std::fabs(want.data()[i]));
        if (!(error <= worst)) worst = error;
        if (worst != worst) return worst;
    }
    return worst / largest;
}

}  // namespace lily::testing
