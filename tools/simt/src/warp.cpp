// SPDX-License-Identifier: MIT
// Where the lanes of a warp meet: the last one to come computes everybody's result.
#include <algorithm>

#include "engine.h"

namespace simt {
namespace {

constexpr uint64_t kNobody = ~uint64_t{0};  // what a lane that does not exist hands over: NaN, -1

uint64_t fold(Collective operation, uint64_t a, uint64_t b) {
    const auto x = static_cast<uint32_t>(a), y = static_cast<uint32_t>(b);
    const auto i = static_cast<int32_t>(x), j = static_cast<int32_t>(y);
    switch (operation) {
        case Collective::reduce_add:
            return x + y;
        case Collective::reduce_min:
            return static_cast<uint32_t>(std::min(i, j));
        case Collective::reduce_max:
            return static_cast<uint32_t>(std::max(i, j));
        case Collective::reduce_umin:
            return std::min(x, y);
        case Collective::reduce_umax:
            return std::max(x, y);
        case Collective::reduce_and:
            return x & y;
        case Collective::reduce_or:
            return x | y;
        default:
            return x ^ y;
    }
}

// The lane a shuffle reads from; itself where the source lies outside of its section of the warp.
unsigned source(Collective operation, unsigned lane, int argument, unsigned width) {
    const unsigned first = lane / width * width;
    switch (operation) {
        case Collective::shuffle:
            return first + (static_cast<unsigned>(argument) & (width - 1));
        case Collective::shuffle_up: {
            const int from = static_cast<int>(lane) - argument;
            return from < static_cast<int>(first) ? lane : static_cast<unsigned>(from);
        }
        case Collective::shuffle_down: {
            const unsigned from = lane + static_cast<unsigned>(argument);
            return from >= first + width ? lane : from;
        }
        default: {  // of xor: may go back to an earlier section, not forward
            const unsigned from = lane ^ static_cast<unsigned>(argument);
            return from >= first + width ? lane : from;
        }
    }
}

}  // namespace

bool Worker::complete(unsigned warp, unsigned mask, Collective operation) {
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
        const CudaThread& lane = threads_[warp * kWarp + static_cast<unsigned>(__builtin_ctz(rest))];
        if (lane.state != State::at_collective || lane.mask != mask || lane.operation != operation)
            return false;
    }
    return true;
}

void Worker::give_results(unsigned warp, unsigned mask, Collective operation) {
    CudaThread* lanes = threads_ + warp * kWarp;
    uint64_t common = 0;
    if (operation == Collective::together) {
        Together* brought[kWarp] = {};
        for (unsigned lane = 0; lane < kWarp; ++lane)
            brought[lane] = reinterpret_cast<Together*>(lanes[lane].value);
        brought[0]->run(brought);
    } else if (operation == Collective::ballot) {
        for (unsigned rest = mask; rest != 0; rest &= rest - 1)
            common |= lanes[__builtin_ctz(rest)].value << __builtin_ctz(rest);
    } else if (operation >= Collective::reduce_add && operation <= Collective::reduce_xor) {
        common = lanes[__builtin_ctz(mask)].value;
        for (unsigned rest = mask & (mask - 1); rest != 0; rest &= rest - 1)
            common = fold(operation, common, lanes[__builtin_ctz(rest)].value);
    }
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
        const auto lane = static_cast<unsigned>(__builtin_ctz(rest));
        CudaThread& self = lanes[lane];
        self.result = common;
        if (operation == Collective::match_any) {
            for (unsigned other = mask; other != 0; other &= other - 1)
                if (lanes[__builtin_ctz(other)].value == self.value)
                    self.result |= uint64_t{1} << __builtin_ctz(other);
        } else if (operation <= Collective::shuffle_xor) {
            const unsigned from = source(operation, lane, self.argument, static_cast<unsigned>(self.width));
            self.result = (mask >> from & 1) != 0 ? lanes[from].value : kNobody;
        }
    }
}

// The text is kept in the worker: nothing on the fiber's stack is destroyed any more.
void Worker::complain(const char* what, Site site) {
    complaint_ = what;
    fail(FaultKind::collective, cudaErrorLaunchFailure, complaint_, site);
}

uint64_t Worker::collective(Collective operation, unsigned mask, uint64_t value, int argument, int width,
                            Site site) {
    const InRuntime runtime;
    const unsigned warp = thread / kWarp, lane = thread % kWarp, first = warp * kWarp;
    const unsigned there = count_ - first >= kWarp ? ~0u : (1u << (count_ - first)) - 1;
    if ((mask >> lane & 1) == 0) complain("a lane calls a warp operation whose mask does not name it", site);
    if (width <= 0 || width > 32 || (width & (width - 1)) != 0)
        complain("the width of a shuffle is no power of two up to 32", site);
    mask &= there;  // lanes that the block does not have
    if (const unsigned gone = mask & done_[warp]; gone != 0) {
        complaint_ = "a warp operation's mask names " +
                     where(first + static_cast<unsigned>(__builtin_ctz(gone))) +
                     ", which has left the kernel";
        fail(FaultKind::collective, cudaErrorLaunchFailure, complaint_, site);
    }
    CudaThread& self = threads_[thread];
    self.operation = operation;
    self.mask = mask;
    self.value = value;
    self.argument = argument;
    self.width = width;
    self.site = site;
    self.state = State::at_collective;
    pending_[warp] |= 1u << lane;
    if ((pending_[warp] & mask) != mask || !complete(warp, mask, operation)) {
        wait();
        return self.result;
    }
    pending_[warp] &= ~mask;
    step();
    give_results(warp, mask, operation);
    if (operation == Collective::sync && full) {
        flush_warp(*this, warp);
        begin_interval(warp, true);
        order.sync_warp(*this, warp);
    }
    for (unsigned rest = mask; rest != 0; rest &= rest - 1) {
        const unsigned other = first + static_cast<unsigned>(__builtin_ctz(rest));
        if (other != thread) make_ready(other);
    }
    self.state = State::running;
    return self.result;
}

unsigned Worker::active_mask() const {
    const unsigned warp = thread / kWarp, left = count_ - warp * kWarp;
    return (left >= kWarp ? ~0u : (1u << left) - 1) & ~done_[warp];
}

}  // namespace simt

// What the kernels call. The address they return to is the line that a report shows.
inline namespace simt_cuda {

void __syncthreads(const char* file, int line) {
    simt::t_worker->barrier(0, 0, {__builtin_return_address(0), file, line});
}
int __syncthreads_count(int predicate, const char* file, int line) {
    return simt::t_worker->barrier(predicate, 0, {__builtin_return_address(0), file, line});
}
int __syncthreads_and(int predicate, const char* file, int line) {
    return simt::t_worker->barrier(predicate, 1, {__builtin_return_address(0), file, line});
}
int __syncthreads_or(int predicate, const char* file, int line) {
    return simt::t_worker->barrier(predicate, 2, {__builtin_return_address(0), file, line});
}
void __syncwarp(unsigned mask) {
    simt::t_worker->collective(simt::Collective::sync, mask, 0, 0, 32, __builtin_return_address(0));
}
unsigned __activemask() { return simt::t_worker->active_mask(); }
void __trap() {
    static const std::string what = "__trap() was called";
    simt::t_worker->fail(simt::FaultKind::trap, cudaErrorLaunchFailure, what, __builtin_return_address(0));
}

}  // namespace simt_cuda

namespace simt {

uint64_t collective(Collective operation, unsigned mask, uint64_t value, int argument, int width) {
    return t_worker->collective(operation, mask, value, argument, width, __builtin_return_address(0));
}

void together(Together& mine) {
    const void* site = __builtin_return_address(0);
    if (t_worker->active_mask() != ~0u)
        t_worker->complain("an operation of a whole warp in a part of one", site);
    t_worker->collective(Collective::together, ~0u, reinterpret_cast<uint64_t>(&mine), 0, 32, site);
}

void fence(Scope scope) { t_worker->fence(scope); }
void set_scope(Scope scope) { t_worker->scope = scope; }

void refuse(const char* what) { t_worker->complain(what, __builtin_return_address(0)); }

}  // namespace simt

void* lily_simt_dynamic_shared() { return simt::t_worker->dynamic_shared(); }
