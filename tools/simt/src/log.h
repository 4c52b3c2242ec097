// SPDX-License-Identifier: MIT
// The memory accesses of a block between two barriers, from which the counters are made.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "simt/xray.h"

namespace simt {

class Worker;

struct Log {
    enum Kind : uint8_t { load, store, atomic, shared, shared_atomic };
    struct Access {
        uintptr_t address;
        uint32_t site;
        uint16_t bytes;
        Kind kind;
    };

    void add(unsigned thread, uintptr_t address, const void* site, size_t bytes, Kind kind);
    void flush(Worker& worker);
    void forget();
    void publish(const Worker& worker);  // adds what was counted to the kernel's counters

  private:
    void count(const Access* const* lanes, unsigned n);

    std::vector<std::vector<Access>> threads_;
    Counters counted_;
};

Counters& counters_of(const void* kernel);  // under the counters' lock
void count_launch(const void* kernel, uint64_t blocks, uint64_t threads);

}  // namespace simt
