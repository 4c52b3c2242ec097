// SPDX-License-Identifier: MIT
#include "stream.h"

#include <algorithm>
#include <chrono>
#include <set>

#include "api.h"
#include "gpu.h"
#include "pinned.h"
#include "stream_order.h"

namespace simt {
namespace {

// Never freed: work may be queued until the program's last destructor.
struct Streams {
    std::vector<CUstream_st*> all;  // destroyed ones too, while they hold work
    std::set<CUevent_st*> events;
    CUstream_st legacy;
    uint64_t serial = 0;
    std::vector<std::shared_ptr<Capture>> captures;
    uint32_t numbers = 0;  // that streams have been given; the legacy stream has 0
    KnownWork host;        // what the host has waited for
};
Streams& streams() {
    static auto* const made = new Streams();
    return *made;
}

double now() {
    return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now().time_since_epoch())
        .count();
}

bool blocking(const CUstream_st* stream) {
    return stream != &streams().legacy && (stream->flags & cudaStreamNonBlocking) == 0;
}

cudaError_t run_until(CUstream_st* stream, uint64_t serial);

CUstream_st* new_stream() {
    auto* stream = new CUstream_st;
    stream->number = ++streams().numbers;
    streams().all.push_back(stream);
    return stream;
}

// What work behind all of the stream's comes after.
KnownWork all_of(const CUstream_st* stream) { return joined(stream->known, stream->number, stream->newest); }

// Before work goes into the stream: it comes after what the host has waited for, and after the legacy
// stream's, or in that one after all that block.
void learn(CUstream_st* stream) {
    stream->known = joined(stream->known, streams().host);
    const auto follow = [&](const CUstream_st* other) {
        if (!knows(stream->known, other->number, other->newest))
            stream->known = joined(stream->known, all_of(other));
    };
    if (stream == &streams().legacy) {
        for (const CUstream_st* other : streams().all)
            if (blocking(other)) follow(other);
    } else if (blocking(stream)) {
        follow(&streams().legacy);
    }
}

KnownWork all_before(const Queued& marker) { return joined(marker.known, marker.number, marker.serial); }

// The host has waited for all that.
void host_knows(const KnownWork& work) {
    streams().host = joined(streams().host, work);
    const auto idle = [](const CUstream_st* stream) { return stream->queue.empty(); };
    if (streams().host != nullptr && idle(&streams().legacy) &&
        std::all_of(streams().all.begin(), streams().all.end(), idle))
        forget_past(streams().host);
}

cudaError_t run_front(CUstream_st* stream) {
    const std::shared_ptr<Queued> front = stream->queue.front();
    for (const auto& other : front->after)
        if (!other->done) run_until(other->stream, other->serial);
    if (stream == &streams().legacy) {
        const auto all = streams().all;
        for (CUstream_st* other : all)
            if (blocking(other)) run_until(other, front->serial);
    } else if (blocking(stream)) {
        run_until(&streams().legacy, front->serial);
    }
    if (stream->queue.empty() || stream->queue.front() != front) return sticky_error();
    stream->queue.pop_front();
    front->done = true;
    if (sticky_error() == cudaSuccess) {
        begin_stream_work(stream->number, front->serial, front->known);
        const cudaError_t error = perform(front->work);
        if (error != cudaSuccess) set_sticky_error(error);
    }
    front->finished_at = now();
    return sticky_error();
}

// Everything in the stream up to that serial number.
cudaError_t run_until(CUstream_st* stream, uint64_t serial) {
    while (!stream->queue.empty() && stream->queue.front()->serial <= serial) run_front(stream);
    return sticky_error();
}

void forget_destroyed() {
    std::erase_if(streams().all, [](CUstream_st* stream) {
        if (!stream->destroyed || !stream->queue.empty()) return false;
        delete stream;
        return true;
    });
}

}  // namespace

CUstream_st* stream_of(cudaStream_t handle) {
    if (handle == nullptr || handle == cudaStreamLegacy) return &streams().legacy;
    if (handle == cudaStreamPerThread) {
        thread_local CUstream_st* mine = new_stream();
        return mine;
    }
    for (CUstream_st* stream : streams().all)
        if (stream == handle && !stream->destroyed) return stream;
    return nullptr;
}

cudaError_t perform(const Work& work) {
    const bool runs = does_work() || work.always || work.type != cudaGraphNodeTypeKernel;
    if (!work.run || !runs) return cudaSuccess;
    begin_piece(work);
    const cudaError_t error = work.run(), raced = end_piece();
    return error != cudaSuccess ? error : raced;
}

cudaError_t enqueue(CUstream_st* stream, Work work) {
    if (stream->capture) {
        Capture& capture = *stream->capture;
        if (capture.invalid) return cudaErrorStreamCaptureInvalidated;
        capture.graph->nodes.push_back(std::make_unique<CUgraphNode_st>(CUgraphNode_st{std::move(work)}));
        capture.known[stream][stream] = ++capture.captured[stream];
        return cudaSuccess;
    }
    if (stream == &streams().legacy)
        for (const auto& capture : streams().captures)
            if (blocking(capture->origin) && capture->mode != cudaStreamCaptureModeRelaxed) {
                capture->invalid = true;
                return cudaErrorStreamCaptureImplicit;
            }
    learn(stream);
    stream->newest = ++streams().serial;
    stream->queue.push_back(std::make_shared<Queued>(Queued{.work = std::move(work),
                                                            .stream = stream,
                                                            .serial = stream->newest,
                                                            .after = {},
                                                            .known = stream->known,
                                                            .number = stream->number}));
    return cudaSuccess;
}

cudaError_t drain(CUstream_st* stream) {
    const PinnedAccess access;
    if (stream == &streams().legacy) {  // waiting for it is waiting for all blocking streams too
        const auto all = streams().all;
        for (CUstream_st* other : all)
            if (blocking(other)) run_until(other, UINT64_MAX);
        learn(stream);
    }
    const cudaError_t error = run_until(stream, UINT64_MAX);
    host_knows(all_of(stream));
    return error;
}

// The newest stream first: an order between streams that nobody asked for does not come about by chance.
cudaError_t drain_all() {
    const PinnedAccess access;
    const auto all = streams().all;
    for (auto stream = all.rbegin(); stream != all.rend(); ++stream) run_until(*stream, UINT64_MAX);
    run_until(&streams().legacy, UINT64_MAX);
    for (CUstream_st* stream : streams().all) stream->known = nullptr;
    streams().legacy.known = streams().host = nullptr;
    forget_past(nullptr);
    forget_destroyed();
    return sticky_error();
}

void drop_all_work() {
    for (CUstream_st* stream : streams().all) {
        stream->queue.clear();
        stream->capture.reset();
    }
    streams().legacy.queue.clear();
    streams().captures.clear();
    forget_past(nullptr);
    forget_pending_copies();
    forget_destroyed();
}

bool forbidden_by_capture() {
    bool found = false;
    for (const auto& capture : streams().captures)
        if (capture->mode == cudaStreamCaptureModeGlobal ||
            (capture->mode == cudaStreamCaptureModeThreadLocal &&
             capture->thread == std::this_thread::get_id()))
            found = capture->invalid = true;
    return found;
}

std::string pending_work() {
    std::vector<const Queued*> waiting;
    for (const auto& queued : streams().legacy.queue) waiting.push_back(queued.get());
    for (const CUstream_st* stream : streams().all)
        for (const auto& queued : stream->queue) waiting.push_back(queued.get());
    std::sort(waiting.begin(), waiting.end(), [](auto* a, auto* b) { return a->serial < b->serial; });
    std::string text;
    for (const Queued* queued : waiting)
        if (!queued->work.label.empty()) text += (text.empty() ? "" : ", ") + queued->work.label;
    return text.empty() ? "nothing" : text;
}

}  // namespace simt

inline namespace simt_cuda {

using simt::Call;
using simt::stream_of;
using simt::streams;

namespace {

cudaError_t no_stream(const Call& call) {
    return call.mistake(simt::FaultKind::stream, cudaErrorInvalidResourceHandle, "the stream does not exist");
}
bool exists(cudaEvent_t event) { return streams().events.contains(event); }
cudaError_t no_event(const Call& call) {
    return call.mistake(simt::FaultKind::stream, cudaErrorInvalidResourceHandle, "the event does not exist");
}

}  // namespace

cudaError_t cudaStreamCreateWithPriority(cudaStream_t* pStream, unsigned int flags, int priority) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (pStream == nullptr || flags > cudaStreamNonBlocking) return cudaErrorInvalidValue;
        *pStream = simt::new_stream();
        (*pStream)->flags = flags;
        (*pStream)->priority = std::clamp(priority, -5, 0);
        return cudaSuccess;
    });
}
cudaError_t cudaStreamCreateWithFlags(cudaStream_t* pStream, unsigned int flags) {
    simt::count_call(__func__);
    return cudaStreamCreateWithPriority(pStream, flags, 0);
}
cudaError_t cudaStreamCreate(cudaStream_t* pStream) {
    simt::count_call(__func__);
    return cudaStreamCreateWithPriority(pStream, cudaStreamDefault, 0);
}

// Its work is still done, some time.
cudaError_t cudaStreamDestroy(cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    CUstream_st* found = stream_of(stream);
    if (found == nullptr || found == &streams().legacy || stream == cudaStreamPerThread)
        return call.keep(no_stream(call));
    found->destroyed = true;
    simt::forget_destroyed();
    return call.keep(cudaSuccess);
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        CUstream_st* found = stream_of(stream);
        if (found == nullptr) return no_stream(call);
        if (found->capture) {
            found->capture->invalid = true;
            return call.mistake(simt::FaultKind::stream, cudaErrorStreamCaptureUnsupported,
                                "the stream is being captured");
        }
        return simt::drain(found);
    });
}

// Each question lets one piece of work happen, so that a program that polls gets on.
cudaError_t cudaStreamQuery(cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        CUstream_st* found = stream_of(stream);
        if (found == nullptr) return no_stream(call);
        if (found->queue.empty()) return simt::host_knows(simt::all_of(found)), cudaSuccess;
        const simt::PinnedAccess access;
        simt::run_front(found);
        return simt::sticky_error() != cudaSuccess ? simt::sticky_error() : cudaErrorNotReady;
    });
}

cudaError_t cudaStreamGetFlags(cudaStream_t hStream, unsigned int* flags) {
    const Call call(__func__, __builtin_return_address(0));
    CUstream_st* found = stream_of(hStream);
    if (found == nullptr) return call.keep(no_stream(call));
    *flags = found->flags;
    return cudaSuccess;
}

cudaError_t cudaStreamGetPriority(cudaStream_t hStream, int* priority) {
    const Call call(__func__, __builtin_return_address(0));
    CUstream_st* found = stream_of(hStream);
    if (found == nullptr) return call.keep(no_stream(call));
    *priority = found->priority;
    return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t fn, void* userData) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        CUstream_st* found = stream_of(stream);
        if (found == nullptr) return no_stream(call);
        const auto run = [fn, userData] {
            fn(userData);
            return cudaSuccess;
        };
        return simt::enqueue(found, {cudaGraphNodeTypeHost, "a host function", run});
    });
}

cudaError_t cudaDeviceSynchronize() {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (simt::forbidden_by_capture())
            return call.mistake(simt::FaultKind::stream, cudaErrorStreamCaptureUnsupported,
                                "a stream is being captured");
        return simt::drain_all();
    });
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned int flags) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (event == nullptr) return cudaErrorInvalidValue;
        *event = new CUevent_st;
        (*event)->flags = flags;
        streams().events.insert(*event);
        return cudaSuccess;
    });
}
cudaError_t cudaEventCreate(cudaEvent_t* event) {
    simt::count_call(__func__);
    return cudaEventCreateWithFlags(event, cudaEventDefault);
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
    const Call call(__func__, __builtin_return_address(0));
    if (!exists(event)) return call.keep(no_event(call));
    streams().events.erase(event);
    delete event;
    return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        CUstream_st* found = stream_of(stream);
        if (found == nullptr) return no_stream(call);
        if (!exists(event)) return no_event(call);
        if (found->capture) {
            event->captured = found->capture;
            event->behind = found->capture->known[found];
            event->recorded.reset();
            return cudaSuccess;
        }
        event->captured.reset();
        const cudaError_t error = simt::enqueue(found, {});
        if (error == cudaSuccess) event->recorded = found->queue.back();
        return error;
    });
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned int) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        CUstream_st* found = stream_of(stream);
        if (found == nullptr) return no_stream(call);
        if (!exists(event)) return no_event(call);
        if (event->captured) {  // the stream joins the capture
            if (found->capture && found->capture != event->captured) return cudaErrorStreamCaptureMerge;
            found->capture = event->captured;
            auto& known = found->capture->known[found];
            for (const auto& [other, count] : event->behind) known[other] = std::max(known[other], count);
            return cudaSuccess;
        }
        if (found->capture) return cudaErrorStreamCaptureIsolation;
        if (!event->recorded) return cudaSuccess;
        const cudaError_t error = simt::enqueue(found, {});
        if (error != cudaSuccess) return error;
        found->queue.back()->after.push_back(event->recorded);
        found->known = simt::joined(found->known, simt::all_before(*event->recorded));
        return cudaSuccess;
    });
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (!exists(event)) return no_event(call);
        if (event->captured) return cudaErrorCapturedEvent;
        if (!event->recorded) return cudaSuccess;
        const simt::PinnedAccess access;
        if (!event->recorded->done) simt::run_until(event->recorded->stream, event->recorded->serial);
        simt::host_knows(simt::all_before(*event->recorded));
        return simt::sticky_error();
    });
}

cudaError_t cudaEventQuery(cudaEvent_t event) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (!exists(event)) return no_event(call);
        if (event->captured) return cudaErrorCapturedEvent;
        if (!event->recorded) return cudaSuccess;
        if (event->recorded->done) return simt::host_knows(simt::all_before(*event->recorded)), cudaSuccess;
        const simt::PinnedAccess access;
        simt::run_front(event->recorded->stream);
        return simt::sticky_error() != cudaSuccess ? simt::sticky_error() : cudaErrorNotReady;
    });
}

cudaError_t cudaEventElapsedTime(float* ms, cudaEvent_t start, cudaEvent_t end) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (!exists(start) || !exists(end)) return no_event(call);
        if (ms == nullptr) return cudaErrorInvalidValue;
        if (((start->flags | end->flags) & cudaEventDisableTiming) != 0 || !start->recorded || !end->recorded)
            return cudaErrorInvalidResourceHandle;
        if (!start->recorded->done || !end->recorded->done) return cudaErrorNotReady;
        *ms = static_cast<float>(end->recorded->finished_at - start->recorded->finished_at);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        CUstream_st* found = stream_of(stream);
        if (found == nullptr) return no_stream(call);
        if (found == &streams().legacy)
            return call.mistake(simt::FaultKind::stream, cudaErrorStreamCaptureUnsupported,
                                "the legacy stream cannot be captured");
        if (found->capture) return cudaErrorIllegalState;
        found->capture = std::make_shared<simt::Capture>(simt::Capture{.graph = new CUgraph_st,
                                                                       .origin = found,
                                                                       .mode = mode,
                                                                       .thread = std::this_thread::get_id(),
                                                                       .invalid = false,
                                                                       .known = {},
                                                                       .captured = {}});
        streams().captures.push_back(found->capture);
        return cudaSuccess;
    });
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* pGraph) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        CUstream_st* found = stream_of(stream);
        if (found == nullptr) return no_stream(call);
        if (!found->capture) return cudaErrorIllegalState;
        const std::shared_ptr<simt::Capture> capture = found->capture;
        if (capture->origin != found) return cudaErrorStreamCaptureUnmatched;
        if (capture->mode != cudaStreamCaptureModeRelaxed && capture->thread != std::this_thread::get_id())
            return cudaErrorStreamCaptureWrongThread;
        cudaError_t error = capture->invalid ? cudaErrorStreamCaptureInvalidated : cudaSuccess;
        auto& known = capture->known[found];
        for (const auto& [other, count] : capture->captured)
            if (error == cudaSuccess && known[other] != count)
                error = call.mistake(simt::FaultKind::stream, cudaErrorStreamCaptureUnjoined,
                                     "another stream's captured work was not waited for");
        std::erase(streams().captures, capture);
        for (CUstream_st* other : streams().all)
            if (other->capture == capture) other->capture.reset();
        if (error != cudaSuccess) delete capture->graph;
        *pGraph = error == cudaSuccess ? capture->graph : nullptr;
        return error;
    });
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, cudaStreamCaptureStatus* pCaptureStatus) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        CUstream_st* found = stream_of(stream);
        if (found == nullptr) return no_stream(call);
        *pCaptureStatus = !found->capture           ? cudaStreamCaptureStatusNone
                          : found->capture->invalid ? cudaStreamCaptureStatusInvalidated
                                                    : cudaStreamCaptureStatusActive;
        return cudaSuccess;
    });
}

}  // namespace simt_cuda
