// SPDX-License-Identifier: MIT
// Memory for kernels under test: results poisoned with NaN, and a fence on either side.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace lily::testing {

template <class T>
class Buffer {
  public:
    // `shift` elements off any alignment
    explicit Buffer(int64_t size, int64_t shift = 0)
        : size_(size),
          start_(kFence + shift),
          memory_(static_cast<size_t>(size + shift + 2 * kFence), kFenceValue) {
        std::fill(data(), data() + size, std::numeric_limits<T>::quiet_NaN());
    }
    T* data() { return memory_.data() + start_; }
    const T* data() const { return memory_.data() + start_; }
    T& operator[](int64_t i) { return data()[i]; }

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
    static constexpr T kFenceValue = T(-12345);
    int64_t size_, start_;
    std::vector<T> memory_;
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
