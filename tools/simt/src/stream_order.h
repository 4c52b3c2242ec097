// SPDX-License-Identifier: MIT
// Races between the work of different streams. Each piece of work knows what comes before it (vector clocks,
// joined by events, by the legacy stream, and by the host's waiting); what has run and is not known to the
// piece that runs now is searched for accesses to the same memory. With one stream all of it is known.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "clock.h"
#include "order.h"
#include "simt/launch.h"

namespace simt {

struct Launch;
struct Work;

// A kernel's launch or another piece of work that has run.
struct PastWork {
    uint32_t stream = 0;
    uint64_t serial = 0;
    Stamp first = 0, end = 0;  // its accesses bear these stamps
    const void* function = nullptr;
    dim3 grid, block;
    std::string call;  // copies, fills and libraries, which access ranges
    const void* site = nullptr;
    struct Span {
        uintptr_t begin, end;
        bool write;
    };
    std::vector<Span> spans;
};

// Around a piece of work of a stream.
void begin_stream_work(uint32_t stream, uint64_t serial, const KnownWork& known);
// Around each piece of a graph, or the only one. The error: a race that its accesses have shown.
void begin_piece(const Work& work);
cudaError_t end_piece();

// A copy, a fill or a library reads or writes device memory now.
void access_in_stream(const void* p, size_t bytes, bool write);

// Of a launch that begins: takes its stamps, and finds what has run without an order to it.
void order_launch(Launch& launch);
void launch_has_run(const Launch& launch);
// The work that an older stamp is of.
const PastWork* work_of(Stamp stamp);
Stamp oldest_past_stamp(Stamp otherwise);
void forget_past_before(Stamp stamp);
// All that comes before what the host does from now on; everything, where `known` is null.
void forget_past(const KnownWork& known);

// What would have ordered work of two streams.
inline constexpr const char* kOrdersStreams =
    "an event: cudaEventRecord behind the first in its stream, cudaStreamWaitEvent in the other stream "
    "before the second";

}  // namespace simt
