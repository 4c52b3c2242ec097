// SPDX-License-Identifier: MIT
// Runs the blocks of a launch. A CUDA thread is a fiber; the threads of a block share one OS thread.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "order.h"
#include "races.h"
#include "record.h"
#include "schedule.h"
#include "simt/collective.h"
#include "simt/launch.h"
#include "simt/simt.h"
#include "symbols.h"

namespace simt {

constexpr unsigned kMaxThreads = 1024;
constexpr unsigned kWarp = 32;
constexpr size_t kMostShared = 256 << 10;  // more than any GPU has
constexpr size_t kSharedGuard = 1 << 20;   // addresses around the dynamic shared memory that are nobody's

// One launch: what to call, with which arguments, how often.
struct Launch {
    const void* function = nullptr;
    const Signature* signature = nullptr;
    std::vector<std::byte> storage;
    std::vector<void*> arguments;
    dim3 grid, block;
    size_t dynamic_shared = 0;
    const void* site = nullptr;  // of the launching call
    Stamp first_stamp = 0;       // of its accesses (order.h)
    // Of work of other streams that has run and is in no order to this one: its stamps, and the least of all
    // that count.
    std::vector<std::pair<Stamp, Stamp>> unordered;
    Stamp oldest_stamp = 0;
    uint64_t schedule = 0;  // the order of its blocks and threads; 0: none but theirs
    bool alone = false;     // one OS thread runs all of it
    std::atomic<uint64_t> next_block = 0;
    std::atomic<bool> stopped = false;  // by a fault
    std::atomic<unsigned> extra = 0;    // OS threads beyond the usual number
    std::atomic<int64_t> moved = 0;     // ms, when the last of them was asked for
    cudaError_t error = cudaSuccess;

    uint64_t blocks() const { return uint64_t{grid.x} * grid.y * grid.z; }
};

// Runs all blocks, on all cores; returns when they are done. What a fault in the kernel makes of it is the
// result.
cudaError_t run(Launch& launch);
// Another OS thread takes part: the blocks that run wait for one that does not yet.
void one_more_block(Launch& launch);

struct Fiber;

enum class State : uint8_t { waiting_to_start, running, ready, at_barrier, at_collective, done };

// A place in the sources: the address a call returns to, and its line where the caller gave it.
struct Site {
    const void* address = nullptr;
    const char* file = nullptr;
    int line = 0;
    Site(const void* at, const char* f = nullptr, int l = 0) : address(at), file(f), line(l) {}
    Site() = default;
    Frame frame() const;
};

struct CudaThread {
    Fiber* fiber;
    Site site;  // where it waits
    uint64_t value, result;
    unsigned mask;
    int argument, width;
    Collective operation;
    State state;
};

class Counting;

// A thread's place in its block, as a record's formula takes it (record.h): y counts the rows of all z.
struct LaneAt {
    int32_t x, y;
};
inline uintptr_t predict(const Record& record, LaneAt at) {
    return record.base + static_cast<uintptr_t>(int64_t{at.x} * record.dx + int64_t{at.y} * record.dy);
}

// What a block needs; one per OS thread.
class Worker {
  public:
    Worker();
    ~Worker();
    static Worker& of_this_thread();

    void run_blocks(Launch& launch);

    // Called from inside of a kernel.
    int barrier(int predicate, int how, Site site);  // how: 0 count, 1 and, 2 or
    uint64_t collective(Collective operation, unsigned mask, uint64_t value, int argument, int width,
                        Site site);
    unsigned active_mask() const;
    [[noreturn]] void fail(FaultKind kind, cudaError_t error, const std::string& what, Site site,
                           const void* address = nullptr);

    [[noreturn]] void complain(const char* what, Site site);

    // Copies that a thread has begun and not waited for; batch by batch.
    struct Copy {
        void* to;
        const void* from;
        unsigned bytes, zeros, batch;
        const void* site;
    };
    std::vector<Copy>& copies() { return copies_[thread]; }
    unsigned& batch() { return batches_[thread]; }
    void note_copy() { copied_ = true; }

    // What the checks of memory accesses look at, together at the front.
    uintptr_t stack = 0, stack_bytes = 0;    // of the running fiber
    uintptr_t shared = 0, shared_bytes = 0;  // dynamic
    uintptr_t locals = 0, locals_bytes = 0;  // thread-local variables: static shared memory
    uint8_t* shared_initialised = nullptr;   // a bit per byte
    uint8_t* locals_initialised = nullptr;
    const uint8_t* locals_allowed = nullptr;           // a bit per byte: not a gap
    size_t touched_begin = SIZE_MAX, touched_end = 0;  // of the static shared memory, in this block
    bool faults = false, full = false;                 // the level
    unsigned thread = 0;                               // index in the block of the running one
    // What the running thread records into, at level full.
    Cursor cursor;
    int64_t x = 0, y = 0;  // its LaneAt
    uint32_t lane_bit = 0;
    const uint8_t* maps[3] = {};  // what is initialised, by address / 8, of each Memory
    Scope scope = Scope::device;  // of its atomics
    Records* list = nullptr;      // its warp's; null until there is something to record
    const LaneAt* lane_at = nullptr;
    Records* lists[kMaxThreads / kWarp] = {};
    LaneAt lanes_at[kMaxThreads] = {};
    void begin_list();
    void end_list(unsigned warp);

    // For the search for races: the stamps of the block's warps, those since the last barrier being the
    // larger ones.
    uint32_t block_index = 0, epoch = 0;  // the epoch counts the barriers of the block
    Stamp warp_stamp[kMaxThreads / kWarp] = {};
    Stamp epoch_stamp = 0, next_stamp = 0, last_stamp = 0;  // the latter two: taken, and not used yet
    uint32_t generation = 0;
    Order order;
    Cells shared_cells, locals_cells;
    std::pair<uint32_t, uint32_t> sites[1024] = {};  // and their numbers
    std::unique_ptr<Counting> counting;
    unsigned threads_in_block() const { return count_; }
    void fence(Scope fenced);
    // Around an atomic of the kernel: before one that writes, after one that reads.
    void before_atomic(uintptr_t address, int how);
    void after_atomic(uintptr_t address, int how);

    // Of the watchdog (signals.h) and of threads that wait by reading (polling.cpp).
    void poll(uintptr_t address, uint64_t value, const void* site);
    [[noreturn]] void report_hang(const void* site);
    [[noreturn]] void complain_as(FaultKind kind, const std::string& what, const void* site,
                                  const void* address);
    static void stop_hung(double seconds);
    bool on_a_fiber(uintptr_t address) const;
    bool beyond_stack(const void* address) const;
    uintptr_t stack_top() const { return (stack + stack_bytes) / 64 * 64; }

    std::vector<Range> other_locals;  // of shared libraries

    Launch* launch = nullptr;
    void* dynamic_shared() const { return reinterpret_cast<void*>(shared); }
    // A fault of that thread of the block, which need not be the running one.
    [[noreturn]] void fail_at(unsigned index, Fault fault, Site site);

  private:
    friend struct Fiber;
    void run_block(uint64_t index);
    void begin_block(uint64_t index);
    void fiber_main(Fiber* self);
    void take_up(unsigned index);
    void switch_to(Fiber* target);
    void wait();          // gives way to another thread until somebody makes this one ready
    Fiber* next_fiber();  // of a ready thread, else one that starts new ones, else null
    void stuck();         // nobody can go on: names the reason
    void check_sites();
    std::string doing(unsigned index) const;
    void record(Fault fault, Site site);
    void record(FaultKind kind, cudaError_t error, const std::string& what, Site site,
                const void* address = nullptr);
    void begin_epoch();
    void begin_interval(unsigned warp, bool warp_met);
    void settle(unsigned index);
    void bind();
    void unbind();
    bool complete(unsigned warp, unsigned mask, Collective operation);
    void give_results(unsigned warp, unsigned mask, Collective operation);
    void make_ready(unsigned index);
    std::string where(unsigned index) const;

    std::vector<std::unique_ptr<Fiber>> fibers_;
    std::vector<Fiber*> idle_;
    std::vector<std::unique_ptr<Records>> all_lists_;
    std::vector<Records*> idle_lists_;
    unsigned settled_[kMaxThreads / kWarp] = {};  // lanes that are at the barrier or have left
    std::unique_ptr<Fiber> main_;
    Fiber* running_ = nullptr;
    CudaThread threads_[kMaxThreads];
    uint3 indices_[kMaxThreads];
    std::vector<unsigned> ready_;  // a queue: [ready_head_, size)
    size_t ready_head_ = 0;
    Schedule schedule_;             // of the block
    std::vector<unsigned> starts_;  // the threads as they begin, where they do not begin in order
    unsigned count_ = 0, next_ = 0, finished_ = 0;
    unsigned done_[kMaxThreads / kWarp] = {}, pending_[kMaxThreads / kWarp] = {};  // by lane
    unsigned waiting_ = 0;                                                         // at the barrier
    Site barrier_site_;
    bool sites_differ_ = false;
    int counted_ = 0, barrier_result_ = 0;
    bool aborted_ = false;
    std::string complaint_;
    std::vector<Copy> copies_[kMaxThreads];
    unsigned batches_[kMaxThreads] = {};
    void enlist();
    void resign();
    bool give_way();
    void look_around(uintptr_t address, uint64_t value, const void* site);
    Fiber* fresh_fiber();
    struct Polled {
        uintptr_t address = 0;
        uint64_t value = 0;
    } polled_[4];
    unsigned polls_ = 0;
    bool start_first_ = false;  // the next fiber starts a thread, although others are ready
    std::atomic<bool> polling_ = false, in_block_ = false;
    std::atomic<int64_t> polling_since_ = 0;
    std::atomic<const void*> polling_site_ = nullptr;
    std::atomic<uint64_t> steps_ = 0;  // threads that began or ended, meetings
    uint64_t steps_then_ = 0, watched_steps_ = 0, os_thread_ = 0;
    int64_t watched_since_ = 0;
    void step() { steps_.store(steps_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
    bool copied_ = false;  // some thread of the block has begun a copy
};

// xray.cpp: a worker's shadows of shared memory.
void prepare_shadows(Worker& worker);
void clear_shared_shadow(Worker& worker);
void release_shadows(Worker& worker);
// One side of an access by the runtime on behalf of a kernel; forget: from now on it counts as never written.
void check_access(const void* p, size_t bytes, bool write, const void* site);
void forget_written(Worker& worker, const void* p, size_t bytes);

// threadIdx and its like, which a kernel may read by reference: thread-local, but not shared memory.
bool is_coordinate(uintptr_t address);

// The worker whose kernel code runs right now on this OS thread; null in host code.
extern __thread Worker* t_worker;
// The same where its accesses are checked, else null.
extern __thread Worker* t_checked;

// Lives while the runtime works on behalf of a kernel. Of an inline function that both use, the linker may
// have taken the kernels' copy, and what that one reports is not the kernel's doing.
class InRuntime {
  public:
    InRuntime() : before_(t_checked) { t_checked = nullptr; }
    ~InRuntime() { t_checked = before_; }
    InRuntime(const InRuntime&) = delete;
    InRuntime& operator=(const InRuntime&) = delete;

  private:
    Worker* const before_;
};

}  // namespace simt
