// SPDX-License-Identifier: MIT
// Allocation, copies and fills. What a program may not rely on does not happen: copies run late, in both
// directions and from pageable memory too, and a result that was not waited for is NaN.
#include <algorithm>
#include <cstring>

#include "api.h"
#include "arena.h"
#include "gpu.h"
#include "pinned.h"
#include "simt/xray.h"
#include "stream.h"
#include "stream_order.h"

namespace simt {
namespace {

enum class Where { host, pinned, device };

uint64_t g_to_host = 0;

Where where(const void* p) {
    if (reinterpret_cast<uintptr_t>(p) - g_shadow.base >= g_shadow.size) return Where::host;
    const Block* block = Arena::instance().find(p);
    return block != nullptr && block->pinned ? Where::pinned : Where::device;
}

const char* name(cudaMemcpyKind kind) {
    switch (kind) {
        case cudaMemcpyHostToHost:
            return "cudaMemcpyHostToHost";
        case cudaMemcpyHostToDevice:
            return "cudaMemcpyHostToDevice";
        case cudaMemcpyDeviceToHost:
            return "cudaMemcpyDeviceToHost";
        case cudaMemcpyDeviceToDevice:
            return "cudaMemcpyDeviceToDevice";
        default:
            return "cudaMemcpyDefault";
    }
}

// One side of a copy: on the right side of the bus, inside of its allocation.
cudaError_t check_side(const Call& call, const void* p, size_t bytes, bool device, const char* side,
                       cudaMemcpyKind kind) {
    const Where at = where(p);
    if (kind != cudaMemcpyDefault && device != (at == Where::device))
        return call.mistake(FaultKind::copy, cudaErrorInvalidValue,
                            std::string("wrong direction: ") + name(kind) + ", but the " + side + " is " +
                                (at == Where::device ? "device" : "host") + " memory");
    if (at == Where::host || Arena::instance().covers(p, bytes)) return cudaSuccess;
    const Block* block = Arena::instance().find(p);
    const bool freed = block != nullptr && block->freed;
    return call.mistake(freed ? FaultKind::use_after_free : FaultKind::copy, cudaErrorInvalidValue,
                        std::to_string(bytes) + " bytes at the " + side + ": " +
                            (freed ? "use after free, " : "out of range, ") + Arena::instance().describe(p));
}

cudaError_t check_copy(const Call& call, const void* dst, const void* src, size_t bytes,
                       cudaMemcpyKind kind) {
    if (kind < cudaMemcpyHostToHost || kind > cudaMemcpyDefault)
        return call.mistake(FaultKind::copy, cudaErrorInvalidMemcpyDirection, "no such direction");
    if (bytes == 0) return cudaSuccess;
    if (dst == nullptr || src == nullptr)
        return call.mistake(FaultKind::copy, cudaErrorInvalidValue, "a null pointer");
    const bool to_device = kind == cudaMemcpyHostToDevice || kind == cudaMemcpyDeviceToDevice;
    const bool from_device = kind == cudaMemcpyDeviceToHost || kind == cudaMemcpyDeviceToDevice;
    const cudaError_t error = check_side(call, dst, bytes, to_device, "destination", kind);
    return error != cudaSuccess ? error : check_side(call, src, bytes, from_device, "source", kind);
}

void copy_now(void* dst, const void* src, size_t bytes) {
    access_in_stream(src, bytes, false);
    access_in_stream(dst, bytes, true);
    std::memmove(dst, src, bytes);
    if (where(dst) != Where::device) return;
    if (where(src) == Where::device)
        Arena::instance().copy_initialised(dst, src, bytes);
    else
        Arena::instance().mark_initialised(dst, bytes);
}

// The memory may have been freed between the call and the moment it runs.
cudaError_t still_alive(const Call& call, const void* p, size_t bytes) {
    if (where(p) == Where::host || Arena::instance().covers(p, bytes)) return cudaSuccess;
    return call.mistake(FaultKind::use_after_free, cudaErrorIllegalAddress,
                        "use after free by a queued copy: " + Arena::instance().describe(p));
}

struct Rows {
    void* dst;
    const void* src;
    size_t dst_pitch, src_pitch, width, height;
};

cudaError_t copy_rows(const Call& call, const Rows& rows, cudaMemcpyKind kind, cudaStream_t handle,
                      bool wait) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr)
        return call.mistake(FaultKind::stream, cudaErrorInvalidResourceHandle, "the stream does not exist");
    if (rows.width == 0 || rows.height == 0) return cudaSuccess;
    if (rows.width > rows.dst_pitch || rows.width > rows.src_pitch) return cudaErrorInvalidPitchValue;
    const size_t dst_bytes = (rows.height - 1) * rows.dst_pitch + rows.width;
    const size_t src_bytes = (rows.height - 1) * rows.src_pitch + rows.width;
    cudaError_t error = check_copy(call, rows.dst, rows.src, std::min(dst_bytes, src_bytes), kind);
    if (error == cudaSuccess && rows.height > 1)
        error = check_copy(call, rows.dst, rows.dst, dst_bytes, cudaMemcpyDefault);
    if (error == cudaSuccess && rows.height > 1)
        error = check_copy(call, rows.src, rows.src, src_bytes, cudaMemcpyDefault);
    if (error != cudaSuccess) return error;
    if (wait && forbidden_by_capture())
        return call.mistake(FaultKind::stream, cudaErrorStreamCaptureUnsupported,
                            "a stream is being captured");
    const bool to_host = where(rows.dst) != Where::device, pinned = where(rows.dst) == Where::pinned;
    const bool watched = pinned && !wait && !stream->capture;
    const auto run = [rows, watched, dst_bytes, src_bytes, call_name = call.name(), site = call.site()] {
        const Call again(call_name, site, true);
        if (watched) end_pending_copy(rows.dst, dst_bytes);
        cudaError_t alive = still_alive(again, rows.dst, dst_bytes);
        if (alive == cudaSuccess) alive = still_alive(again, rows.src, src_bytes);
        g_to_host += where(rows.dst) != Where::device && where(rows.src) == Where::device;
        for (size_t i = 0; alive == cudaSuccess && i < rows.height; ++i)
            copy_now(static_cast<char*>(rows.dst) + i * rows.dst_pitch,
                     static_cast<const char*>(rows.src) + i * rows.src_pitch, rows.width);
        return alive;
    };
    error = enqueue(stream, {cudaGraphNodeTypeMemcpy, call.name(), run, false, call.site()});
    if (error != cudaSuccess) return error;
    if (wait) return drain(stream);
    if (to_host && !stream->capture) {
        const PinnedAccess access;
        for (size_t i = 0; i < rows.height; ++i)
            std::memset(static_cast<char*>(rows.dst) + i * rows.dst_pitch, 0xff, rows.width);
        if (watched) begin_pending_copy(rows.dst, dst_bytes);
    }
    return cudaSuccess;
}

cudaError_t fill(const Call& call, void* p, int value, size_t bytes, cudaStream_t handle, bool wait) {
    CUstream_st* stream = stream_of(handle);
    if (stream == nullptr)
        return call.mistake(FaultKind::stream, cudaErrorInvalidResourceHandle, "the stream does not exist");
    if (bytes == 0) return cudaSuccess;
    if (where(p) == Where::host) return call.mistake(FaultKind::copy, cudaErrorInvalidValue, "host memory");
    if (!Arena::instance().covers(p, bytes))
        return call.mistake(FaultKind::copy, cudaErrorInvalidValue,
                            std::to_string(bytes) + " bytes: out of range, " + Arena::instance().describe(p));
    const auto run = [p, value, bytes, call_name = call.name(), site = call.site()] {
        const Call again(call_name, site, true);
        const cudaError_t error = still_alive(again, p, bytes);
        if (error != cudaSuccess) return error;
        access_in_stream(p, bytes, true);
        std::memset(p, value, bytes);
        Arena::instance().mark_initialised(p, bytes);
        return cudaSuccess;
    };
    const cudaError_t error =
        enqueue(stream, {cudaGraphNodeTypeMemset, call.name(), run, false, call.site()});
    return error == cudaSuccess && wait ? drain(stream) : error;
}

// Only what was allocated with the same kind of call may be freed, and once.
cudaError_t check_release(const Call& call, void* p, bool pinned) {
    const Block* block = Arena::instance().at(p);
    if (block == nullptr || block->pinned != pinned)
        return call.mistake(FaultKind::copy, cudaErrorInvalidValue,
                            std::string("not the begin of ") + (pinned ? "pinned" : "device") +
                                " memory: " + Arena::instance().describe(p));
    if (block->freed)
        return call.mistake(FaultKind::use_after_free, cudaErrorInvalidValue,
                            "freed twice: " + Arena::instance().describe(p));
    return cudaSuccess;
}

cudaError_t allocate(const Call& call, void** p, size_t bytes, bool pinned) {
    if (p == nullptr) return cudaErrorInvalidValue;
    *p = nullptr;
    if (forbidden_by_capture())
        return call.mistake(FaultKind::stream, cudaErrorStreamCaptureUnsupported,
                            "a stream is being captured");
    if (bytes == 0) return cudaSuccess;
    device_properties();  // chooses the GPU, and with it how much memory there is
    *p = Arena::instance().allocate(bytes, pinned, call.site());
    return *p == nullptr ? cudaErrorMemoryAllocation : cudaSuccess;
}

}  // namespace

uint64_t copies_to_host() {
    const std::lock_guard lock(api_mutex());
    return g_to_host;
}

}  // namespace simt

inline namespace simt_cuda {

using simt::Arena;
using simt::Call;

cudaError_t cudaMalloc(void** devPtr, size_t size) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] { return simt::allocate(call, devPtr, size, false); });
}

cudaError_t cudaMallocAsync(void** devPtr, size_t size, cudaStream_t hStream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (simt::stream_of(hStream) == nullptr)
            return call.mistake(simt::FaultKind::stream, cudaErrorInvalidResourceHandle,
                                "the stream does not exist");
        return simt::allocate(call, devPtr, size, false);
    });
}

cudaError_t cudaMallocHost(void** ptr, size_t size) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] { return simt::allocate(call, ptr, size, true); });
}

cudaError_t cudaHostAlloc(void** pHost, size_t size, unsigned int) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] { return simt::allocate(call, pHost, size, true); });
}

// Waits for all work of the device first.
cudaError_t cudaFree(void* devPtr) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (devPtr == nullptr) return cudaSuccess;
        if (simt::forbidden_by_capture())
            return call.mistake(simt::FaultKind::stream, cudaErrorStreamCaptureUnsupported,
                                "a stream is being captured");
        cudaError_t error = simt::check_release(call, devPtr, false);
        if (error == cudaSuccess) error = simt::drain_all();
        if (error == cudaSuccess) Arena::instance().release(*Arena::instance().at(devPtr), call.site());
        return error;
    });
}

cudaError_t cudaFreeHost(void* ptr) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        if (ptr == nullptr) return cudaSuccess;
        cudaError_t error = simt::check_release(call, ptr, true);
        if (error == cudaSuccess) error = simt::drain_all();
        if (error == cudaSuccess) Arena::instance().release(*Arena::instance().at(ptr), call.site());
        return error;
    });
}

cudaError_t cudaFreeAsync(void* devPtr, cudaStream_t hStream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        CUstream_st* stream = simt::stream_of(hStream);
        if (stream == nullptr)
            return call.mistake(simt::FaultKind::stream, cudaErrorInvalidResourceHandle,
                                "the stream does not exist");
        if (devPtr == nullptr) return cudaSuccess;
        const cudaError_t error = simt::check_release(call, devPtr, false);
        if (error != cudaSuccess) return error;
        const auto run = [devPtr, site = call.site()] {
            const Call again("cudaFreeAsync", site, true);
            const cudaError_t release = simt::check_release(again, devPtr, false);
            if (release == cudaSuccess) Arena::instance().release(*Arena::instance().at(devPtr), site);
            return release;
        };
        return simt::enqueue(stream, {cudaGraphNodeTypeEmpty, "cudaFreeAsync", run});
    });
}

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
    const Call call(__func__, __builtin_return_address(0));
    *total = simt::device_properties().totalGlobalMem;
    *free = *total - std::min(*total, Arena::instance().used());
    return cudaSuccess;
}

cudaError_t cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* ptr) {
    const Call call(__func__, __builtin_return_address(0));
    const simt::Where at = simt::where(ptr);
    *attributes = {};
    if (at == simt::Where::host) return cudaSuccess;
    attributes->type = at == simt::Where::pinned ? cudaMemoryTypeHost : cudaMemoryTypeDevice;
    attributes->devicePointer = const_cast<void*>(ptr);
    attributes->hostPointer = at == simt::Where::pinned ? attributes->devicePointer : nullptr;
    return cudaSuccess;
}

cudaError_t cudaMemcpy(void* dst, const void* src, size_t count, cudaMemcpyKind kind) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        return simt::copy_rows(call, {dst, src, count, count, count, 1}, kind, nullptr, true);
    });
}

cudaError_t cudaMemcpyAsync(void* dst, const void* src, size_t count, cudaMemcpyKind kind,
                            cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        return simt::copy_rows(call, {dst, src, count, count, count, 1}, kind, stream, false);
    });
}

cudaError_t cudaMemcpy2D(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width,
                         size_t height, cudaMemcpyKind kind) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        return simt::copy_rows(call, {dst, src, dpitch, spitch, width, height}, kind, nullptr, true);
    });
}

cudaError_t cudaMemcpy2DAsync(void* dst, size_t dpitch, const void* src, size_t spitch, size_t width,
                              size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] {
        return simt::copy_rows(call, {dst, src, dpitch, spitch, width, height}, kind, stream, false);
    });
}

cudaError_t cudaMemset(void* devPtr, int value, size_t count) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] { return simt::fill(call, devPtr, value, count, nullptr, false); });
}

cudaError_t cudaMemsetAsync(void* devPtr, int value, size_t count, cudaStream_t stream) {
    const Call call(__func__, __builtin_return_address(0));
    return call([&] { return simt::fill(call, devPtr, value, count, stream, false); });
}

}  // namespace simt_cuda
