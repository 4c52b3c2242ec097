// SPDX-License-Identifier: MIT
// The counters: what the records of a launch's warps cost.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "record.h"
#include "simt/xray.h"

namespace simt {

class Worker;

class Counting {
  public:
    void begin_launch(unsigned width);  // of its blocks
    // A pattern that has been seen before is counted at once; false: add it with its addresses.
    // `line` is the number of its call site, `lanes` are all that the warp has.
    bool known(const Record& record, uint32_t line, uint32_t lanes);
    void add(const Record& record, const LaneAddresses& addresses, uint32_t line, uint32_t lanes);
    void publish(const void* kernel);  // adds what was counted to the kernel's counters

  private:
    struct Cost {
        uint32_t bytes = 0, sectors = 0, passes = 0, least = 0;
    };
    struct Memo {
        uint64_t pattern[2] = {};
        Cost cost;
    };
    void count(const Record& record, const Cost& cost, uint32_t line, uint32_t lanes);
    Memo& memo_of(const Record& record, uint64_t (&pattern)[2]);

    std::array<Memo, 1024> memo_;
    unsigned width_ = 0;
    Counters counted_;
    std::vector<LineCounters> lines_;  // by number
};

void count_launch(const void* kernel, uint64_t blocks, uint64_t threads);

}  // namespace simt
