// SPDX-License-Identifier: MIT
// An order of blocks and threads that a program may not rely on, made of a number.
#pragma once

#include <cstdint>
#include <vector>

namespace simt {

class Schedule {
  public:
    Schedule() = default;
    explicit Schedule(uint64_t seed) : state_(seed) {}
    bool in_order() const { return state_ == 0; }
    uint64_t draw();  // any 64 bits
    // A number below n, each once for the numbers below n.
    static uint64_t place(uint64_t seed, uint64_t index, uint64_t n);
    // The warps of a block in any order, and the lanes of each.
    void shuffle(std::vector<unsigned>& threads, unsigned count);

  private:
    uint64_t state_ = 0;
};

}  // namespace simt
