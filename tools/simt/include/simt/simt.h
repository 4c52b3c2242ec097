// SPDX-License-Identifier: MIT
// What the software GPU offers beyond the toolkit: the reports of faults, how strict it is, and a fresh
// start.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "simt/api_types.h"

namespace simt {

enum class FaultKind {
    out_of_bounds,   // outside of every allocation, or of every shared array
    use_after_free,  // of device memory; also a second free
    uninitialised,   // a read of device or shared memory that nobody wrote
    misaligned,      // an address that is no multiple of the access's size
    host_pointer,    // pageable host memory in a kernel, or device memory in host code
    race,            // two threads, no barrier between them, at least one writes
    barrier,         // reached by a part of the block, or on different lines
    collective,      // a warp operation whose mask names a lane that has left or is elsewhere
    trap,            // __trap(), a division by zero
    hang,            // a thread that waits for ever, or comes to no end
    launch,          // a launch beyond the GPU's limits
    unchecked,       // a failed launch whose error nobody read
    copy,            // a wrong direction or range
    stream,          // results read before they were there, a handle that is none, a capture that went wrong
    library,         // a wrong argument of cuBLAS or cuDNN
    arithmetic,      // an integer overflows, a shift is out of range (LILY_SIMT_ARITHMETIC)
};

// A fault, and where it happened: in a kernel its line, block and thread, in host code the line of the call.
struct Fault {
    FaultKind kind;
    std::string what, kernel, file;
    int line = 0;
    uint3 block{}, thread{};
    const void* address = nullptr;
    cudaError_t error = cudaSuccess;
    // Of a race: the access that came first, what memory it is, and what would have ordered the two.
    struct Access {
        std::string what, file, function;
        int line = 0;
        uint3 block{}, thread{};
        bool in_kernel = true;  // else a copy, a fill or a library's call
    } other;
    std::string place, remedy;
    std::string text;  // all of it, as it is printed
};

// The faults since the last reset, oldest first; the text of the newest, or "".
std::vector<Fault> faults();
std::string last_report();

// What is no fault, and printed all the same: the search for races has reached its limit.
std::vector<std::string> notices();

enum class OnFault {
    report,  // print it; the call or the launch fails with a cudaError
    quiet,   // the same without printing: tests
    stop,    // print it and abort
};
void set_on_fault(OnFault behaviour);

// How much of a kernel's memory accesses is looked at; LILY_SIMT_XRAY=off|faults|full in the environment.
enum class Xray { off, faults, full };
Xray xray();
void set_xray(Xray level);
// Whether the kernels of this build are instrumented at all: not with the address sanitizer, which replaces
// it.
bool instrumented();

// Which order the threads, warps and blocks of launches run in, as far as barriers leave it open: 0 in order,
// else one that follows from the number (LILY_SIMT_SCHEDULE in the environment).
void set_schedule(uint64_t seed);
uint64_t schedule();

// After how many seconds without a barrier or an end a thread counts as hung (0: the default,
// LILY_SIMT_TIMEOUT or 60).
void set_timeout(double seconds);

// The shadow memory of the search for races: how much there is, how much there may be (0: the default,
// LILY_SIMT_SHADOW in MiB or half of the machine's memory).
size_t shadow_used();
void set_shadow_limit(size_t bytes);

// Device and pinned memory that is still allocated: where from, how much.
struct Allocation {
    const void* address;
    size_t bytes;
    bool pinned;
    std::string file;
    int line;
};
std::vector<Allocation> allocations();

// Chooses the GPU to be: A100, H100, RTX4090 or B200 (as LILY_SIMT_GPU does). Throws where there is no such
// name.
void choose_gpu(const std::string& name);

// The device as new: work, memory, errors and reports are gone. Handles of streams and graphs stay valid.
void reset();

}  // namespace simt
