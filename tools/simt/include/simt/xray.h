// SPDX-License-Identifier: MIT
// What the kernels did, counted: launches always, memory traffic at level Xray::full.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace simt {

// One direction of the traffic with global memory. A request is one instruction of one warp.
struct Traffic {
    uint64_t requests = 0;
    uint64_t bytes = 0;    // asked for by the threads
    uint64_t sectors = 0;  // of 32 bytes, moved for it: bytes / 32 is the least
    double sectors_per_request() const { return requests == 0 ? 0 : double(sectors) / double(requests); }
};

struct Counters {
    std::string kernel;
    uint64_t launches = 0, blocks = 0, threads = 0;
    Traffic loads, stores;
    uint64_t atomics = 0;          // requests to global or shared memory
    uint64_t shared_requests = 0;  // loads and stores of shared memory, by warp
    uint64_t shared_passes = 0;    // what they took: each bank gives one word per pass
    uint64_t shared_least = 0;     // what they had taken without bank conflicts
    uint64_t bank_conflicts() const { return shared_passes - shared_least; }
};

// The same by line of the sources, for what accesses memory there.
struct LineCounters {
    std::string kernel, file;
    int line = 0;
    uint64_t requests = 0;            // to global or shared memory, atomics among them
    uint64_t divergent = 0;           // those by a part of the warp's threads
    uint64_t bytes = 0, sectors = 0;  // of global memory
    uint64_t shared_passes = 0, shared_least = 0;
    uint64_t atomics = 0;
    uint64_t collisions = 0;  // of atomics: further lanes of a request at an address that one lane has too
};

std::vector<Counters> counters();           // by name of the kernel
std::vector<LineCounters> line_counters();  // by kernel, file and line
std::string line_counters_json();           // an array of objects with the members' names
void reset_counters();
// The kernels that the program contains, by the rule that a kernel's name ends in _kernel; counters() has
// those that ran.
std::vector<std::string> compiled_kernels();
// Launches by name of the kernel, since the program's start.
std::vector<std::pair<std::string, uint64_t>> launches();
// Calls of the runtime API and of the libraries by name, since the program's start.
std::vector<std::pair<std::string, uint64_t>> api_calls();
// Copies from device memory to the host that were done, since the program's start.
uint64_t copies_to_host();

}  // namespace simt
