// SPDX-License-Identifier: MIT
// Streams that run late: work is kept until a call has to wait for it, and then no more is done than that
// call needs.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "clock.h"
#include "cuda_runtime_api.h"

namespace simt {

// A piece of work of a stream or a graph.
struct Work {
    cudaGraphNodeType type = cudaGraphNodeTypeEmpty;
    std::string label;  // for reports: the kernel's name, or the call
    std::function<cudaError_t()> run;
    bool always = false;         // also on a GPU that does no work
    const void* site = nullptr;  // of the call
};

struct Queued {
    Work work;
    CUstream_st* stream;
    uint64_t serial;
    std::vector<std::shared_ptr<Queued>> after;  // of other streams, by events
    KnownWork known;                             // what comes before it
    uint32_t number = 0;                         // of its stream, which may be gone
    bool done = false;
    double finished_at = 0;  // ms, for events
};

// A capture: the work of all streams that take part, in the order of the calls, which is one that may be run.
struct Capture {
    CUgraph_st* graph;
    CUstream_st* origin;
    cudaStreamCaptureMode mode;
    std::thread::id thread;  // that began it
    bool invalid = false;
    // stream -> how much of each stream's captured work its next piece comes after
    std::map<CUstream_st*, std::map<CUstream_st*, size_t>> known;
    std::map<CUstream_st*, size_t> captured;
};

// The stream behind a handle (0 and the special ones included); null where it is none.
CUstream_st* stream_of(cudaStream_t handle);
// Does it; nothing, on a GPU that does no work (gpu.h).
cudaError_t perform(const Work& work);
// Puts work into a stream, or into the graph that it is being captured into.
cudaError_t enqueue(CUstream_st* stream, Work work);
// Runs what the stream (or everything) holds; the first error stays.
cudaError_t drain(CUstream_st* stream);
cudaError_t drain_all();
void drop_all_work();
// A call that waits or allocates is not allowed while a capture forbids it, a thread-local one to its thread
// alone: invalidates the capture and says so.
bool forbidden_by_capture();
// "kernel f, then cudaMemcpyAsync": what is waiting in all streams, for reports.
std::string pending_work();

}  // namespace simt

inline namespace simt_cuda {

struct CUstream_st {
    unsigned flags = 0;
    int priority = 0;
    uint32_t number = 0;
    uint64_t newest = 0;    // the serial number of its last piece of work
    simt::KnownWork known;  // what comes before its next one, in other streams
    bool destroyed = false;
    std::deque<std::shared_ptr<simt::Queued>> queue;
    std::shared_ptr<simt::Capture> capture;
};

struct CUevent_st {
    unsigned flags = 0;
    std::shared_ptr<simt::Queued> recorded;
    std::shared_ptr<simt::Capture> captured;  // recorded in a capture: what it stands behind
    std::map<CUstream_st*, size_t> behind;
};

struct CUgraphNode_st {
    simt::Work work;
};

struct CUgraph_st {
    std::vector<std::unique_ptr<CUgraphNode_st>> nodes;
};

struct CUgraphExec_st {
    std::vector<simt::Work> works;
};

}  // namespace simt_cuda
