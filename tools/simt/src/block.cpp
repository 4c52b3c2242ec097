// SPDX-License-Identifier: MIT
// One block: its threads start in order, each on the fiber that is running, and only a thread that waits
// keeps its own. A kernel without barriers never switches.
#include <sys/mman.h>

#include <algorithm>
#include <cstring>
#include <new>

#include "counters.h"
#include "engine.h"
#include "fiber.h"
#include "report.h"
#include "sanitizer.h"
#include "signals.h"

// declared const to the kernels: see simt/device.h
__thread uint3 threadIdx;
__thread uint3 blockIdx;
__thread uint3 blockDim;
__thread uint3 gridDim;

namespace simt {

__thread Worker* t_worker = nullptr;

bool is_coordinate(uintptr_t address) {
    for (const uint3* each : {&threadIdx, &blockIdx, &blockDim, &gridDim})
        if (address - reinterpret_cast<uintptr_t>(each) < sizeof(uint3)) return true;
    return false;
}

Worker& Worker::of_this_thread() {
    static thread_local const auto worker =
        std::make_unique<Worker>();  // too large for thread-local memory itself
    return *worker;
}

Worker::Worker() : main_(std::make_unique<Fiber>(nullptr)), running_(main_.get()) {
    const auto blocks = thread_local_blocks();
    if (!blocks.empty()) {
        locals = blocks[0].begin;
        locals_bytes = blocks[0].size;
        other_locals.assign(blocks.begin() + 1, blocks.end());
    }
    void* memory = mmap(nullptr, kMostShared + 2 * kSharedGuard, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) throw std::bad_alloc();
    shared = reinterpret_cast<uintptr_t>(memory) + kSharedGuard;
    poison(memory, kSharedGuard);
    ready_.reserve(2 * kMaxThreads);
    enlist();
    counting = std::make_unique<Counting>();
}

Worker::~Worker() {
    resign();
    release_shadows(*this);
    unpoison(reinterpret_cast<void*>(shared - kSharedGuard), kMostShared + 2 * kSharedGuard);
    munmap(reinterpret_cast<void*>(shared - kSharedGuard), kMostShared + 2 * kSharedGuard);
}

void Worker::run_blocks(Launch& which) {
    launch = &which;
    prepare_signals_thread();
    blockDim = which.block;
    gridDim = which.grid;
    count_ = which.block.x * which.block.y * which.block.z;
    for (unsigned i = 0; i < count_; ++i) {
        indices_[i] = {i % which.block.x, i / which.block.x % which.block.y,
                       i / (which.block.x * which.block.y)};
        lanes_at[i] = {static_cast<int32_t>(i % which.block.x), static_cast<int32_t>(i / which.block.x)};
    }
    for (unsigned i = count_; i % kWarp != 0; ++i) lanes_at[i] = lanes_at[count_ - 1];
    for (auto& records : all_lists_) records->clear();
    shared_bytes = which.dynamic_shared;
    unpoison(dynamic_shared(), shared_bytes);
    poison(reinterpret_cast<void*>(shared + shared_bytes), kMostShared - shared_bytes + kSharedGuard);
    prepare_shadows(*this);
    const uint64_t blocks = which.blocks(), piece = std::clamp<uint64_t>(blocks / 256, 1, 64);
    while (!which.stopped.load(std::memory_order_relaxed)) {
        const uint64_t first = which.next_block.fetch_add(piece, std::memory_order_relaxed);
        if (first >= blocks) break;
        for (uint64_t b = first; b < std::min(blocks, first + piece); ++b) {
            if (which.stopped.load(std::memory_order_relaxed)) break;
            run_block(Schedule::place(which.schedule, b, blocks));
        }
    }
    if (full) counting->publish(which.function);
    launch = nullptr;
}

void Worker::begin_block(uint64_t index) {
    const dim3 grid = launch->grid;
    blockIdx = {static_cast<unsigned>(index % grid.x), static_cast<unsigned>(index / grid.x % grid.y),
                static_cast<unsigned>(index / grid.x / grid.y)};
    block_index = static_cast<uint32_t>(index);
    epoch = 0;
    std::memset(done_, 0, sizeof(done_));
    std::memset(pending_, 0, sizeof(pending_));
    std::memset(settled_, 0, sizeof(settled_));
    for (unsigned i = 0; i < count_; ++i) threads_[i].state = State::waiting_to_start;
    ready_.clear();
    ready_head_ = next_ = finished_ = waiting_ = 0;
    counted_ = 0;
    barrier_site_ = {};
    sites_differ_ = aborted_ = false;
    if (shared_bytes > 0) std::memset(reinterpret_cast<void*>(shared), 0xff, shared_bytes);
    clear_shared_shadow(*this);
    if (full) {
        order.begin_block();
        begin_epoch();
    }
    if (copied_) {
        for (unsigned i = 0; i < kMaxThreads; ++i) copies_[i].clear(), batches_[i] = 0;
        copied_ = false;
    }
}

void Worker::run_block(uint64_t index) {
    begin_block(index);
    schedule_ = Schedule(launch->schedule == 0 ? 0 : launch->schedule * 0x9e3779b97f4a7c15 + index + 1);
    if (!schedule_.in_order()) schedule_.shuffle(starts_, count_);
    Fiber* first = next_fiber();
    start_first_ = polling_ = false;
    in_block_ = true;
    t_worker = this;
    switch_to(first);
    while (!aborted_ && finished_ < count_) stuck();  // does not come back to a thread: it aborts
    t_worker = t_checked = nullptr;
    in_block_ = false;
    if (aborted_) {  // what was running on the fibers is left where it was
        for (unsigned warp = 0; warp < kMaxThreads / kWarp; ++warp) end_list(warp);
        idle_.clear();
        for (auto& fiber : fibers_) {
            fiber->restart();
            idle_.push_back(fiber.get());
        }
    }
}

Fiber* Worker::next_fiber() {
    if (ready_head_ < ready_.size()) {
        if (!schedule_.in_order())
            std::swap(ready_[ready_head_],
                      ready_[ready_head_ + schedule_.draw() % (ready_.size() - ready_head_)]);
        const unsigned index = ready_[ready_head_++];
        if (ready_head_ == ready_.size()) {
            ready_.clear();
            ready_head_ = 0;
        }
        return threads_[index].fiber;
    }
    return next_ < count_ ? fresh_fiber() : nullptr;
}

Fiber* Worker::fresh_fiber() {
    if (idle_.empty()) {
        fibers_.push_back(std::make_unique<Fiber>(this, fibers_.size()));
        return fibers_.back().get();
    }
    Fiber* fiber = idle_.back();
    idle_.pop_back();
    return fiber;
}

void Worker::take_up(unsigned index) {
    thread = index;
    threadIdx = indices_[index];
    threads_[index].state = State::running;
    if (full) bind();
}

// Where the running thread records: the list of its warp.
void Worker::bind() {
    const unsigned warp = thread / kWarp, lane = thread % kWarp;
    list = lists[warp];
    if (list == nullptr)
        cursor = nowhere();
    else if (list->cursors[lane].expected != nullptr)
        cursor = list->cursors[lane];
    else if (Record* first = list->data + (list->start != 0 ? list->start : list->links[0].next); true)
        cursor = {first, first, list->data};
    lane_bit = 1u << lane;
    lane_at = lanes_at + warp * kWarp;
    x = lane_at[lane].x;
    y = lane_at[lane].y;
    scope = Scope::device;
}

void Worker::unbind() {
    if (list != nullptr) list->cursors[thread % kWarp] = cursor;
}

void Worker::begin_list() {
    if (idle_lists_.empty()) {
        all_lists_.push_back(std::make_unique<Records>());
        idle_lists_.push_back(all_lists_.back().get());
    }
    lists[thread / kWarp] = idle_lists_.back();
    idle_lists_.pop_back();
    bind();
}

void Worker::end_list(unsigned warp) {
    if (lists[warp] == nullptr) return;
    lists[warp]->finish();
    idle_lists_.push_back(lists[warp]);
    lists[warp] = nullptr;
    if (thread / kWarp == warp) bind();
}

// The lane has come to the end of what it does without the others. The last one of the warp: all of it can be
// looked at.
void Worker::settle(unsigned index) {
    if (!full) return;
    const unsigned warp = index / kWarp, left = count_ - warp * kWarp;
    settled_[warp] |= 1u << index % kWarp;
    if (settled_[warp] == (left >= kWarp ? ~0u : (1u << left) - 1)) flush_warp(*this, warp);
}

void Worker::begin_epoch() {
    const unsigned warps = (count_ + kWarp - 1) / kWarp;
    epoch_stamp = take_stamps(*this, warps);
    for (unsigned warp = 0; warp < warps; ++warp) {
        warp_stamp[warp] = epoch_stamp + warp;
        describe(warp_stamp[warp], {block_index, epoch, 0, warp});
        settled_[warp] = done_[warp];
    }
}

void Worker::begin_interval(unsigned warp, bool warp_met) {
    Interval interval = interval_of(warp_stamp[warp]);
    interval.warp_epoch += warp_met;
    warp_stamp[warp] = take_stamps(*this, 1);
    describe(warp_stamp[warp], interval);
}

void Worker::fence(Scope fenced) {
    if (!full) return;
    const InRuntime runtime;
    const unsigned warp = thread / kWarp;
    flush_races(*this, warp);
    order.fence(*this, fenced);
    begin_interval(warp, false);
}

void Worker::before_atomic(uintptr_t address, int how) {
    const InRuntime runtime;
    const bool releases = how >= __ATOMIC_RELEASE;
    const unsigned warp = thread / kWarp;
    if (releases) flush_races(*this, warp);
    order.release(*this, address, how, scope);
    if (releases) begin_interval(warp, false);
}

void Worker::after_atomic(uintptr_t address, int how) {
    const InRuntime runtime;
    if (order.acquire(*this, address, how, scope)) flush_races(*this, thread / kWarp);
}

void Worker::fiber_main(Fiber* self) {
    for (;;) {
        while (next_ < count_ && (start_first_ || ready_head_ == ready_.size())) {
            const unsigned index = schedule_.in_order() ? next_ : starts_[next_];
            ++next_;
            start_first_ = false;
            step();
            threads_[index].fiber = self;
            take_up(index);
            t_checked = faults ? this : nullptr;
            launch->signature->call(launch->function, launch->arguments.data());
            t_checked = nullptr;
            threads_[index].state = State::done;
            done_[index / kWarp] |= 1u << index % kWarp;
            ++finished_;
            settle(index);
            step();
        }
        Fiber* next = ready_head_ < ready_.size() ? next_fiber() : main_.get();
        idle_.push_back(self);
        switch_to(next);
    }
}

void Worker::wait() {
    const unsigned index = thread;
    if (full) unbind();
    Fiber* next = next_fiber();
    switch_to(next != nullptr ? next : main_.get());
    take_up(index);
}

void Worker::make_ready(unsigned index) {
    threads_[index].state = State::ready;
    ready_.push_back(index);
}

int Worker::barrier(int predicate, int how, Site site) {
    const InRuntime runtime;
    CudaThread& self = threads_[thread];
    self.site = site;
    if (waiting_ == 0) {
        barrier_site_ = site;
        sites_differ_ = false;
        counted_ = how == 1;
    }
    sites_differ_ |= site.line != barrier_site_.line;
    if (how == 0) counted_ += predicate != 0;
    if (how == 1) counted_ &= predicate != 0;
    if (how == 2) counted_ |= predicate != 0;
    self.state = State::at_barrier;
    if (++waiting_ == count_) {
        if (sites_differ_) check_sites();
        settle(thread);
        waiting_ = 0;
        step();
        ++epoch;
        if (full) {
            begin_epoch();
            order.barrier(*this);
        }
        barrier_result_ = counted_;
        for (unsigned i = 0; i < count_; ++i)
            if (i != thread) make_ready(i);
        self.state = State::running;
        return barrier_result_;
    }
    settle(thread);
    wait();
    return barrier_result_;
}

// Hardware may let it pass, the programming guide does not.
void Worker::check_sites() {
    for (unsigned i = 0; i < count_; ++i)
        if (threads_[i].site.line != barrier_site_.line) {
            complaint_ = "threads of one block wait at different barriers: " + where(i) + " at line " +
                         std::to_string(threads_[i].site.line) + ", others at line " +
                         std::to_string(barrier_site_.line);
            fail(FaultKind::barrier, cudaErrorLaunchFailure, complaint_, threads_[i].site);
        }
}

Frame Site::frame() const {
    Frame found = locate(address);
    if (file != nullptr) found.file = file, found.line = line;
    return found;
}

std::string Worker::where(unsigned index) const {
    const uint3 t = indices_[index];
    return "thread (" + std::to_string(t.x) + "," + std::to_string(t.y) + "," + std::to_string(t.z) + ")";
}

// No thread can go on. Whoever is missing at a barrier or in a warp operation is named.
void Worker::stuck() {
    unsigned missing = count_, waits = count_;
    for (unsigned i = 0; i < count_ && waits == count_; ++i)
        if (threads_[i].state == State::at_collective) waits = i;
    if (waits != count_) {
        const CudaThread& lane = threads_[waits];
        const unsigned first = waits / kWarp * kWarp;
        for (unsigned i = first; i < std::min(count_, first + kWarp) && missing == count_; ++i) {
            const CudaThread& other = threads_[i];
            if ((lane.mask >> (i - first) & 1) != 0 &&
                (other.state != State::at_collective || other.mask != lane.mask ||
                 other.operation != lane.operation))
                missing = i;
        }
        thread = waits;
        threadIdx = indices_[waits];
        if (missing == count_) missing = waits;
        record(
            FaultKind::collective, cudaErrorLaunchFailure,
            "a warp operation waits for ever: its mask names " + where(missing) + ", which " + doing(missing),
            lane.site);
        return;
    }
    for (unsigned i = 0; i < count_; ++i) {
        if (threads_[i].state == State::at_barrier && waits == count_) waits = i;
        if (threads_[i].state == State::done && missing == count_) missing = i;
    }
    thread = waits;
    threadIdx = indices_[waits];
    record(FaultKind::barrier, cudaErrorLaunchFailure,
           "a barrier is reached by " + std::to_string(waiting_) + " of the block's " +
               std::to_string(count_) + " threads: " + where(missing) + " " + doing(missing),
           threads_[waits].site);
}

std::string Worker::doing(unsigned index) const {
    const CudaThread& thread = threads_[index];
    if (thread.state == State::done) return "has left the kernel";
    const Frame at = thread.site.frame();
    if (thread.state == State::at_barrier) return "waits at the barrier of line " + std::to_string(at.line);
    return "is in another warp operation, line " + std::to_string(at.line);
}

void Worker::record(FaultKind kind, cudaError_t error, const std::string& what, Site site,
                    const void* address) {
    Fault fault{};
    fault.kind = kind;
    fault.what = what;
    fault.address = address;
    fault.error = error;
    record(std::move(fault), site);
}

void Worker::record(Fault fault, Site site) {
    aborted_ = true;
    if (launch->stopped.exchange(true)) return;  // one report per launch: the first
    launch->error = fault.error;
    const Frame at = site.frame();
    fault.kernel = kernel_name(launch->function);
    fault.file = at.file;
    fault.line = at.line;
    fault.block = blockIdx;
    fault.thread = threadIdx;
    report_in_kernel(std::move(fault), launch->grid, launch->block, at.function);
}

void Worker::fail(FaultKind kind, cudaError_t error, const std::string& what, Site site,
                  const void* address) {
    const InRuntime runtime;  // until the next thread is switched to
    record(kind, error, what, site, address);
    switch_to(main_.get());
    __builtin_unreachable();
}

void Worker::fail_at(unsigned index, Fault fault, Site site) {
    const InRuntime runtime;
    threadIdx = indices_[index];
    record(std::move(fault), site);
    switch_to(main_.get());
    __builtin_unreachable();
}

}  // namespace simt
